//! Which stored events are still held: the newest `HISTORY_EVENTS`, `HISTORY_BYTES` of them, none older than
//! `HISTORY_SECONDS`. Pure: rows come in as their heads, read where they are needed.
//!
//! What is held counts up to the event by number, and by whole rows by bytes and age (the newest row is held whatever it
//! weighs). Rows are not removed one by one: two tables take turns, and when the newer one alone holds everything that is
//! held, the older one is dropped whole. Removing a row costs as much as writing it on the platform's bill; dropping
//! a table, next to nothing.

use std::collections::VecDeque;

use crate::settings::HistoryLimits;
use sse_hub::Millis;

/// What is known of a stored row without its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number of its first event.
    pub first: u64,
    /// The number of its last event.
    pub last: u64,
    /// When it was stored.
    pub time: Millis,
    /// How many bytes of the epoch were stored before it.
    pub start: u64,
    /// How many bytes of events it holds.
    pub bytes: u64,
}

/// Which of the two tables a row is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Table {
    /// One.
    #[default]
    Even,
    /// The other.
    Odd,
}

impl Table {
    /// The one that is not this one.
    pub fn other(self) -> Self {
        match self {
            Self::Even => Self::Odd,
            Self::Odd => Self::Even,
        }
    }
}

/// What is stored of one epoch, and how much of it is held.
#[derive(Debug)]
pub struct Retention {
    limits: HistoryLimits,
    /// The table that rows are added to, and the number of the first event in it, once there is one.
    newer: (Table, Option<u64>),
    newest: Option<Row>,
    /// No event before this number is held. Only grows.
    held_from: u64,
    /// The rows from there on, or from before, as far as they were read; what is held is looked for here.
    oldest: VecDeque<Row>,
}

impl Retention {
    /// Of an epoch of which nothing is stored, or not any more. The next event will have the number `next`.
    pub fn new(limits: HistoryLimits, next: u64) -> Self {
        Self {
            limits,
            newer: (Table::default(), None),
            newest: None,
            held_from: next,
            oldest: VecDeque::new(),
        }
    }

    /// Of what was found in the tables: the first event of the older one (or the newer, where that is the only one),
    /// the newer one with its first event, and the newest row.
    pub fn found(limits: HistoryLimits, first: u64, newer: (Table, u64), newest: Row) -> Self {
        Self {
            limits,
            newer: (newer.0, Some(newer.1)),
            newest: Some(newest),
            held_from: first,
            oldest: VecDeque::new(),
        }
    }

    /// The newest row.
    pub fn newest(&self) -> Option<&Row> {
        self.newest.as_ref()
    }

    /// The number of the next event.
    pub fn next(&self) -> u64 {
        self.newest
            .map_or(self.held_from, |row| row.last.saturating_add(1))
    }

    /// How many bytes of the epoch were stored.
    pub fn end(&self) -> u64 {
        self.newest
            .map_or(0, |row| row.start.saturating_add(row.bytes))
    }

    /// Whether rows were added to any table yet.
    pub fn has_table(&self) -> bool {
        self.newer.1.is_some()
    }

    /// How many bytes the held rows have. To be asked after [`tail`](Self::tail).
    pub fn bytes_held(&self) -> u64 {
        self.oldest
            .front()
            .map_or(0, |row| self.end().saturating_sub(row.start))
    }

    /// The table in which event number `seq` is, if it is stored.
    pub fn table_of(&self, seq: u64) -> Table {
        let (table, first) = self.newer;
        if first.is_none_or(|first| seq >= first) {
            table
        } else {
            table.other()
        }
    }

    /// The number of the oldest event held at `now`; of the next one where none is. `rows` reads the heads of some rows
    /// in order, beginning with the one in which an event is.
    pub fn tail<E>(
        &mut self,
        now: Millis,
        mut rows: impl FnMut(Table, u64) -> Result<Vec<Row>, E>,
    ) -> Result<u64, E> {
        let next = self.next();
        let by_number = next.saturating_sub(self.limits.events);
        self.held_from = self.held_from.max(by_number);
        loop {
            let Some(row) = self.oldest.front() else {
                if self.held_from >= next {
                    return Ok(next);
                }
                if let (table, Some(first)) = self.newer
                    && self.held_from < first
                    && rows(table, first)?
                        .first()
                        .is_some_and(|row| !self.holds(row, now))
                {
                    // Then nothing before it is held either.
                    self.held_from = first;
                }
                self.oldest = rows(self.table_of(self.held_from), self.held_from)?.into();
                if self.oldest.is_empty() {
                    // What the tables should have, they do not: it is not held, then.
                    self.held_from = match self.newer.1 {
                        Some(first) if self.held_from < first => first,
                        _ => next,
                    };
                }
                continue;
            };
            if row.last >= self.held_from {
                if self.holds(row, now) {
                    return Ok(row.first.max(self.held_from));
                }
                self.held_from = row.last.saturating_add(1);
            }
            self.oldest.pop_front();
        }
    }

    fn holds(&self, row: &Row, now: Millis) -> bool {
        let is_newest = row.last.saturating_add(1) == self.next();
        let young = now.saturating_sub(row.time) < self.limits.age;
        let small = self.end().saturating_sub(row.start) <= self.limits.bytes;
        young && (small || is_newest)
    }

    /// Where the next rows go, and whether that is the other table, to be emptied first: nothing in it is held any more,
    /// nor is all of the newer one, if the oldest event held is number `tail`.
    pub fn target(&self, tail: u64) -> (Table, bool) {
        let (table, first) = self.newer;
        match first {
            Some(first) if tail > first => (table.other(), true),
            _ => (table, false),
        }
    }

