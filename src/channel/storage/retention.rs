//! Decides which stored events the history holds: the newest `HISTORY_EVENTS`, at most `HISTORY_BYTES`, none older than
//! `HISTORY_SECONDS`. Pure: the caller reads the heads of rows when they are needed.
//!
//! The limit on events counts single events; the limits on bytes and age apply to whole rows, and the newest row is
//! held whatever its size. Rows are not deleted one by one. There are two tables: rows are added to the newer one, and
//! once it alone holds all events that are held, the older one is dropped and becomes the newer one. The platform bills
//! the deletion of a row like a write, and the drop of a table with next to nothing.

use std::collections::VecDeque;

use super::error::StorageError;
use crate::settings::HistoryLimits;
use sse_hub::Millis;

/// The head of a row: all that is stored of it except its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number of the first event.
    pub first: u64,
    /// The number of the last event.
    pub last: u64,
    /// When the row was written.
    pub time: Millis,
    /// The bytes of all events of the epoch before this row.
    pub start: u64,
    /// The bytes of the row's events.
    pub bytes: u64,
}

/// One of the two tables of the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Table {
    /// The table that is used first.
    #[default]
    Even,
    /// The other table.
    Odd,
}

impl Table {
    /// The other table.
    pub fn other(self) -> Self {
        match self {
            Self::Even => Self::Odd,
            Self::Odd => Self::Even,
        }
    }
}

/// The rows of one epoch, and how much of them is held.
#[derive(Debug)]
pub struct Retention {
    limits: HistoryLimits,
    /// The table that rows are added to, and the number of its first event, if it has any.
    newer: (Table, Option<u64>),
    newest: Option<Row>,
    /// No event before this number is held. It only grows.
    held_from: u64,
    /// The heads of some old rows, read ahead. The oldest row that is held is searched for in this list.
    oldest: VecDeque<Row>,
}

impl Retention {
    /// An epoch without stored rows, whose next event has the number `next`.
    pub fn new(limits: HistoryLimits, next: u64) -> Self {
        Self {
            limits,
            newer: (Table::default(), None),
            newest: None,
            held_from: next,
            oldest: VecDeque::new(),
        }
    }

    /// An epoch with stored rows. `first` is the first event in any table, `newer` is the table with the newest row,
    /// with its own first event.
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

    /// The bytes of all events of the epoch.
    pub fn end(&self) -> u64 {
        self.newest
            .map_or(0, |row| row.start.saturating_add(row.bytes))
    }

    /// Whether there is a table with rows.
    pub fn has_table(&self) -> bool {
        self.newer.1.is_some()
    }

    /// The bytes of the rows that are held. Call [`held_from`](Self::held_from) before.
    pub fn bytes_held(&self) -> u64 {
        self.oldest
            .front()
            .map_or(0, |row| self.end().saturating_sub(row.start))
    }

    /// The table of event `seq`, if that event is stored.
    pub fn table_of(&self, seq: u64) -> Table {
        let (table, first) = self.newer;
        if first.is_none_or(|first| seq >= first) {
            table
        } else {
            table.other()
        }
    }

    /// Returns the number of the oldest event that is held at `now`, or of the next event if none is held. `read_heads`
    /// reads the heads of some rows of a table, from the row of the given event on. Fails if `read_heads` fails, or if
    /// a row is missing.
    pub fn held_from(
        &mut self,
        now: Millis,
        mut read_heads: impl FnMut(Table, u64) -> Result<Vec<Row>, StorageError>,
    ) -> Result<u64, StorageError> {
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
                    && read_heads(table, first)?
                        .first()
                        .is_some_and(|row| !self.holds(row, now))
                {
                    // The first row of the newer table is not held, so no row of the older table is.
                    self.held_from = first;
                }
                let table = self.table_of(self.held_from);
                self.oldest = read_heads(table, self.held_from)?.into();
                if self.oldest.is_empty() {
                    let table = table.sql().name;
                    return Err(StorageError::missing_event(table, self.held_from));
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
        let is_young = now.saturating_sub(row.time) < self.limits.age;
        let is_small = self.end().saturating_sub(row.start) <= self.limits.bytes;
        is_young && (is_small || is_newest)
    }

    /// Returns the table for the next rows, and whether it has to be emptied before. That is the case when the oldest
    /// event that is held, `held_from`, is in the newer table and is not its first event: the older table then holds
    /// nothing.
    pub fn target(&self, held_from: u64) -> (Table, bool) {
        let (table, first) = self.newer;
        match first {
            Some(first) if held_from > first => (table.other(), true),
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
mod tests;
