//! One open stream: a cursor into the log, and what it has missed.

use super::log::Log;
use super::{Millis, Stream};
use crate::sse;

/// The most bytes that a straggler is given at once. A shared chunk lives once however many streams hold it; a
/// straggler's is its own, so this bounds what thousands of slow readers can make the object hold.
pub const STRAGGLER_CHUNK: usize = 64 * 1024;

/// A stream that has not taken its last chunk for so long, in milliseconds, is a straggler. Long against the turn of
/// an event loop that writes to thousands of streams, so that a stream that keeps up never becomes one.
pub const STRAGGLER_AFTER: Millis = 250;

/// A stream and its place in the channel. Four things happen to it: events fall out of the log before it had them
/// ([`fall_behind`](Self::fall_behind)), it is not ready when the others are served
/// ([`pass_over`](Self::pass_over)), it is served ([`serve`](Self::serve)), and it is kept alive
/// ([`wrote`](Self::wrote)).
#[derive(Debug)]
pub struct Subscriber<S> {
    /// Where its chunks go.
    pub stream: S,
    /// The number of the next event it is due. Below the log's tail where it has dropped events that it has not been
    /// told of yet.
    pub cursor: u64,
    /// What is left of an event larger than [`STRAGGLER_CHUNK`]; goes out before anything else.
    rest: Vec<u8>,
    /// Set from the first event dropped until it has caught up with the log's head.
    pub busy: bool,
    /// How many events it was told to have dropped since it became busy.
    told: u64,
    /// Set from not taking a chunk for [`STRAGGLER_AFTER`] until it has caught up: it gets chunks of its own, no
    /// larger than [`STRAGGLER_CHUNK`].
    straggler: bool,
    /// When it was last written to.
    pub written_at: Millis,
    /// Whether the chunk written then held events, as against a heartbeat.
    wrote_events: bool,
}

/// What a subscriber takes out of the log when it is served.
pub enum Serving {
    /// Everything from its cursor to the head, which it shares with every other stream at that cursor.
    Shared,
    /// A chunk of its own.
    Own(Vec<u8>),
}

impl<S: Stream> Subscriber<S> {
    /// A stream that has just opened: level with the log's head, and nothing missed.
    pub fn new(stream: S, head: u64, now: Millis) -> Self {
        Self {
            stream,
            cursor: head,
            rest: Vec::new(),
            busy: false,
            told: 0,
            straggler: false,
            written_at: now,
            wrote_events: false,
        }
    }

    /// How many events before `tail` it has dropped and not been told of.
    pub fn untold(&self, tail: u64) -> u64 {
        tail.saturating_sub(self.cursor)
    }

    /// Whether something is there for it that it was not given.
    pub fn is_behind(&self, head: u64) -> bool {
        self.cursor < head || !self.rest.is_empty()
    }

    /// Whether events wait for it, be it in the log or in the chunk that it has not taken.
    pub fn keeps_events_waiting(&self, head: u64) -> bool {
        self.is_behind(head) || self.wrote_events
    }

    /// The log is about to lose its events before `tail`, some of which it was never given. Returns whether this is
    /// its first drop since it was level.
    pub fn fall_behind(&mut self) -> bool {
        !std::mem::replace(&mut self.busy, true)
    }

    /// It has not taken its last chunk: it is served later.
    pub fn pass_over(&mut self, now: Millis) {
        self.straggler |= now.saturating_sub(self.written_at) >= STRAGGLER_AFTER;
    }

    /// Takes what it is due next and moves its cursor past it.
    pub fn serve(&mut self, log: &Log, now: Millis) -> Serving {
        self.wrote(now, true);
        if !self.straggler && !self.busy && self.rest.is_empty() {
            self.cursor = log.head();
            return Serving::Shared;
        }
        Serving::Own(self.catch_up(log))
    }

    /// At most [`STRAGGLER_CHUNK`] bytes of, in this order: the rest of an event cut before, the notice of what it
    /// dropped, and whole events. An event too large even for an empty chunk is cut.
    fn catch_up(&mut self, log: &Log) -> Vec<u8> {
        let mut chunk = std::mem::take(&mut self.rest);
        self.cut(&mut chunk);
        if !self.rest.is_empty() {
            return chunk;
        }
        let tail = log.tail();
        if self.cursor < tail {
            let notice =
                sse::dropped_notice(log.epoch(), self.cursor, tail.saturating_sub(1)).into_bytes();
            if chunk.len().saturating_add(notice.len()) > STRAGGLER_CHUNK {
                return chunk;
            }
            chunk.extend_from_slice(&notice);
            self.told = self.told.saturating_add(self.untold(tail));
            self.cursor = tail;
        }
        let room = STRAGGLER_CHUNK.saturating_sub(chunk.len());
        self.cursor = log.read(self.cursor, room, &mut chunk);
        if chunk.is_empty() && self.cursor < log.head() {
            log.read_one(self.cursor, &mut chunk);
            self.cursor = self.cursor.saturating_add(1);
            self.cut(&mut chunk);
        }
        chunk
    }

