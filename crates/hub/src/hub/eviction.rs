//! Frees memory of the log if the instance has too little.

use super::Hub;
use crate::end_reason::EndReason;
use crate::output::Output;
use crate::stream::Stream;
use crate::subscriber::Subscriber;

/// Which events of the log an eviction removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evict {
    /// The events that no stream needs from the log, because each stream was given them or can read them from the
    /// history. Nothing is dropped.
    Unneeded,
    /// All events. Before, [`Hub::readiness_to_empty`] has to return `Ready`, so that only unresponsive subscribers
    /// still need events. These subscribers read the events from the history, or else drop them, and the next receipt
    /// counts the drops.
    All,
}

impl<S: Stream> Hub<S> {
    /// Returns how many bytes of memory the log takes.
    pub fn memory(&self) -> usize {
        self.log.memory()
    }

    /// Removes events from the log, oldest first, and frees their memory. `history_covers_log` says that there is a
    /// history that holds at least the events of the log.
    pub fn evict(&mut self, which: Evict, history_covers_log: bool) {
        let tail = match which {
            Evict::All => self.log.head(),
            Evict::Unneeded => self.first_needed(history_covers_log),
        };
        if history_covers_log {
            self.replay_events_before(tail);
        }
        self.remove_before(tail);
        self.log.shrink();
    }

    /// Ends the streams that are not ready in the middle of an event, and whose subscribers are unresponsive: each
    /// keeps that event in memory. Their clients resume.
    pub fn end_streams_with_partial_events(&mut self) -> Output<S> {
        let mut output = Output::new();
        for (conn, subscriber) in &self.subscribers {
            if !subscriber.mode.is_responsive()
                && subscriber.cursor.is_in_event()
                && !subscriber.is_ready()
            {
                output.end(*conn, &subscriber.stream, EndReason::MemoryShort);
            }
        }
        self.remove_ended(&output);
        output
    }

    /// Returns the number of the first event that a subscriber needs from the log, or the head if none needs any.
    fn first_needed(&self, history_covers_log: bool) -> u64 {
        let tail = self.log.tail();
        if self.drops.lagging() > 0 {
            // After its notice, a lagging subscriber needs all events of the log.
            return tail;
        }
        let needs_log = |subscriber: &&Subscriber<S>| {
            let can_read_history = history_covers_log && !subscriber.mode.is_responsive();
            subscriber.cursor.next_seq >= tail && !can_read_history
        };
        self.subscribers
            .values()
            .filter(needs_log)
            .map(|subscriber| subscriber.cursor.next_seq)
            .min()
            .unwrap_or_else(|| self.log.head())
    }

    /// Makes the subscribers that would drop events before `tail` read them from the history until they are level.
    /// Lagging subscribers stay lagging.
    fn replay_events_before(&mut self, tail: u64) {
        let old_tail = self.log.tail();
        for subscriber in self.subscribers.values_mut() {
            if (old_tail..tail).contains(&subscriber.cursor.next_seq) {
                subscriber.mode.replay_until_level();
            }
        }
    }
}
