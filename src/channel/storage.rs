//! A channel's data in the storage of its object: the epoch, the history, the idempotency keys, and for some time
//! whether the channel has ended.
//!
//! [`Store`] holds the rules, and uses SQL through the trait [`Sql`], so that the tests run the same statements on a
//! SQLite of their own.

mod commit;
pub mod database;
pub mod engine;
pub mod error;
pub mod idempotency;
mod keys;
mod load;
mod removal;
mod retention;
mod sql;
#[cfg(test)]
pub mod sqlite;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use serde::Serialize;

use self::engine::{Sql, SqlRow, SqlValue, Statement};
use self::error::StorageError;
use self::idempotency::IdempotencyKeys;
pub use self::keys::NewKey;
pub use self::removal::ClearResult;
use self::retention::{Retention, Row, Table};
use self::sql::{CREATE_CHANNEL, READ_CHANNEL, TABLES, UNKNOWN_NEXT, WRITE_CHANNEL};
use crate::settings::{HistoryLimits, IdempotencyLimits};
use sse_hub::sse::EventId;
use sse_hub::{History, HistoryError, Millis, Page};

/// The number of row heads that one query reads.
const HEADS: u64 = 64;

/// The data of one channel.
pub struct Store<D> {
    database: Rc<D>,
    history: HistoryLimits,
    idempotency: IdempotencyLimits,
    /// The id of the next event that is committed.
    next: EventId,
    /// All events of earlier epochs were published before this moment.
    unpublished_since: Millis,
    /// When the channel's row was written, if the row exists and holds this epoch. Without it nothing is stored.
    row_written_at: Option<Millis>,
    /// Until when a channel that has ended stays ended, if nothing is published.
    ended_until: Option<Millis>,
    retention: Retention,
    keys: IdempotencyKeys,
    has_keys_table: bool,
    /// Something is stored, and it is not known whether an alarm is set that will clear it.
    needs_alarm: bool,
}

impl<D: Sql> Store<D> {
    /// The id that the next event will get.
    pub fn next_id(&self) -> EventId {
        self.next
    }

    /// Whether the channel has a history.
    pub fn keeps_history(&self) -> bool {
        self.history.events > 0
    }

    /// Whether the channel has ended and nothing was committed since.
    pub fn is_ended(&self, now: Millis) -> bool {
        self.ended_until.is_some_and(|until| now < until)
    }

    /// All events of earlier epochs were published before this moment.
    pub fn unpublished_since(&self) -> Millis {
        self.unpublished_since
    }

    /// Whether something is stored, but maybe no alarm is set that will clear it.
    pub fn needs_alarm(&self) -> bool {
        self.needs_alarm
    }

    /// Notes that an alarm is set that will clear what is stored.
    pub fn alarm_was_set(&mut self) {
        self.needs_alarm = false;
    }

    /// The statements that create the channel's table and its row. They precede everything else that a channel stores.
    fn insert_channel_row(
        &self,
        next: EventId,
        now: Millis,
        ended_until: Option<Millis>,
    ) -> [Statement; 2] {
        [
            (CREATE_CHANNEL, Vec::new()),
            self.channel_row(next, now, ended_until),
        ]
    }

    /// Notes that these statements were run.
    fn channel_row_inserted(&mut self, now: Millis, ended_until: Option<Millis>) {
        self.row_written_at = Some(now);
        self.ended_until = ended_until;
        self.needs_alarm = true;
    }

    /// The statement that writes the channel's row. `next` is the id of the next event.
    fn channel_row(&self, next: EventId, now: Millis, ended_until: Option<Millis>) -> Statement {
        let EventId { epoch, seq } = next;
        // Without a history, the next publish does not store its number. It only stores that the channel is open again.
        let stays_exact = self.keeps_history() || ended_until.is_some();
        let seq = if stays_exact { seq } else { UNKNOWN_NEXT };
        let values = vec![
            SqlValue::Text(epoch.to_string()),
            seq.into(),
            now.into(),
            ended_until.map_or(SqlValue::Null, SqlValue::from),
            self.unpublished_since.into(),
        ];
        (WRITE_CHANNEL, values)
    }

    /// The number of the oldest event that the history holds, or of the next event if it holds none.
    fn held_from(&mut self, now: Millis) -> Result<u64, StorageError> {
        let database = &self.database;
        self.retention.held_from(now, |table, from| {
            let values = vec![from.into(), HEADS.into()];
            read_heads(&**database, table, table.sql().heads, values)
        })
    }

    /// Reads from the storage. An object that the platform has replaced fails at this, and is then stopped.
    pub fn check(&self) -> Result<(), StorageError> {
        let statement = if self.row_written_at.is_some() {
            READ_CHANNEL
        } else {
            TABLES
        };
        self.database.query(statement, Vec::new())?;
        Ok(())
    }

    /// Describes the history; `None` if the channel has none.
    pub fn stats(&mut self, now: Millis) -> Result<Option<HistoryStats>, StorageError> {
        if !self.keeps_history() {
            return Ok(None);
        }
        let held_from = self.held_from(now)?;
        let events = self.next.seq.saturating_sub(held_from);
        let oldest = EventId {
            seq: held_from,
            ..self.next
        };
        Ok(Some(HistoryStats {
            oldest: (events > 0).then_some(oldest),
            events,
            bytes: self.retention.bytes_held(),
            rows_written: self.database.rows_written(),
        }))
    }
}

/// The JSON of `history` in `GET /channels/{id}/stats`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HistoryStats {
    /// The id of the oldest event that is held.
    oldest: Option<EventId>,
    /// The number of events that are held.
    events: u64,
    /// The bytes of the rows that hold these events.
    bytes: u64,
    /// The rows that this object has written since it started.
    rows_written: u64,
}

impl<D: Sql> History for Store<D> {
    fn tail(&mut self, now: Millis) -> Result<Option<u64>, HistoryError> {
        if !self.keeps_history() {
            return Ok(None);
        }
        Ok(Some(self.held_from(now)?))
    }

    fn page(&mut self, from: u64) -> Result<Page, HistoryError> {
        let sql = self.retention.table_of(from).sql();
        let mut rows = self.database.query(sql.page, vec![from.into()])?;
        let row = rows.first_mut().filter(|row| !row.is_null(0));
        let row = row.ok_or_else(|| StorageError::missing_event(sql.name, from))?;
        let bad_column = |column| StorageError::bad_column(sql.name, column);
        let first = row.number(0).ok_or_else(|| bad_column("first"))?;
        let wire = row.take_text(1).ok_or_else(|| bad_column("wire"))?;
        if first > from {
            return Err(StorageError::missing_event(sql.name, from).into());
        }
        Ok(Page { first, wire })
    }
}

/// Reads the heads of rows of the history.
fn read_heads(
    database: &impl Sql,
    table: Table,
    statement: &str,
    values: Vec<SqlValue>,
) -> Result<Vec<Row>, StorageError> {
    let read = |row: SqlRow| {
        let number = |column, name| {
            let number = row.number(column);
            number.ok_or_else(|| StorageError::bad_column(table.sql().name, name))
        };
        Ok(Row {
            first: number(0, "first")?,
            last: number(1, "last")?,
            time: number(2, "time")?,
            start: number(3, "start")?,
            bytes: number(4, "wire")?,
        })
    };
    let rows = database.query(statement, values)?;
    rows.into_iter().map(read).collect()
}
