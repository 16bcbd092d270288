//! What has to hold in the model after each step, and at the end.

use super::{EventId, MAX_CHUNK, Model};
use crate::Change;
use crate::feed::WINDOW_BYTES;
use crate::history::History;

impl Model {
    /// Checks the bounds of the log, what every client has read, and the counters.
    pub fn check(&mut self) {
        assert!(self.hub.log.bytes() <= self.limits.buffer_bytes);
        let held = self.hub.log.head() - self.hub.log.tail();
        assert!(held <= self.limits.buffer_events as u64);
        let tail = self.history.tail(self.now).unwrap();
        let oldest_held = tail.unwrap_or(self.hub.log.tail());
        let fails = std::mem::take(&mut self.history.fails);
        let mut dropped = self.dropped_without_notice;
        for (index, client) in self.clients.iter().enumerate() {
            let account = self.account(index);
            dropped += account.dropped;
            let expired = client.expires.is_some_and(|at| at <= self.now);
            assert!(!account.expired || (expired && !client.open));
            for to in account.gaps {
                let gone = to.epoch < self.hub.log.epoch() || to.seq < oldest_held;
                assert!(gone || account.ended, "a gap has only events that are gone");
            }
            if !client.open {
                continue;
            }
            let subscriber = &self.hub.subscribers[&client.conn];
            dropped += subscriber.lag(self.hub.log.tail());
            let last = account.last.map_or(0, |last| last.seq);
            assert!(last < subscriber.cursor.next_seq);
        }
        assert_eq!(self.receipts_dropped + self.hub.drops.unreported(), dropped);
        let lagging = self.lags().values().filter(|lag| **lag > 0).count();
        assert_eq!(self.hub.drops.lagging(), lagging as u64);
        self.check_sleep();
        self.check_changes();
        self.check_pages(oldest_held);
        self.history.fails = fails;
    }

    /// Checks that pages of events hold the events that were published with their ids.
    fn check_pages(&mut self, tail: u64) {
        let EventId { epoch, seq: head } = self.hub.next_id();
        for from in [tail, tail.midpoint(head), head.saturating_sub(1)] {
            let from = from.clamp(tail.min(head), head);
            let page = self
                .hub
                .read_events(from, 3, 1 << 20, &mut self.history)
                .unwrap();
            assert_eq!(page.len() as u64, (head - from).min(3));
            for (seq, (id, wire)) in (from..).zip(page) {
                assert_eq!(id, EventId { epoch, seq });
                let data = &self.published[&epoch][seq as usize - 1];
                assert_eq!(wire, format!("data: {data}\n\n"));
            }
        }
    }

    /// Checks that the object may sleep only while all streams are feeds that are level and whose windows are open, and
    /// that feeds stay within their windows.
    fn check_sleep(&self) {
        let open = self.clients.iter().filter(|client| client.open);
        let mut is_idle = self.hub.flush_at().is_none();
        for client in open {
            let waiting = client.stream.waiting();
            assert!(!client.is_feed || waiting <= WINDOW_BYTES);
            is_idle &= client.is_feed && waiting < WINDOW_BYTES - MAX_CHUNK;
        }
        let is_empty = self.hub.subscribers() == 0;
        assert_eq!(self.hub.next_poll().is_none(), is_idle || is_empty);
    }

    /// Checks that each subscriber starts to drop and catches up in turn.
    fn check_changes(&mut self) {
        for change in self.hub.take_changes() {
            match change {
                Change::StartedDropping(conn) => assert!(self.dropping.insert(conn)),
                Change::CaughtUp(conn, dropped) => {
                    assert!(self.dropping.remove(&conn));
                    self.caught_up += dropped;
                }
            }
        }
        self.dropping
            .retain(|conn| self.hub.subscribers.contains_key(conn));
        assert_eq!(self.hub.stats().busy, self.dropping.len());
    }

    /// All clients read until nothing is left. Checks that each has every event, or a notice in its place.
    pub fn drain(&mut self) {
        self.history.fails = false;
        self.append_all();
        for _ in 0..2_000 {
            for index in 0..self.clients.len() {
                self.take(index);
            }
            let Some(at) = self.hub.flush_at() else { break };
            self.now = self.now.max(at);
            self.poll();
        }
        assert_eq!(self.hub.flush_at(), None, "the flushes come to an end");
        self.check();
        let newest = self.hub.log.newest();
        for (index, client) in self.clients.iter().enumerate() {
            assert!(!client.open || self.account(index).last == Some(newest));
            assert!(
                !(client.open && self.hub.has_ended()),
                "every stream has ended"
            );
            let subscriber = self.hub.subscribers.get(&client.conn);
            assert!(
                subscriber.is_none_or(|it| it.mode.is_responsive()),
                "publishers wait for a subscriber that is level"
            );
        }
        assert_eq!(self.hub.stats().busy, 0);
        let dropped = self.dropped_before_restart + self.hub.stats().dropped;
        let reported = self.receipts_dropped + self.hub.drops.unreported();
        assert_eq!(dropped, reported);
        if self.clients.iter().all(|client| client.open) {
            assert_eq!(self.caught_up, reported);
        }
        for client in 0..self.clients.len() {
            self.leave(client);
        }
        assert_eq!(
            self.hub.next_poll(),
            None,
            "without streams, nothing is due"
        );
    }
}
