//! Keys of publishes that were committed: the same key is answered with the same receipt. Pure.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};

use crate::settings::IdempotencyLimits;
use sse_hub::Millis;

/// What a publisher sent with a key: the same key may only ever come with the same.
pub type Fingerprint = [u8; 32];

/// Of a publish's events, as they are encoded: data and types, whichever way they were sent.
pub fn fingerprint(wire: &str) -> Fingerprint {
    Sha256::digest(wire).into()
}

/// A publish that was committed under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Of what was published.
    pub fingerprint: Fingerprint,
    /// When that was.
    pub time: Millis,
    /// The receipt, as JSON.
    pub receipt: String,
    /// Counted up from key to key.
    pub number: u64,
}

/// The keys that are remembered: so many, for so long.
#[derive(Debug)]
pub struct Keys {
    limits: IdempotencyLimits,
    by_key: HashMap<String, Published>,
    /// The keys by number, oldest first. One that was forgotten and came back stands here twice.
    order: VecDeque<(u64, String)>,
    next: u64,
}

impl Keys {
    /// None yet.
    pub fn new(limits: IdempotencyLimits) -> Self {
        Self {
            limits,
            by_key: HashMap::new(),
            order: VecDeque::new(),
            next: 0,
        }
    }

    /// The number that the next key gets.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Replaces the receipt that is remembered of `key`. Returns the key's number.
    pub fn correct(&mut self, key: &str, receipt: &str) -> Option<u64> {
        let published = self.by_key.get_mut(key)?;
        published.receipt = receipt.to_owned();
        Some(published.number)
    }

    /// What was published under `key`, if that is remembered at `now`.
    pub fn get(&self, key: &str, now: Millis) -> Option<&Published> {
        let published = self.by_key.get(key)?;
        self.is_young(published.time, now).then_some(published)
    }

    fn is_young(&self, time: Millis, now: Millis) -> bool {
        now.saturating_sub(time) < self.limits.age
    }

    /// Remembers `key`. Numbers have to grow from call to call.
    pub fn add(&mut self, key: String, published: Published, now: Millis) {
        self.next = published.number.saturating_add(1);
        self.order.push_back((published.number, key.clone()));
        self.by_key.insert(key, published);
        while let Some((number, key)) = self.order.front() {
            let known = self.by_key.get(key).filter(|known| known.number == *number);
            let many = self.next.saturating_sub(*number) > self.limits.keys;
            if !many && known.is_some_and(|known| self.is_young(known.time, now)) {
                break;
            }
            if known.is_some() {
                self.by_key.remove(key);
            }
            self.order.pop_front();
        }
    }

    /// When the last of them may be forgotten, if there is one.
    pub fn until(&self) -> Option<Millis> {
        let (_, key) = self.order.back()?;
        let published = self.by_key.get(key)?;
        Some(published.time.saturating_add(self.limits.age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: IdempotencyLimits = IdempotencyLimits { age: 100, keys: 3 };

    fn add(keys: &mut Keys, key: &str, now: Millis) {
        let number = keys.next();
        let published = Published {
            fingerprint: fingerprint(key),
            time: now,
            receipt: format!("{{\"{key}\"}}"),
            number,
        };
        keys.add(key.to_owned(), published, now);
    }

    #[test]
    fn the_oldest_goes_first() {
        let mut keys = Keys::new(LIMITS);
        for key in ["a", "b", "c", "d", "e"] {
            add(&mut keys, key, 0);
        }
        assert!(keys.get("a", 0).is_none() && keys.get("b", 0).is_none());
        for key in ["c", "d", "e"] {
            assert_eq!(keys.get(key, 0).unwrap().receipt, format!("{{\"{key}\"}}"));
        }
        assert_eq!(keys.by_key.len(), 3);
        assert_eq!(keys.order.len(), 3);
    }

    #[test]
    fn a_key_is_forgotten_in_time_and_may_come_back() {
        let mut keys = Keys::new(LIMITS);
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
    fn a_receipt_can_be_corrected() {
        let mut keys = Keys::new(LIMITS);
        add(&mut keys, "a", 0);
        add(&mut keys, "b", 0);
        assert_eq!(keys.correct("b", "{}"), Some(1));
        assert_eq!(keys.get("b", 0).unwrap().receipt, "{}");
        assert_eq!(keys.correct("c", "{}"), None);
    }

    #[test]
    fn fingerprints_tell_events_apart() {
        assert_eq!(fingerprint("data: a\n\n"), fingerprint("data: a\n\n"));
        assert_ne!(fingerprint("data: a\n\n"), fingerprint("data: b\n\n"));
    }
}
