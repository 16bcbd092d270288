//! The keys of publishes in the storage.

use worker::SqlStorageValue;

use super::database::{Statement, StorageError, number};
use super::idempotency::Published;
use super::sql::{CORRECT_RECEIPT, WRITE_KEY};
use super::{KeyedPublish, Store};
use sse_hub::Millis;

impl Store {
    /// What was published under `key`, if that is remembered.
    pub fn published(&self, key: &str, now: Millis) -> Option<&Published> {
        self.keys.get(key, now)
    }

    /// What writes a key.
    pub(super) fn key_row(&self, keyed: &KeyedPublish) -> Statement {
        let KeyedPublish { key, published } = keyed;
        let values = vec![
            number(self.slot(published.number)),
            number(published.number),
            number(published.time),
            SqlStorageValue::String(key.clone()),
            SqlStorageValue::Blob(published.fingerprint.to_vec()),
            SqlStorageValue::String(published.receipt.clone()),
        ];
        (WRITE_KEY, values)
    }

    /// Where a key is stored: in place of the one that is forgotten for it.
    fn slot(&self, key_number: u64) -> u64 {
        key_number
            .checked_rem(self.idempotency.keys)
            .unwrap_or_default()
    }

    /// The number for the next key.
    pub fn next_key(&self) -> u64 {
        self.keys.next()
    }

    /// Replaces the receipt under `key`, which turned out to be another one than was committed.
    pub fn correct_receipt(&mut self, key: &str, receipt: &str) -> Result<(), StorageError> {
        let Some(number_of_key) = self.keys.correct(key, receipt) else {
            return Ok(());
        };
        let values = vec![
            SqlStorageValue::String(receipt.to_owned()),
            number(self.slot(number_of_key)),
            number(number_of_key),
        ];
        self.database.write(vec![(CORRECT_RECEIPT, values)])
    }
}