    /// Notes that `row` was added to `table`.
    pub fn added(&mut self, table: Table, row: Row) {
        if self.newer.0 != table || self.newer.1.is_none() {
            self.newer = (table, Some(row.first));
        }
        self.newest = Some(row);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The tables, and what is to be held by looking at all rows.
    struct Stored {
        limits: HistoryLimits,
        tables: [Vec<Row>; 2],
        retention: Retention,
        now: Millis,
    }

    fn index(table: Table) -> usize {
        usize::from(table == Table::Odd)
    }

    fn rows(tables: &[Vec<Row>; 2], table: Table, from: u64) -> Result<Vec<Row>, ()> {
        let rows = tables[index(table)].iter().filter(|row| row.last >= from);
        Ok(rows.take(3).copied().collect())
    }

    impl Stored {
        fn new(limits: HistoryLimits) -> Self {
            Self {
                retention: Retention::new(limits, 1),
                limits,
                tables: Default::default(),
                now: 1_000,
            }
        }

        fn tail(&mut self) -> u64 {
            let tables = &self.tables;
            let read = |table, from| rows(tables, table, from);
            self.retention.tail(self.now, read).unwrap()
        }

        fn add(&mut self, events: u64, bytes: u64) {
            let tail = self.tail();
            let (table, empty) = self.retention.target(tail);
            if empty {
                self.tables[index(table)].clear();
            }
            let first = self.retention.next();
            let row = Row {
                first,
                last: first + events - 1,
                time: self.now,
                start: self.retention.end(),
                bytes,
            };
            self.tables[index(table)].push(row);
            self.retention.added(table, row);
        }

        fn all(&self) -> Vec<Row> {
            let mut all = self.tables.concat();
            all.sort_by_key(|row| row.first);
            all
        }

        fn expected_tail(&self) -> u64 {
            let (next, end) = (self.retention.next(), self.retention.end());
            let held = self.all().into_iter().find(|row| {
                let newest = row.last + 1 == next;
                self.now - row.time < self.limits.age
                    && row.last + self.limits.events >= next
                    && (end - row.start <= self.limits.bytes || newest)
            });
            held.map_or(next, |row| {
                row.first.max(next.saturating_sub(self.limits.events))
            })
        }

        fn check(&mut self) {
            let expected = self.expected_tail();
            assert_eq!(self.tail(), expected);
            let next = self.retention.next();
            for seq in expected..next {
                let table = &self.tables[index(self.retention.table_of(seq))];
                assert!(table.iter().any(|row| row.first <= seq && seq <= row.last));
            }
        }

        /// As after a restart.
        fn find(&mut self) {
            let Some(newest) = self.all().last().copied() else {
                return;
            };
            let newer = if self.tables[0].contains(&newest) {
                Table::Even
            } else {
                Table::Odd
            };
            let first = self.all()[0].first;
            let newer = (newer, self.tables[index(newer)][0].first);
            self.retention = Retention::found(self.limits, first, newer, newest);
        }
    }

    const LIMITS: HistoryLimits = HistoryLimits {
        events: 10,
        age: 100,
        bytes: 1_000,
    };

    #[test]
    fn holds_the_newest_events_by_number() {
        let mut stored = Stored::new(LIMITS);
        assert_eq!(stored.tail(), 1);
        for _ in 0..7 {
            stored.add(3, 1);
        }
        assert_eq!(stored.tail(), 12, "in the middle of a row");
        stored.add(50, 1);
        assert_eq!(stored.tail(), 62);
    }

    #[test]
    fn holds_rows_by_bytes_and_the_newest_always() {
        let mut stored = Stored::new(LIMITS);
        for _ in 0..3 {
            stored.add(1, 400);
        }
        assert_eq!(stored.tail(), 2);
        stored.add(2, 5_000);
        assert_eq!(stored.tail(), 4);
    }

    #[test]
    fn holds_nothing_that_is_too_old() {
        let mut stored = Stored::new(LIMITS);
        stored.add(1, 1);
        stored.now += 60;
        stored.add(1, 1);
        stored.now += 40;
        assert_eq!(stored.tail(), 2);
        stored.now += 60;
        assert_eq!(stored.tail(), 3);
        stored.add(1, 1);
        assert_eq!(stored.tail(), 3);
    }

    #[test]
    fn stores_at_most_twice_what_it_holds() {
        let mut stored = Stored::new(LIMITS);
        for _ in 0..200 {
            stored.add(1, 1);
            assert!(stored.all().len() <= 22, "{}", stored.all().len());
            stored.check();
        }
    }

    #[test]
    fn one_table_is_enough_until_something_is_not_held_any_more() {
        let mut stored = Stored::new(LIMITS);
        for _ in 0..10 {
            stored.add(1, 1);
            assert!(stored.tables[1].is_empty());
        }
        stored.add(2, 1);
        stored.add(1, 1);
        assert_eq!(stored.tables[1].len(), 1);
    }

    proptest! {
        #[test]
        fn what_is_held_is_stored_and_found_again(
            steps in prop::collection::vec((1..12_u64, 1..600_u64, 0..50_u64, any::<bool>()), 1..60),
        ) {
            let mut stored = Stored::new(LIMITS);
            for (events, bytes, wait, restart) in steps {
                stored.add(events, bytes);
                stored.check();
                stored.now += wait;
                if restart {
                    stored.find();
                }
                stored.check();
            }
        }
    }
}
