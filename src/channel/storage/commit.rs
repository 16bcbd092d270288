//! Writes a group of publishes to the storage, all or nothing.

use super::engine::{Sql, SqlValue, Statement};
use super::error::StorageError;
use super::retention::{Row, Table};
use super::sql::CREATE_KEYS;
use super::{NewKey, Store};
use sse_hub::Millis;
use sse_hub::sse::{Batch, EventId, MAX_ENCODED_EVENT};

impl<D: Sql> Store<D> {
    /// Writes the events of `batches` with the next ids, the keys of the publishes that have one, and whether the
    /// channel `ends` after them. If this fails, neither the storage nor this value has changed. The writes are durable
    /// after the database's `sync`. Returns whether there was anything to write.
    pub fn commit(
        &mut self,
        batches: &[&Batch],
        keys: Vec<NewKey>,
        ends: bool,
        now: Millis,
    ) -> Result<bool, StorageError> {
        let mut statements = Vec::new();
        let events = batches.iter().map(|batch| batch.events as u64);
        let next = EventId {
            seq: events.fold(self.next.seq, u64::saturating_add),
            ..self.next
        };
        let ended_until = ends.then(|| self.stays_ended_until(now));
        let writes = self.keeps_history() || !keys.is_empty();
        let changes_end = ends || self.ended_until.is_some();
        let needs_channel_row = changes_end || (writes && self.row_written_at.is_none());
        if needs_channel_row {
            statements.extend(self.insert_channel_row(next, now, ended_until));
        }
        let mut added = Vec::new();
        let mut table = Table::default();
        if self.keeps_history() && next != self.next {
            table = self.prepare_table(&mut statements, now)?;
            for (row, wire) in self.rows(batches, now) {
                let head = [row.last, row.first, row.time, row.start].map(SqlValue::from);
                let values = head.into_iter().chain([SqlValue::Blob(wire)]);
                statements.push((table.sql().insert, values.collect()));
                added.push(row);
            }
        }
        if !keys.is_empty() && !self.has_keys_table {
            statements.push((CREATE_KEYS, Vec::new()));
        }
        statements.extend(keys.iter().map(|key| self.key_row(key)));
        let wrote = !statements.is_empty();
        if wrote {
            self.database.write(statements)?;
        }
        if needs_channel_row {
            self.channel_row_inserted(now, ended_until);
        }
        for row in added {
            self.retention.added(table, row);
        }
        self.has_keys_table |= !keys.is_empty();
        for NewKey { key, record } in keys {
            self.keys.add(key, record, now);
        }
        self.next = next;
        Ok(wrote)
    }

    /// Chooses the table for the next rows, and adds the statements that empty or create it.
    fn prepare_table(
        &mut self,
        statements: &mut Vec<Statement>,
        now: Millis,
    ) -> Result<Table, StorageError> {
        let held_from = self.held_from(now)?;
        let (table, must_be_emptied) = self.retention.target(held_from);
        let sql = table.sql();
        if must_be_emptied {
            statements.push((sql.drop, Vec::new()));
        }
        if must_be_emptied || !self.retention.has_table() {
            statements.push((sql.create, Vec::new()));
        }
        Ok(table)
    }

    /// Groups the events of `batches` into rows. There is one row, or several if a single one would be too large.
    fn rows(&self, batches: &[&Batch], now: Millis) -> Vec<(Row, Vec<u8>)> {
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
                previous => {
                    let start = match previous {
                        Some((row, _)) => row.start.saturating_add(row.bytes),
                        None => self.retention.end(),
                    };
                    let row = Row {
                        first: next,
                        last: next,
                        time: now,
                        start,
                        bytes: event.len() as u64,
                    };
                    rows.push((row, event.as_bytes().to_vec()));
                }
            }
            next = next.saturating_add(1);
        }
        rows
    }
}
