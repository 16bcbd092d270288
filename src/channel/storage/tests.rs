//! Tests of the store on a real SQLite.

mod failures;
mod history;
mod keys;
mod lifetime;
mod model;

use std::rc::Rc;

use super::idempotency::fingerprint;
use super::sqlite::Sqlite;
use super::*;
use crate::channel::storage::idempotency::KeyRecord;
use sse_hub::sse::{self, Batch, Epoch};

const HISTORY: HistoryLimits = HistoryLimits {
    events: 10,
    age: 1_000,
    bytes: 1_000,
};

const NO_EVENTS: HistoryLimits = HistoryLimits {
    events: 0,
    ..HISTORY
};

const KEYS: IdempotencyLimits = IdempotencyLimits { age: 500, keys: 3 };

/// When the first store of each test is loaded.
const START: Millis = 10_000;

const HOUR: Millis = 3_600_000;

/// A database, and the store of the object that has it open.
struct Channel {
    database: Rc<Sqlite>,
    store: Store<Sqlite>,
}

impl Channel {
    fn new(history: HistoryLimits) -> Self {
        let database = Rc::new(Sqlite::new());
        let store = Store::load(database.clone(), history, KEYS, epoch(START), START).unwrap();
        Self { database, store }
    }

    /// Loads the store again, with other limits.
    fn restart_with(&mut self, history: HistoryLimits, now: Millis) {
        self.store = Store::load(self.database.clone(), history, KEYS, epoch(now), now).unwrap();
    }

    fn restart(&mut self, now: Millis) {
        self.restart_with(self.store.history, now);
    }

    /// The error of a store that cannot be loaded.
    fn load_error(&self) -> StorageError {
        let loaded = Store::load(self.database.clone(), HISTORY, KEYS, epoch(START), START);
        loaded.err().unwrap()
    }

    /// Commits one publish for each of `data`, as one group.
    fn try_commit(
        &mut self,
        data: &[&str],
        keys: Vec<NewKey>,
        now: Millis,
    ) -> Result<bool, StorageError> {
        let batches: Vec<Batch> = data.iter().map(|data| batch(data)).collect();
        let batches: Vec<&Batch> = batches.iter().collect();
        self.store.commit(&batches, keys, false, now)
    }

    fn commit(&mut self, data: &[&str], now: Millis) {
        assert!(self.try_commit(data, Vec::new(), now).unwrap());
    }

    /// Ends the channel after an event for each of `data`, in one commit.
    fn end(&mut self, data: &[&str], now: Millis) {
        let batches: Vec<Batch> = data.iter().map(|data| batch(data)).collect();
        let batches: Vec<&Batch> = batches.iter().collect();
        assert!(self.store.commit(&batches, Vec::new(), true, now).unwrap());
    }

    fn commit_with_key(&mut self, key: &str, now: Millis) {
        let keys = vec![self.new_key(key, now)];
        assert!(self.try_commit(&[key], keys, now).unwrap());
    }

    fn new_key(&self, key: &str, now: Millis) -> NewKey {
        let record = KeyRecord {
            fingerprint: fingerprint(key, false),
            time: now,
            receipt: format!("receipt of {key}"),
            number: self.store.next_key_number(),
        };
        NewKey {
            key: key.to_owned(),
            record,
        }
    }

    /// The data of all events that the history holds.
    fn held(&mut self, now: Millis) -> Vec<String> {
        let mut seq = self.store.tail(now).unwrap().unwrap();
        let mut held = Vec::new();
        while seq < self.store.next_id().seq {
            let page = self.store.page(seq).unwrap();
            assert!(page.first <= seq);
            let skipped = usize::try_from(seq - page.first).unwrap();
            let events = sse::parse(&page.wire);
            assert!(events.len() > skipped, "no progress");
            seq = page.first + events.len() as u64;
            held.extend(events.into_iter().skip(skipped).map(|event| event.data));
        }
        held
    }

    fn receipt(&self, key: &str, now: Millis) -> Option<&str> {
        let record = self.store.key_record(key, now)?;
        assert_eq!(record.fingerprint, fingerprint(key, false));
        Some(&record.receipt)
    }

    /// Everything about the store that is visible from outside, to compare it before and after a step.
    fn snapshot(&mut self, now: Millis) -> String {
        let held = self.held(now);
        let stats = self.store.stats(now).unwrap();
        format!(
            "{:?} {held:?} {:?} {} {} {:?} {} {}",
            self.store.next_id(),
            stats.map(|stats| (stats.oldest, stats.events, stats.bytes)),
            self.store.is_ended(now),
            self.store.unpublished_since(),
            self.store.keys,
            self.store.needed_until(),
            self.database.dump(),
        )
    }
}

/// The epoch that begins at `began`.
fn epoch(began: Millis) -> Epoch {
    Epoch::new(began, 0)
}

fn batch(data: &str) -> Batch {
    Batch::from_wire(format!("data: {data}\n\n"))
}
