//! Idempotency keys in the storage.

use super::Store;
use super::engine::{Sql, SqlValue, Statement};
use super::error::StorageError;
use super::idempotency::KeyRecord;
use super::sql::{CORRECT_RECEIPT, WRITE_KEY};
use sse_hub::Millis;

/// A key that is about to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// The key.
    pub key: String,
    /// The record of the publish that has the key.
    pub record: KeyRecord,
}

impl<D: Sql> Store<D> {
    /// Returns the record of the publish that was committed under `key`, if it is still remembered.
    pub fn key_record(&self, key: &str, now: Millis) -> Option<&KeyRecord> {
        self.keys.get(key, now)
    }

    /// The statement that writes a key.
    pub(super) fn key_row(&self, NewKey { key, record }: &NewKey) -> Statement {
        let values = vec![
            self.slot(record.number).into(),
            record.number.into(),
            record.time.into(),
            SqlValue::Text(key.clone()),
            SqlValue::Blob(record.fingerprint.to_vec()),
            SqlValue::Text(record.receipt.clone()),
        ];
        (WRITE_KEY, values)
    }

    /// The slot for a key. Each key takes the slot of the one that is forgotten for it.
    fn slot(&self, key_number: u64) -> u64 {
        // `IDEMPOTENCY_KEYS` is at least 1.
        key_number
            .checked_rem(self.idempotency.keys)
            .unwrap_or_default()
    }

    /// The number for the next key.
    pub fn next_key_number(&self) -> u64 {
        self.keys.next_number()
    }

    /// Replaces the receipt under `key`, because streams have dropped events or have come or gone since the commit.
    pub fn correct_receipt(&mut self, key: &str, receipt: &str) -> Result<(), StorageError> {
        let Some(key_number) = self.keys.correct(key, receipt) else {
            return Ok(());
        };
        let values = vec![
            SqlValue::Text(receipt.to_owned()),
            self.slot(key_number).into(),
            key_number.into(),
        ];
        self.database.write(vec![(CORRECT_RECEIPT, values)])
    }
}
