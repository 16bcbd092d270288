//! One open stream: a place in the log, and what it has missed.

use std::rc::Rc;

use super::Millis;
use super::log::Log;
use crate::sse;

/// The most bytes that a stream is given at once. Many streams share a chunk, but each that stalls may hold one that
/// nobody else holds any more, so this bounds what thousands of them can make the object keep.
pub const MAX_CHUNK: usize = 64 * 1024;

/// A stream and its place in the channel. Four things happen to it: events leave the log before it had them
/// ([`start_dropping`](Self::start_dropping)), it is not ready when the others are served
/// ([`pass_over`](Self::pass_over)), it is served ([`served`](Self::served)), and it is kept alive
/// ([`wrote_heartbeat`](Self::wrote_heartbeat)).
#[derive(Debug)]
pub struct Subscriber<S> {
    /// Where its chunks go.
    pub stream: S,
    /// What it is due next.
    pub place: Place,
    /// Set from the first event dropped until it has caught up with the log's head.
    pub busy: bool,
    /// How many events it was told to have dropped since it became busy.
    told: u64,
    /// Set where it was seen not to take a chunk in a whole turn of the event loop, until it has caught up: no
    /// publisher waits for it.
    pub late: bool,
    /// When it was last written to.
    pub written_at: Millis,
    /// The turn of the event loop in which that was.
    pub written_in: u64,
    /// Since when events (or its opening block) have waited for it to take them, as far as is known.
    waiting_since: Option<Millis>,
}

/// What a stream is due next. Streams at the same place get the same chunk.
#[derive(Clone, Debug)]
pub struct Place {
    /// The number of the next event. Below the log's tail where it has dropped events that it has not been told of.
    pub cursor: u64,
    /// What is left of an event larger than [`MAX_CHUNK`], from an offset on; goes out before anything else.
    rest: Option<(Rc<Vec<u8>>, usize)>,
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        let rest = |place: &Self| {
            let rest = place.rest.as_ref();
            rest.map(|(event, offset)| (Rc::as_ptr(event), *offset))
        };
        self.cursor == other.cursor && rest(self) == rest(other)
    }
}

/// A chunk, and where it leaves a stream.
#[derive(Debug)]
pub struct Serving {
    /// At most [`MAX_CHUNK`] bytes; empty only where nothing was due.
    pub chunk: Vec<u8>,
    /// The place behind it.
    pub then: Place,
    /// How many events the notice in it speaks of.
    pub told: u64,
}

impl Place {
    /// Before the event that will be number `cursor`.
    pub fn at(cursor: u64) -> Self {
        Self { cursor, rest: None }
    }

    /// Whether something is there that the stream was not given.
    pub fn is_behind(&self, head: u64) -> bool {
        self.cursor < head || self.rest.is_some()
    }

    /// How many events before `tail` were dropped and not told of.
    pub fn untold(&self, tail: u64) -> u64 {
        tail.saturating_sub(self.cursor)
    }

    /// What is due here, in this order: the rest of an event cut before, the notice of what was dropped, and whole
    /// events. An event too large even for an empty chunk is cut.
    pub fn serve(&self, log: &mut Log) -> Serving {
        let mut serving = Serving {
            chunk: Vec::new(),
            then: self.clone(),
            told: 0,
        };
        serving.take_rest();
        if serving.then.rest.is_none() && serving.tell(log) {
            serving.take_events(log);
        }
        serving
    }
}

impl Serving {
    fn room(&self) -> usize {
        MAX_CHUNK.saturating_sub(self.chunk.len())
    }

    /// Takes as much of a cut event as there is room for.
    fn take_rest(&mut self) {
        let Some((event, offset)) = self.then.rest.take() else {
            return;
        };
        let end = offset.saturating_add(self.room()).min(event.len());
        self.chunk
            .extend_from_slice(event.get(offset..end).unwrap_or_default());
        if end < event.len() {
            self.then.rest = Some((event, end));
        }
    }

    /// Takes the notice of what was dropped, if there is one to give. False where there is no room for it.
    fn tell(&mut self, log: &Log) -> bool {
        let tail = log.tail();
        let untold = self.then.untold(tail);
        if untold == 0 {
            return true;
        }
        let last = tail.saturating_sub(1);
        let notice = sse::dropped_notice(log.epoch(), self.then.cursor, last);
        if notice.len() > self.room() {
            return false;
        }
        self.chunk.extend_from_slice(notice.as_bytes());
        self.told = untold;
        self.then.cursor = tail;
        true
    }

