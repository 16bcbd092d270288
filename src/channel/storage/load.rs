//! Reads the data of a channel when its object starts. A row that cannot be read is an error.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::engine::{Sql, SqlRow};
use super::error::StorageError;
use super::idempotency::{IdempotencyKeys, KeyRecord};
use super::retention::{Retention, Row, Table};
use super::sql::{CHANNEL, EVEN, KEYS, ODD, READ_CHANNEL, READ_KEYS, TABLES, UNKNOWN_NEXT};
use super::{NewKey, Store, read_heads};
use crate::settings::{HistoryLimits, IdempotencyLimits};
use sse_hub::Millis;
use sse_hub::sse::{Epoch, EventId};

/// The channel's row.
struct ChannelRow {
    epoch: Epoch,
    next: u64,
    time: Millis,
    ended_until: Option<Millis>,
    unpublished_since: Millis,
}

impl ChannelRow {
    fn read(mut row: SqlRow) -> Result<Self, StorageError> {
        let epoch = row.take_text(0).and_then(|epoch| epoch.parse().ok());
        let number = |column, name| {
            let number = row.number(column);
            number.ok_or_else(|| StorageError::bad_column(CHANNEL, name))
        };
        Ok(Self {
            epoch: epoch.ok_or_else(|| StorageError::bad_column(CHANNEL, "epoch"))?,
            next: number(1, "next")?,
            time: number(2, "time")?,
            ended_until: if row.is_null(3) {
                None
            } else {
                Some(number(3, "ended_until")?)
            },
            unpublished_since: number(4, "unpublished_since")?,
        })
    }
}

/// The first event and the newest row of one table of the history.
struct FoundTable {
    table: Table,
    first: u64,
    newest: Row,
}

impl<D: Sql> Store<D> {
    /// Reads the data in `database`. If no epoch is stored, the epoch is `fresh`.
    pub fn load(
        database: Rc<D>,
        history: HistoryLimits,
        idempotency: IdempotencyLimits,
        fresh: Epoch,
        now: Millis,
    ) -> Result<Self, StorageError> {
        let first = EventId {
            epoch: fresh,
            seq: 1,
        };
        let mut store = Self {
            database,
            history,
            idempotency,
            next: first,
            // If nothing is stored, nothing was published for as long as the history would have kept it. Without a
            // history that is not known.
            unpublished_since: if history.events > 0 {
                now.saturating_sub(history.age)
            } else {
                now
            },
            row_written_at: None,
            ended_until: None,
            retention: Retention::new(history, first.seq),
            keys: IdempotencyKeys::new(idempotency),
            has_keys_table: false,
            needs_alarm: false,
        };
        let tables = store.tables()?;
        if tables.contains(CHANNEL) {
            store.load_channel(&tables, fresh, now)?;
        }
        if tables.contains(KEYS) {
            store.load_keys(now)?;
        }
        Ok(store)
    }

    /// The names of all tables.
    fn tables(&self) -> Result<BTreeSet<String>, StorageError> {
        let rows = self.database.query(TABLES, Vec::new())?;
        let names = rows.into_iter().map(|mut row| {
            let name = row.take_text(0);
            name.ok_or_else(|| StorageError::bad_column("sqlite_master", "name"))
        });
        names.collect()
    }

    fn load_channel(
        &mut self,
        tables: &BTreeSet<String>,
        fresh: Epoch,
        now: Millis,
    ) -> Result<(), StorageError> {
        let rows = self.database.query(READ_CHANNEL, Vec::new())?;
        // The table and its row are written in one transaction.
        let row = rows
            .into_iter()
            .next()
            .ok_or_else(|| StorageError::bad_column(CHANNEL, "one"))?;
        let row = ChannelRow::read(row)?;
        let knows_next = row.next != UNKNOWN_NEXT;
        self.next = EventId {
            epoch: row.epoch,
            seq: row.next.max(1),
        };
        self.row_written_at = Some(row.time);
        self.unpublished_since = row.unpublished_since;
        self.ended_until = row.ended_until;
        self.needs_alarm = true;
        let keeps_epoch = knows_next && (self.keeps_history() || self.is_ended(now));
        if !keeps_epoch {
            self.begin_next_epoch(fresh);
            self.row_written_at = None;
            self.ended_until = None;
        }
        let has_history = [EVEN, ODD].iter().any(|table| tables.contains(table.name));
        // If the row kept its old position, an object with a history would later continue there, although events of
        // later epochs were published that are not stored.
        let is_outdated = knows_next && !keeps_epoch;
        if !self.keeps_history() && (has_history || is_outdated) {
            self.drop_history(now)?;
        }
        self.retention = Retention::new(self.history, self.next.seq);
        if has_history && self.keeps_history() {
            self.load_history(tables)?;
        }
        Ok(())
    }

    fn load_history(&mut self, tables: &BTreeSet<String>) -> Result<(), StorageError> {
        let mut found = Vec::new();
        for table in [Table::Even, Table::Odd] {
            if tables.contains(table.sql().name) {
                found.extend(self.find_rows(table)?);
            }
        }
        found.sort_by_key(|found| found.newest.last);
        if let (Some(older), Some(newer)) = (found.first(), found.last()) {
            self.retention = Retention::found(
                self.history,
                older.first,
                (newer.table, newer.first),
                newer.newest,
            );
            self.next.seq = self.next.seq.max(self.retention.next());
        }
        Ok(())
    }

    /// Reads the first event and the newest row of a table; `None` if it is empty.
    fn find_rows(&self, table: Table) -> Result<Option<FoundTable>, StorageError> {
        let sql = table.sql();
        let oldest_only = vec![0.into(), 1.into()];
        let oldest = read_heads(&*self.database, table, sql.heads, oldest_only)?;
        let newest = read_heads(&*self.database, table, sql.newest, Vec::new())?;
        let both = oldest.first().zip(newest.first());
        Ok(both.map(|(oldest, newest)| FoundTable {
            table,
            first: oldest.first,
            newest: *newest,
        }))
    }

    /// Removes the history that a deployment with other settings has left, and writes the channel's row again.
    fn drop_history(&mut self, now: Millis) -> Result<(), StorageError> {
        let mut statements = vec![self.channel_row(self.next, now, self.ended_until)];
        statements.extend([EVEN.drop, ODD.drop].map(|drop| (drop, Vec::new())));
        self.database.write(statements)?;
        self.row_written_at = Some(now);
        Ok(())
    }

    fn load_keys(&mut self, now: Millis) -> Result<(), StorageError> {
        self.has_keys_table = true;
        for row in self.database.query(READ_KEYS, Vec::new())? {
            let NewKey { key, record } = read_key(row)?;
            self.keys.add(key, record, now);
        }
        Ok(())
    }
}

fn read_key(mut row: SqlRow) -> Result<NewKey, StorageError> {
    let bad_column = |column| StorageError::bad_column(KEYS, column);
    let fingerprint = row.bytes(3).and_then(|bytes| bytes.try_into().ok());
    Ok(NewKey {
        record: KeyRecord {
            number: row.number(0).ok_or_else(|| bad_column("number"))?,
            time: row.number(1).ok_or_else(|| bad_column("time"))?,
            fingerprint: fingerprint.ok_or_else(|| bad_column("fingerprint"))?,
            receipt: row.take_text(4).ok_or_else(|| bad_column("receipt"))?,
        },
        key: row.take_text(2).ok_or_else(|| bad_column("key"))?,
    })
}
