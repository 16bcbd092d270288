//! Memory that a hub gives back where the instance has too little.

use super::super::{Output, Stream};
use super::Hub;

/// Which of its events a hub gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evict {
    /// Events that every open stream has, or can read from the history. Nothing is dropped.
    Unneeded,
    /// All of them. To be called after [`Hub::readiness_to_empty`]: only streams that back up still need some. These read
    /// them from the history, or have dropped them, which the channel's next receipt counts.
    All,
}

impl<S: Stream> Hub<S> {
    /// How many bytes of memory the log takes.
    pub fn memory(&self) -> usize {
        self.log.memory()
    }

    /// Gives back events, oldest first, and the memory that they took. `history_covers_log` says that there is a history
    /// which holds at least what the log holds.
    pub fn evict(&mut self, which: Evict, history_covers_log: bool) {
        let tail = match which {
            Evict::All => self.log.head(),
            Evict::Unneeded => self.first_needed(history_covers_log),
        };
        if history_covers_log {
            self.read_history_before(tail);
        }
        let dropped = self.make_room(tail);
        self.dropped = self.dropped.saturating_add(dropped);
        self.unreported = self.unreported.saturating_add(dropped);
        self.log.shrink();
    }

    /// Ends the streams that back up in the middle of an event: each keeps that event in memory. Their clients resume.
    pub fn end_streams_with_partial_events(&mut self) -> Output<S> {
        let mut work = Output::new();
        for (conn, subscriber) in &self.subscribers {
            if subscriber.unresponsive
                && subscriber.place.is_in_event()
                && !subscriber.stream.is_ready()
            {
                work.ended.push((*conn, subscriber.stream.clone()));
            }
        }
        for (conn, _) in &work.ended {
            self.leave(*conn);
        }
        work
    }

    /// Gives up all streams and events. To be called where the streams are gone already.
    pub fn clear(&mut self) {
        let next = self.next_id();
        self.subscribers.clear();
        self.expiring.clear();
        self.changes.clear();
        self.log.begin_again(next);
    }

    /// The number of the first event that some stream needs out of the log, the head where none does.
    fn first_needed(&self, history_covers_log: bool) -> u64 {
        let tail = self.log.tail();
        if self.lagging > 0 {
            // They need all of it, as soon as they were told what they have dropped.
            return tail;
        }
        let needing = self.subscribers.values().filter(|subscriber| {
            subscriber.place.cursor >= tail && !(subscriber.unresponsive && history_covers_log)
        });
        let cursors = needing.map(|subscriber| subscriber.place.cursor);
        cursors.min().unwrap_or_else(|| self.log.head())
    }

    /// Has the streams that would drop the events before `tail` read them from the history, until they are level. Those
    /// that have dropped events already, and were not told yet, go on dropping.
    fn read_history_before(&mut self, tail: u64) {
        let old_tail = self.log.tail();
        for subscriber in self.subscribers.values_mut() {
            if (old_tail..tail).contains(&subscriber.place.cursor) {
                subscriber.place.reads_history = true;
            }
        }
    }
}
