//! One open stream: a place in the log, and what it has missed.

use super::cursor::{Chunk, Cursor};
use super::{JoinOptions, Millis};

/// A stream and its place in the channel. Four things happen to it: events leave the log before it had them
/// ([`start_dropping`](Self::start_dropping)), it is not ready when the others are served
/// ([`pass_over`](Self::pass_over)), it is served ([`served`](Self::served)), and it is kept alive
/// ([`wrote_heartbeat`](Self::wrote_heartbeat)).
#[derive(Debug)]
pub struct Subscriber<S> {
    /// Where its chunks go.
    pub stream: S,
    /// What it is due next.
    pub place: Cursor,
    /// It asked for what it was too slow for to come out of the history, always; others only until they are level
    /// once.
    catch_up: bool,
    /// When it is ended, where that is known.
    pub expires: Option<Millis>,
    /// Set from the first event dropped until it has caught up with the log's head.
    pub busy: bool,
    /// How many events it was told to have dropped since it became busy.
    told: u64,
    /// Set where it was seen not to take a chunk in a whole turn of the event loop, until it has caught up: no
    /// publisher waits for it.
    pub unresponsive: bool,
    /// The size of the last chunk written to it, in bytes.
    pub chunk_bytes: usize,
    /// When it was last written to.
    pub written_at: Millis,
    /// The turn of the event loop in which that was.
    pub written_in: u64,
    /// Since when events (or its opening block) have waited for it to take them, as far as is known.
    waiting_since: Option<Millis>,
}

impl<S> Subscriber<S> {
    /// A stream that has just opened, its opening block written.
    pub fn new(stream: S, place: Cursor, options: &JoinOptions, now: Millis, turn: u64) -> Self {
        Self {
            stream,
            place,
            catch_up: options.history && options.catch_up,
            expires: options.expires,
            busy: false,
            told: 0,
            unresponsive: false,
            chunk_bytes: 0,
            written_at: now,
            written_in: turn,
            waiting_since: Some(now),
        }
    }

    /// The log is about to lose events that it was never given. Returns whether these are the first since it was
    /// level.
    pub fn start_dropping(&mut self) -> bool {
        !std::mem::replace(&mut self.busy, true)
    }

    /// Something is due, but it has not taken its last chunk: it is served later.
    pub fn pass_over(&mut self, now: Millis) {
        self.waiting_since.get_or_insert(now);
    }

    /// It was given a chunk. Returns how many events it has dropped where that brings it level again after it was
    /// busy.
    pub fn served(&mut self, serving: &Chunk, head: u64, now: Millis, turn: u64) -> Option<u64> {
        self.written_at = now;
        self.written_in = turn;
        self.waiting_since = Some(now);
        self.place = serving.then.clone();
        self.told = self.told.saturating_add(serving.told);
        if self.place.is_behind(head) {
            return None;
        }
        self.unresponsive = false;
        self.place.reads_history = self.catch_up;
        let told = std::mem::take(&mut self.told);
        std::mem::take(&mut self.busy).then_some(told)
    }

    /// It was given a heartbeat.
    pub fn wrote_heartbeat(&mut self, now: Millis, turn: u64) {
        self.written_at = now;
        self.written_in = turn;
        self.waiting_since = None;
    }

    /// Whether events have waited for it since `moment` or longer, if it is not ready now.
    pub fn has_waited_since(&self, moment: Millis) -> bool {
        self.waiting_since.is_some_and(|since| since <= moment)
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::NoHistory;
    use super::super::log::Log;
    use super::*;
    use crate::sse::{Batch, EventId};

    #[test]
    fn it_waits_from_when_something_was_due() {
        let mut log = Log::new(EventId { epoch: 1, seq: 1 }, 10, 1_000);
        log.append(&Batch::from_wire("data: x\n\n".into()));
        let options = JoinOptions {
            next_seq: 1,
            history: false,
            catch_up: false,
            expires: None,
        };
        let mut subscriber = Subscriber::new((), Cursor::at(1, false), &options, 0, 0);
        assert!(subscriber.has_waited_since(0), "its opening waits, too");
        subscriber.wrote_heartbeat(10, 0);
        assert!(!subscriber.has_waited_since(1_000));
        subscriber.pass_over(50);
        subscriber.pass_over(70);
        assert!(!subscriber.has_waited_since(49));
        assert!(subscriber.has_waited_since(50));
        let serving = subscriber
            .place
            .serve(&mut log, &mut NoHistory, 90, 1_000)
            .unwrap();
        assert_eq!(subscriber.served(&serving, log.head(), 90, 0), None);
        assert!(!subscriber.has_waited_since(89));
        assert!(subscriber.has_waited_since(90));
    }
}