    /// Keeps what is over [`STRAGGLER_CHUNK`] for the next chunk.
    fn cut(&mut self, chunk: &mut Vec<u8>) {
        if chunk.len() > STRAGGLER_CHUNK {
            self.rest = chunk.split_off(STRAGGLER_CHUNK);
        }
    }

    /// Notes that it stands level again, if it does. Returns how many events it dropped on the way, if it did.
    pub fn settle(&mut self, head: u64) -> Option<u64> {
        if self.is_behind(head) {
            return None;
        }
        self.straggler = false;
        let told = std::mem::take(&mut self.told);
        std::mem::take(&mut self.busy).then_some(told)
    }

    /// Notes that a chunk went out to it.
    pub fn wrote(&mut self, now: Millis, events: bool) {
        self.written_at = now;
        self.wrote_events = events;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Always;

    impl Stream for Always {
        fn is_ready(&self) -> bool {
            true
        }
    }

    fn log_of(sizes: &[usize]) -> Log {
        let mut log = Log::new(1, 1_000, 1 << 20);
        for size in sizes {
            let event = format!("data: {}\n\n", "x".repeat(*size));
            log.remove_before(log.tail_with_room_for(1, event.len()));
            log.append(&event);
        }
        log
    }

    fn own(serving: Serving) -> Vec<u8> {
        match serving {
            Serving::Own(chunk) => chunk,
            Serving::Shared => panic!("a straggler shares no chunk"),
        }
    }

    /// Serves until it stands level; returns the chunks.
    fn chunks(subscriber: &mut Subscriber<Always>, log: &Log) -> Vec<Vec<u8>> {
        let mut chunks = Vec::new();
        while subscriber.is_behind(log.head()) {
            chunks.push(own(subscriber.serve(log, 0)));
        }
        chunks
    }

    #[test]
    fn a_straggler_gets_all_in_chunks_of_at_most_64_kib() {
        let log = log_of(&[100, 70_000, 3, 30_000, 30_000, 30_000, 200_000, 1]);
        let mut subscriber = Subscriber::new(Always, 1, 0);
        subscriber.pass_over(STRAGGLER_AFTER);
        let chunks = chunks(&mut subscriber, &log);
        assert!(chunks.iter().all(|chunk| chunk.len() <= STRAGGLER_CHUNK));
        let mut expected = Vec::new();
        log.read(1, usize::MAX, &mut expected);
        assert_eq!(chunks.concat(), expected);
        assert_eq!(subscriber.settle(log.head()), None);
        assert!(matches!(subscriber.serve(&log, 0), Serving::Shared));
    }

    #[test]
    fn a_notice_waits_for_the_end_of_an_event_that_was_cut() {
        let log = log_of(&[100_000]);
        let mut subscriber = Subscriber::new(Always, 1, 0);
        subscriber.pass_over(STRAGGLER_AFTER);
        let mut bytes = own(subscriber.serve(&log, 0));
        assert_eq!(bytes.len(), STRAGGLER_CHUNK);

        let log = log_of(&[1; 2_000]);
        let dropped = subscriber.untold(log.tail());
        assert_eq!(dropped, 999);
        assert!(subscriber.fall_behind());
        bytes.extend(chunks(&mut subscriber, &log).concat());
        let events = sse::parse(std::str::from_utf8(&bytes).unwrap());
        assert_eq!(events[0].data.len(), 100_000);
        assert_eq!(events[1].event_type, "hub.dropped");
        assert_eq!(events.len(), 2 + 1_000);
        assert_eq!(subscriber.settle(log.head()), Some(dropped));
    }

    #[test]
    fn one_that_is_not_ready_for_a_moment_is_no_straggler() {
        let log = log_of(&[1, 2, 3]);
        let mut subscriber = Subscriber::new(Always, 1, 0);
        subscriber.pass_over(STRAGGLER_AFTER - 1);
        assert!(matches!(subscriber.serve(&log, 0), Serving::Shared));
        assert_eq!(subscriber.cursor, log.head());
    }
}
