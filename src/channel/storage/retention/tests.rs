use proptest::prelude::*;

use super::*;

/// The rows of both tables. Finds the held events by a search through all rows, as the oracle for [`Retention`].
struct Stored {
    limits: HistoryLimits,
    tables: [Vec<Row>; 2],
    retention: Retention,
    now: Millis,
}

fn index(table: Table) -> usize {
    usize::from(table == Table::Odd)
}

fn rows(tables: &[Vec<Row>; 2], table: Table, from: u64) -> Result<Vec<Row>, StorageError> {
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

    fn held_from(&mut self) -> u64 {
        let tables = &self.tables;
        let read = |table, from| rows(tables, table, from);
        self.retention.held_from(self.now, read).unwrap()
    }

    fn add(&mut self, events: u64, bytes: u64) {
        let held_from = self.held_from();
        let (table, empty) = self.retention.target(held_from);
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

    fn expected_held_from(&self) -> u64 {
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
        let expected = self.expected_held_from();
        assert_eq!(self.held_from(), expected);
        let next = self.retention.next();
        for seq in expected..next {
            let table = &self.tables[index(self.retention.table_of(seq))];
            assert!(table.iter().any(|row| row.first <= seq && seq <= row.last));
        }
    }

    /// Reads the rows again, as after a restart.
    fn restart(&mut self) {
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
fn the_history_holds_the_newest_events_up_to_history_events() {
    let mut stored = Stored::new(LIMITS);
    assert_eq!(stored.held_from(), 1);
    for _ in 0..7 {
        stored.add(3, 1);
    }
    assert_eq!(stored.held_from(), 12, "an event in the middle of a row");
    stored.add(50, 1);
    assert_eq!(stored.held_from(), 62);
}

#[test]
fn the_history_holds_rows_up_to_history_bytes_and_always_the_newest_row() {
    let mut stored = Stored::new(LIMITS);
    for _ in 0..3 {
        stored.add(1, 400);
    }
    assert_eq!(stored.held_from(), 2);
    stored.add(2, 5_000);
    assert_eq!(stored.held_from(), 4);
}

#[test]
fn the_history_holds_no_row_older_than_history_seconds() {
    let mut stored = Stored::new(LIMITS);
    stored.add(1, 1);
    stored.now += 60;
    stored.add(1, 1);
    stored.now += 40;
    assert_eq!(stored.held_from(), 2);
    stored.now += 60;
    assert_eq!(stored.held_from(), 3);
    stored.add(1, 1);
    assert_eq!(stored.held_from(), 3);
}

#[test]
fn at_most_twice_as_many_events_are_stored_as_are_held() {
    let mut stored = Stored::new(LIMITS);
    for _ in 0..200 {
        stored.add(1, 1);
        assert!(stored.all().len() <= 22, "{}", stored.all().len());
        stored.check();
    }
}

#[test]
fn the_second_table_is_used_once_an_event_is_not_held_any_more() {
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
    fn all_events_that_are_held_are_stored_and_found_after_a_restart(
        steps in prop::collection::vec((1..12_u64, 1..600_u64, 0..50_u64, any::<bool>()), 1..60),
    ) {
        let mut stored = Stored::new(LIMITS);
        for (events, bytes, wait, restart) in steps {
            stored.add(events, bytes);
            stored.check();
            stored.now += wait;
            if restart {
                stored.restart();
            }
            stored.check();
        }
    }
}

#[test]
fn a_missing_row_is_an_error_that_names_the_table() {
    let mut stored = Stored::new(LIMITS);
    for _ in 0..14 {
        stored.add(1, 1);
    }
    stored.restart();
    stored.tables[0].clear();
    let tables = &stored.tables;
    let read = |table, from| rows(tables, table, from);
    let error = stored.retention.held_from(stored.now, read).unwrap_err();
    assert_eq!(error, StorageError::missing_event("history_even", 5));
}
