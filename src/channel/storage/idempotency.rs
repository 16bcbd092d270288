//! The idempotency keys of committed publishes. A repeated publish is answered with the receipt of the first one. Pure.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};

use crate::settings::IdempotencyLimits;
use sse_hub::Millis;

/// The hash of a publish's events, and of whether it ends the channel. A key may only be repeated for the same publish.
pub type Fingerprint = [u8; 32];

/// Hashes encoded events, and whether the channel ends after them. Two requests have the same fingerprint if they do
/// the same and have the same data and types, in whatever form they were sent.
pub fn fingerprint(wire: &str, ends: bool) -> Fingerprint {
    let mut hash = Sha256::new_with_prefix(wire);
    if ends {
        // Encoded events end with a blank line, so no events end like this.
        hash.update("end");
    }
    hash.finalize().into()
}

/// The record of a publish that was committed under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The hash of the events.
    pub fingerprint: Fingerprint,
    /// When the publish was committed.
    pub time: Millis,
    /// The receipt as JSON.
    pub receipt: String,
    /// The number of the key. Every key gets the next number.
    pub number: u64,
}

/// The keys that are remembered, bounded in number and age.
#[derive(Debug)]
pub struct IdempotencyKeys {
    limits: IdempotencyLimits,
    by_key: HashMap<String, KeyRecord>,
    /// The keys with their numbers, oldest first. A key that was used again after it was too old is listed twice.
    by_number: VecDeque<(u64, String)>,
    next_number: u64,
}

impl IdempotencyKeys {
    /// No keys.
    pub fn new(limits: IdempotencyLimits) -> Self {
        Self {
            limits,
            by_key: HashMap::new(),
            by_number: VecDeque::new(),
            next_number: 0,
        }
    }

    /// The number for the next key.
    pub fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Replaces the receipt of `key`. Returns the key's number.
    pub fn correct(&mut self, key: &str, receipt: &str) -> Option<u64> {
        let record = self.by_key.get_mut(key)?;
        record.receipt = receipt.to_owned();
        Some(record.number)
    }

    /// Returns the record of `key`, if it is still remembered at `now`.
    pub fn get(&self, key: &str, now: Millis) -> Option<&KeyRecord> {
        let record = self.by_key.get(key)?;
        self.is_young(record.time, now).then_some(record)
    }

    fn is_young(&self, time: Millis, now: Millis) -> bool {
        now.saturating_sub(time) < self.limits.age
    }

    /// Adds `key`, and forgets keys that are too old or too many. The numbers of the records have to increase.
    pub fn add(&mut self, key: String, record: KeyRecord, now: Millis) {
        debug_assert!(record.number >= self.next_number);
        self.next_number = record.number.saturating_add(1);
        self.by_number.push_back((record.number, key.clone()));
        self.by_key.insert(key, record);
        while let Some((number, key)) = self.by_number.front() {
            let record = self.by_key.get(key);
            let current = record.filter(|record| record.number == *number);
            let is_too_many = self.next_number.saturating_sub(*number) > self.limits.keys;
            if !is_too_many && current.is_some_and(|record| self.is_young(record.time, now)) {
                break;
            }
            if current.is_some() {
                self.by_key.remove(key);
            }
            self.by_number.pop_front();
        }
    }

    /// Until when the newest key is remembered, if there is one.
    pub fn until(&self) -> Option<Millis> {
        let (_, key) = self.by_number.back()?;
        let record = self.by_key.get(key)?;
        Some(record.time.saturating_add(self.limits.age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: IdempotencyLimits = IdempotencyLimits { age: 100, keys: 3 };

    fn add(keys: &mut IdempotencyKeys, key: &str, now: Millis) {
        let number = keys.next_number();
        let record = KeyRecord {
            fingerprint: fingerprint(key, false),
            time: now,
            receipt: format!("{{\"{key}\"}}"),
            number,
        };
        keys.add(key.to_owned(), record, now);
    }

    #[test]
    fn the_oldest_key_is_forgotten_when_there_are_too_many() {
        let mut keys = IdempotencyKeys::new(LIMITS);
        for key in ["a", "b", "c", "d", "e"] {
            add(&mut keys, key, 0);
        }
        assert!(keys.get("a", 0).is_none() && keys.get("b", 0).is_none());
        for key in ["c", "d", "e"] {
            assert_eq!(keys.get(key, 0).unwrap().receipt, format!("{{\"{key}\"}}"));
        }
        assert_eq!(keys.by_key.len(), 3);
        assert_eq!(keys.by_number.len(), 3);
    }

    #[test]
    fn a_key_is_forgotten_when_it_is_too_old_and_can_be_used_again() {
        let mut keys = IdempotencyKeys::new(LIMITS);
        assert_eq!(keys.until(), None);
        add(&mut keys, "a", 0);
        add(&mut keys, "b", 50);
        assert_eq!(keys.until(), Some(150));
        assert!(keys.get("a", 99).is_some());
        assert!(keys.get("a", 100).is_none());
        add(&mut keys, "a", 120);
        assert_eq!(keys.get("a", 120).unwrap().number, 2);
        assert!(keys.get("b", 149).is_some());
        add(&mut keys, "c", 200);
        assert_eq!(keys.by_key.len(), 2);
        assert!(keys.get("a", 200).is_some() && keys.get("c", 200).is_some());
    }

    #[test]
    fn the_receipt_of_a_key_can_be_corrected() {
        let mut keys = IdempotencyKeys::new(LIMITS);
        add(&mut keys, "a", 0);
        add(&mut keys, "b", 0);
        assert_eq!(keys.correct("b", "{}"), Some(1));
        assert_eq!(keys.get("b", 0).unwrap().receipt, "{}");
        assert_eq!(keys.correct("c", "{}"), None);
    }

    #[test]
    fn different_events_have_different_fingerprints() {
        let of = |data, ends| fingerprint(&format!("data: {data}\n\n"), ends);
        assert_eq!(of("a", false), of("a", false));
        assert_ne!(of("a", false), of("b", false));
        assert_ne!(of("a", false), of("a", true));
    }
}
