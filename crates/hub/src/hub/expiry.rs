//! Which streams end at a known time.

use std::collections::BTreeSet;

use crate::{ConnId, Millis};

/// The streams that end at a known time, ordered by that time.
#[derive(Debug, Default)]
pub struct Expiry(BTreeSet<(Millis, ConnId)>);

impl Expiry {
    /// Adds a stream that ends at `expires`.
    pub fn insert(&mut self, expires: Millis, conn: ConnId) {
        self.0.insert((expires, conn));
    }

    /// Removes a stream that was added with the same time.
    pub fn remove(&mut self, expires: Millis, conn: ConnId) {
        self.0.remove(&(expires, conn));
    }

    /// Removes all streams.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the time at which the next stream ends.
    pub fn next(&self) -> Option<Millis> {
        self.0.first().map(|(expires, _)| *expires)
    }

    /// Returns the streams that end at `now` or before. They stay until they are removed.
    pub fn expired(&self, now: Millis) -> Vec<ConnId> {
        self.0
            .iter()
            .take_while(|(expires, _)| *expires <= now)
            .map(|(_, conn)| *conn)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_expire_at_their_times_in_order() {
        let mut expiry = Expiry::default();
        assert_eq!((expiry.next(), expiry.expired(u64::MAX)), (None, vec![]));
        expiry.insert(20, 1);
        expiry.insert(10, 2);
        expiry.insert(20, 3);
        assert_eq!(expiry.next(), Some(10));
        assert!(expiry.expired(9).is_empty());
        assert_eq!(expiry.expired(10), [2]);
        assert_eq!(expiry.expired(20), [2, 1, 3]);
        expiry.remove(10, 2);
        assert_eq!((expiry.next(), expiry.expired(20)), (Some(20), vec![1, 3]));
        expiry.clear();
        assert_eq!(expiry.next(), None);
    }
}
