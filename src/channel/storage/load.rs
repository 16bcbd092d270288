//! What an object finds in its storage when it starts.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::database::{Database, StorageError, number};
use super::idempotency::{Keys, Published};
use super::retention::{Retention, Table};
use super::sql::{EVEN, NO_HISTORY, ODD, READ_CHANNEL, READ_KEYS, TABLES};
use super::{Store, read_rows};
use crate::settings::Settings;
use sse_hub::Millis;
use sse_hub::sse::EventId;

impl Store {
    /// What is found in `database`.
    pub fn load(
        database: Rc<Database>,
        settings: &Settings,
        now: Millis,
    ) -> Result<Self, StorageError> {
        let first = EventId { epoch: now, seq: 1 };
        let mut store = Self {
            database,
            history: settings.history,
            idempotency: settings.idempotency,
            next: first,
            // Whatever was published later than that would still be stored; without a history, nobody knows.
            unpublished_since: if settings.history.events > 0 {
                now.saturating_sub(settings.history.age)
            } else {
                now
            },
            born: None,
            ended_until: None,
            retention: Retention::new(settings.history, first.seq),
            keys: Keys::new(settings.idempotency),
            has_keys_table: false,
            needs_alarm: false,
        };
        let mut tables = BTreeSet::new();
        for mut table in store.database.query(TABLES, Vec::new())? {
            tables.extend(table.text(0));
        }
        if tables.contains("channel") {
            store.load_channel(&tables, now)?;
        }
        if tables.contains("idempotency_keys") {
            store.load_keys(now)?;
        }
        Ok(store)
    }

    fn load_channel(&mut self, tables: &BTreeSet<String>, now: Millis) -> Result<(), StorageError> {
        let rows = self.database.query(READ_CHANNEL, Vec::new())?;
        let Some(row) = rows.first() else {
            return Ok(());
        };
        let column = |column| row.number(column).unwrap_or_default();
        let ended_until = row.number(3);
        let had_history = column(1) != NO_HISTORY;
        self.next = EventId {
            epoch: column(0),
            seq: column(1).max(1),
        };
        self.born = Some(column(2));
        self.unpublished_since = column(4);
        self.needs_alarm = true;
        self.ended_until = ended_until;
        let goes_on = had_history && self.keeps_history();
        if !goes_on && !self.is_ended(now) {
            self.begin_next_epoch(now);
            self.born = None;
            self.ended_until = None;
            if had_history {
                self.drop_history(now)?;
            }
        }
        self.retention = Retention::new(self.history, self.next.seq);
        let mut found = Vec::new();
        for table in [Table::Even, Table::Odd] {
            let sql = table.sql();
            if goes_on && tables.contains(sql.name) {
                let first = read_rows(&self.database, sql.heads, vec![number(0), number(1)])?;
                let newest = read_rows(&self.database, sql.newest, Vec::new())?;
                found.extend(
                    first
                        .first()
                        .zip(newest.first())
                        .map(|(first, newest)| (table, first.first, *newest)),
                );
            }
        }
        found.sort_by_key(|(.., newest)| newest.last);
        if let (Some((_, first, _)), Some((table, in_newer, newest))) =
            (found.first(), found.last())
        {
            self.retention = Retention::found(self.history, *first, (*table, *in_newer), *newest);
            self.next.seq = self.next.seq.max(self.retention.next());
        }
        Ok(())
    }

    /// What an earlier deployment left is of no use without a history.
    fn drop_history(&mut self, now: Millis) -> Result<(), StorageError> {
        let mut statements = vec![self.channel_row(now, None)];
        statements.extend([EVEN.drop, ODD.drop].map(|drop| (drop, Vec::new())));
        self.database.write(statements)?;
        self.born = Some(now);
        Ok(())
    }

    fn load_keys(&mut self, now: Millis) -> Result<(), StorageError> {
        self.has_keys_table = true;
        for mut row in self.database.query(READ_KEYS, Vec::new())? {
            let fingerprint = row.bytes(3).and_then(|bytes| bytes.try_into().ok());
            let (Some(number), Some(time)) = (row.number(0), row.number(1)) else {
                continue;
            };
            if let (Some(key), Some(fingerprint), Some(receipt)) =
                (row.text(2), fingerprint, row.text(4))
            {
                let published = Published {
                    fingerprint,
                    time,
                    receipt,
                    number,
                };
                self.keys.add(key, published, now);
            }
        }
        Ok(())
    }
}
