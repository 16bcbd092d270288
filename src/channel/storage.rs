//! What a channel keeps in its object's storage: its epoch, its history, the keys of its publishes, and for an hour
//! that it was ended.

pub mod database;
mod ends;
pub mod idempotency;
mod keys;
mod load;
mod retention;
mod sql;

use std::rc::Rc;

use serde::Serialize;
use worker::SqlStorageValue;

use self::database::{Database, SqlRow, Statement, StorageError, number};
pub use self::ends::Quiet;
use self::idempotency::{Keys, Published};
use self::retention::{Retention, Row, Table};
use self::sql::{CREATE_CHANNEL, CREATE_KEYS, NO_HISTORY, READ_CHANNEL, TABLES, WRITE_CHANNEL};
use crate::settings::{HistoryLimits, IdempotencyLimits};
use sse_hub::sse::{Batch, EventId, MAX_ENCODED_EVENT};
use sse_hub::{History, HistoryError, Millis, Page};

/// How many rows' heads are read at once.
const HEADS: u64 = 64;

/// A publish to be stored under a key.
pub struct KeyedPublish {
    /// The key.
    pub key: String,
    /// What is to be remembered of it.
    pub published: Published,
}

/// What a channel keeps.
pub struct Store {
    database: Rc<Database>,
    history: HistoryLimits,
    idempotency: IdempotencyLimits,
    /// The id of the next event that is committed.
    next: EventId,
    /// All events of epochs before that of `next` were published before this moment.
    unpublished_since: Millis,
    /// ReplayFrom when the channel's row is there, with this epoch. Without it, nothing is stored that counts.
    born: Option<Millis>,
    /// Until when a channel that was ended stays so, if nothing is published.
    ended_until: Option<Millis>,
    retention: Retention,
    keys: Keys,
    has_keys_table: bool,
    /// Something is stored, and it was not looked yet whether an alarm is set that will clear it some day.
    pub needs_alarm: bool,
}

impl Store {
    /// The id that the next event will get.
    pub fn next_id(&self) -> EventId {
        self.next
    }

    /// Whether there is a history.
    pub fn keeps_history(&self) -> bool {
        self.history.events > 0
    }

    /// Whether the channel was ended, and nobody has published since.
    pub fn is_ended(&self, now: Millis) -> bool {
        self.ended_until.is_some_and(|until| now < until)
    }

    /// All events of earlier epochs were published before this moment.
    pub fn unpublished_since(&self) -> Millis {
        self.unpublished_since
    }

    /// What writes the first thing that a channel stores: its row.
    fn birth(&self, now: Millis) -> Vec<Statement> {
        vec![(CREATE_CHANNEL, Vec::new()), self.channel_row(now, None)]
    }

    /// That is written.
    fn was_born(&mut self, now: Millis) {
        self.born = Some(now);
        self.ended_until = None;
        self.needs_alarm = true;
    }

    /// What writes the channel's row as it is to be `now`.
    fn channel_row(&self, now: Millis, ended_until: Option<Millis>) -> Statement {
        let EventId { epoch, seq } = self.next;
        let seq = if self.keeps_history() {
            seq
        } else {
            NO_HISTORY
        };
        let ended_until = ended_until.map_or(SqlStorageValue::Null, number);
        (
            WRITE_CHANNEL,
            vec![
                number(epoch),
                number(seq),
                number(now),
                ended_until,
                number(self.unpublished_since),
            ],
        )
    }

    /// Writes `batches` with the next ids, and what is to be remembered of those that came with a key: all or nothing.
    /// It is durable after the database's `sync`. Returns whether there was anything to write.
    pub fn commit(
        &mut self,
        batches: &[&Batch],
        keyed: Vec<KeyedPublish>,
        now: Millis,
    ) -> Result<bool, StorageError> {
        let mut statements = Vec::new();
        let writes = self.keeps_history() || !keyed.is_empty();
        let is_born = self.born.is_some() && self.ended_until.is_none();
        let bears = !is_born && (writes || self.ended_until.is_some());
        if bears {
            statements.extend(self.birth(now));
        }
        let mut added = Vec::new();
        let mut table = Table::default();
        if self.keeps_history() {
            let tail = self.held_from(now)?;
            let (target, empty) = self.retention.target(tail);
            table = target;
            let sql = table.sql();
            if empty {
                statements.push((sql.drop, Vec::new()));
            }
            if empty || !self.retention.has_table() {
                statements.push((sql.create, Vec::new()));
            }
            for (row, wire) in self.split(batches, now) {
                let head = [row.last, row.first, row.time, row.start].map(number);
                let values = head.into_iter().chain([SqlStorageValue::Blob(wire)]);
                statements.push((sql.insert, values.collect()));
                added.push(row);
            }
        }
        if !keyed.is_empty() && !self.has_keys_table {
            statements.push((CREATE_KEYS, Vec::new()));
        }
        statements.extend(keyed.iter().map(|keyed| self.key_row(keyed)));
        let wrote = !statements.is_empty();
        if wrote {
            self.database.write(statements)?;
        }
        if bears {
            self.was_born(now);
        }
        for row in added {
            self.retention.added(table, row);
        }
        self.has_keys_table |= !keyed.is_empty();
        for KeyedPublish { key, published } in keyed {
            self.keys.add(key, published, now);
        }
        let events = batches.iter().map(|batch| batch.events as u64);
        self.next.seq = events.fold(self.next.seq, u64::saturating_add);
        Ok(wrote)
    }

