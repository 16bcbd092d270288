//! Counts events and streams.

use crate::ConnId;

/// The counters of a channel that only grow.
#[derive(Debug, Default)]
pub struct Counters {
    /// The number of streams opened.
    connected: u64,
    /// The number of the newest stream.
    newest: ConnId,
    /// The number of events published.
    published: u64,
}

impl Counters {
    /// Counts a stream. Returns its number.
    pub fn next_conn_id(&mut self) -> ConnId {
        self.connected = self.connected.saturating_add(1);
        self.newest = self.newest.saturating_add(1);
        self.newest
    }

    /// Notes that a stream with the number `conn` has outlasted the sleep of its object. Newer streams get larger
    /// numbers.
    pub fn continue_after(&mut self, conn: ConnId) {
        self.newest = self.newest.max(conn);
    }

    /// Counts published events.
    pub fn count_events(&mut self, events: usize) {
        self.published = self.published.saturating_add(events as u64);
    }

    /// Returns the number of streams opened.
    pub fn connected(&self) -> u64 {
        self.connected
    }

    /// Returns the number of events published.
    pub fn published(&self) -> u64 {
        self.published
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_numbered_from_1_and_events_are_summed() {
        let mut counters = Counters::default();
        assert_eq!([counters.next_conn_id(), counters.next_conn_id()], [1, 2]);
        counters.count_events(3);
        counters.count_events(4);
        assert_eq!((counters.connected(), counters.published()), (2, 7));
        counters.continue_after(9);
        counters.continue_after(4);
        assert_eq!((counters.next_conn_id(), counters.connected()), (10, 3));
    }
}