    fn take_events(&mut self, log: &mut Log) {
        let room = self.room();
        self.then.cursor = log.read(self.then.cursor, room, &mut self.chunk);
        if self.chunk.is_empty() && self.then.cursor < log.head() {
            let event = log.in_pieces(self.then.cursor);
            self.then = Place {
                cursor: self.then.cursor.saturating_add(1),
                rest: Some((event, 0)),
            };
            self.take_rest();
        }
    }
}

impl<S> Subscriber<S> {
    /// A stream that has just opened, its opening block written: level with the log's head, and nothing missed.
    pub fn new(stream: S, head: u64, now: Millis, turn: u64) -> Self {
        Self {
            stream,
            place: Place::at(head),
            busy: false,
            told: 0,
            late: false,
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
    pub fn served(&mut self, serving: &Serving, head: u64, now: Millis, turn: u64) -> Option<u64> {
        self.written_at = now;
        self.written_in = turn;
        self.waiting_since = Some(now);
        self.place = serving.then.clone();
        self.told = self.told.saturating_add(serving.told);
        if self.place.is_behind(head) {
            return None;
        }
        self.late = false;
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
    use super::*;

    fn log_of(sizes: &[usize]) -> Log {
        let mut log = Log::new(1, 1_000, 1 << 20);
        for size in sizes {
            let batch = sse::Batch::from_wire(format!("data: {}\n\n", "x".repeat(*size)));
            log.remove_before(log.tail_with_room_for(&batch));
            log.append(&batch);
        }
        log
    }

    /// Serves until nothing is due; returns the chunks and the notices' counts.
    fn chunks(mut place: Place, log: &mut Log) -> (Vec<Vec<u8>>, u64) {
        let (mut chunks, mut told) = (Vec::new(), 0);
        while place.is_behind(log.head()) {
            let serving = place.serve(log);
            assert!(!serving.chunk.is_empty());
            chunks.push(serving.chunk);
            told += serving.told;
            place = serving.then;
        }
        (chunks, told)
    }

    #[test]
    fn everything_comes_in_chunks_of_at_most_64_kib() {
        let mut log = log_of(&[100, 70_000, 3, 30_000, 30_000, 30_000, 200_000, 1]);
        let (chunks, told) = chunks(Place::at(1), &mut log);
        assert!(chunks.iter().all(|chunk| chunk.len() <= MAX_CHUNK));
        let mut expected = Vec::new();
        log.read(1, usize::MAX, &mut expected);
        assert_eq!(chunks.concat(), expected);
        assert_eq!(told, 0);
    }

    #[test]
    fn a_notice_waits_for_the_end_of_an_event_that_was_cut() {
        // The second of these leaves less room behind it than a notice takes.
        for size in [100_000, 2 * MAX_CHUNK - 60] {
            let first = Place::at(1).serve(&mut log_of(&[size]));
            assert_eq!(first.chunk.len(), MAX_CHUNK);
            let mut log = log_of(&[1; 2_000]);
            let (chunks, told) = chunks(first.then, &mut log);
            assert!(chunks.iter().all(|chunk| chunk.len() <= MAX_CHUNK));
            assert_eq!(told, 999);
            let bytes = [first.chunk, chunks.concat()].concat();
            let events = sse::parse(std::str::from_utf8(&bytes).unwrap());
            assert_eq!(events[0].data.len(), size);
            assert_eq!(events[1].event_type, "hub.dropped");
            assert_eq!(events.len(), 2 + 1_000);
        }
    }

    #[test]
    fn streams_at_the_same_place_share_even_the_rest_of_an_event() {
        let mut log = log_of(&[100_000, 5]);
        let serving = Place::at(1).serve(&mut log);
        assert_ne!(serving.then, Place::at(2));
        assert_eq!(
            serving.then,
            Place::at(1).serve(&mut log).then,
            "cut at different times, it is one copy"
        );
    }

    #[test]
    fn it_waits_from_when_something_was_due() {
        let mut log = log_of(&[1]);
        let mut subscriber = Subscriber::new((), 1, 0, 0);
        assert!(subscriber.has_waited_since(0), "its opening waits, too");
        subscriber.wrote_heartbeat(10, 0);
        assert!(!subscriber.has_waited_since(1_000));
        subscriber.pass_over(50);
        subscriber.pass_over(70);
        assert!(!subscriber.has_waited_since(49));
        assert!(subscriber.has_waited_since(50));
        let serving = subscriber.place.serve(&mut log);
        assert_eq!(subscriber.served(&serving, log.head(), 90, 0), None);
        assert!(!subscriber.has_waited_since(89));
        assert!(subscriber.has_waited_since(90));
    }
}