    /// The events of `batches` as rows: one, or several where it would be too large.
    fn split(&self, batches: &[&Batch], now: Millis) -> Vec<(Row, Vec<u8>)> {
        let mut rows: Vec<(Row, Vec<u8>)> = Vec::new();
        let mut next = self.next.seq;
        for event in batches.iter().flat_map(|batch| batch.iter()) {
            match rows.last_mut() {
                Some((row, wire))
                    if wire.len().saturating_add(event.len()) <= MAX_ENCODED_EVENT =>
                {
                    wire.extend_from_slice(event.as_bytes());
                    row.last = next;
                    row.bytes = wire.len() as u64;
                }
                before => {
                    let start = match before {
                        Some((row, _)) => row.start.saturating_add(row.bytes),
                        None => self.retention.end(),
                    };
                    let (bytes, time) = (event.len() as u64, now);
                    let row = Row {
                        first: next,
                        last: next,
                        time,
                        start,
                        bytes,
                    };
                    rows.push((row, event.as_bytes().to_vec()));
                }
            }
            next = next.saturating_add(1);
        }
        rows
    }

    fn held_from(&mut self, now: Millis) -> Result<u64, StorageError> {
        let database = &self.database;
        self.retention.tail(now, |table, from| {
            read_rows(
                database,
                table.sql().heads,
                vec![number(from), number(HEADS)],
            )
        })
    }

    /// Reads from the storage, as an object that has been replaced cannot.
    pub fn check(&self) -> Result<(), StorageError> {
        let statement = if self.born.is_some() {
            READ_CHANNEL
        } else {
            TABLES
        };
        self.database.query(statement, Vec::new())?;
        Ok(())
    }

    /// What is held: the id of the oldest event, how many there are, how many bytes they take with what is stored in
    /// the same row, and how many rows this object has written. `None` without a history.
    pub fn stats(&mut self, now: Millis) -> Result<Option<HistoryStats>, StorageError> {
        if !self.keeps_history() {
            return Ok(None);
        }
        let tail = self.held_from(now)?;
        let events = self.next.seq.saturating_sub(tail);
        let oldest = EventId {
            seq: tail,
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

/// The shape of `history` in `GET /channels/{id}/stats`.
#[derive(Serialize)]
pub struct HistoryStats {
    oldest: Option<EventId>,
    events: u64,
    bytes: u64,
    rows_written: u64,
}

impl History for Store {
    fn tail(&mut self, now: Millis) -> Result<Option<u64>, HistoryError> {
        if !self.keeps_history() {
            return Ok(None);
        }
        Ok(Some(self.held_from(now)?))
    }

    fn page(&mut self, from: u64) -> Result<Page, HistoryError> {
        let statement = self.retention.table_of(from).sql().page;
        let mut rows = self.database.query(statement, vec![number(from)])?;
        let page = rows.first_mut().and_then(|row| {
            Some(Page {
                first: row.number(0)?,
                wire: row.text(1)?,
            })
        });
        page.ok_or_else(|| HistoryError(format!("event {from} is not there")))
    }
}

fn read_rows(
    database: &Database,
    statement: &str,
    values: Vec<SqlStorageValue>,
) -> Result<Vec<Row>, StorageError> {
    let read = |row: &SqlRow| {
        Some(Row {
            first: row.number(0)?,
            last: row.number(1)?,
            time: row.number(2)?,
            start: row.number(3)?,
            bytes: row.number(4)?,
        })
    };
    let rows = database.query(statement, values)?;
    Ok(rows.iter().filter_map(read).collect())
}
