//! The channel's bounded memory: the newest events, encoded, in one ring of bytes that every subscriber reads from.

use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use super::history::Page;
use crate::sse::{self, Batch, EventId};

/// The ring keeps this many bytes that it does not use: it grows and shrinks with bursts, not with each event.
const MAX_UNUSED: usize = 64 * 1024;

/// Encoded events with dense sequence numbers. Holds at most so many events and so many bytes; making room removes
/// the oldest.
#[derive(Debug)]
pub struct Log {
    /// The first half of every id in it.
    epoch: u64,
    /// The events' bytes, one after the other.
    bytes: VecDeque<u8>,
    /// Where each event ends, counted in bytes since the epoch began, so that appending moves no other entry.
    ends: VecDeque<u64>,
    /// Where the oldest event begins, counted like `ends`.
    start: u64,
    /// The sequence number of the oldest event; the next one to be given out where there is none.
    tail: u64,
    max_events: usize,
    max_bytes: usize,
    /// Events that streams are given in pieces, for as long as one still needs them.
    in_pieces: Vec<(u64, Weak<Vec<u8>>)>,
    /// The id line in the making; kept to spare an allocation per event.
    id_line: String,
}

impl Log {
    /// An empty log whose first event will have the id `next`.
    pub fn new(next: EventId, max_events: usize, max_bytes: usize) -> Self {
        Self {
            epoch: next.epoch,
            bytes: VecDeque::new(),
            ends: VecDeque::new(),
            start: 0,
            tail: next.seq,
            max_events,
            max_bytes,
            in_pieces: Vec::new(),
            id_line: String::with_capacity(sse::MAX_ID_LINE),
        }
    }

    /// The epoch that all ids in it share.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The sequence number of the oldest event held; equals [`head`](Self::head) where none is.
    pub fn tail(&self) -> u64 {
        self.tail
    }

    /// The sequence number that the next event will get.
    pub fn head(&self) -> u64 {
        self.tail.saturating_add(self.ends.len() as u64)
    }

    /// The id of the newest event, `<epoch>-0` before the first.
    pub fn newest(&self) -> EventId {
        EventId {
            epoch: self.epoch,
            seq: self.head().saturating_sub(1),
        }
    }

    /// Where the tail has to go to make room for `batch`. One larger than the whole log empties it.
    pub fn tail_with_room_for(&self, batch: &Batch) -> u64 {
        let mut tail = self.tail;
        let mut held = self.ends.len().saturating_add(batch.events);
        let end = self.end().saturating_add(batch.cost() as u64);
        let mut start = self.start;
        for next in &self.ends {
            if held <= self.max_events && end.saturating_sub(start) <= self.max_bytes as u64 {
                break;
            }
            start = *next;
            held = held.saturating_sub(1);
            tail = tail.saturating_add(1);
        }
        tail
    }

    /// Removes the events before `tail`.
    pub fn remove_before(&mut self, tail: u64) {
        while self.tail < tail {
            let Some(end) = self.ends.pop_front() else {
                return;
            };
            let length = usize::try_from(end.saturating_sub(self.start)).unwrap_or(usize::MAX);
            self.bytes.drain(..length.min(self.bytes.len()));
            self.start = end;
            self.tail = self.tail.saturating_add(1);
        }
        self.shrink_after_burst();
    }

    /// How many bytes of memory it takes, with the events that streams are given in pieces.
    pub fn memory(&self) -> usize {
        let ends = self.ends.capacity().saturating_mul(size_of::<u64>());
        let pieces = self
            .in_pieces
            .iter()
            .filter_map(|(_, event)| event.upgrade());
        let pieces = pieces.map(|event| event.capacity());
        pieces.fold(
            self.bytes.capacity().saturating_add(ends),
            usize::saturating_add,
        )
    }

    /// Gives back the memory that it does not use.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// Gives back memory where it uses little of what it takes, as after a burst.
    fn shrink_after_burst(&mut self) {
        let used = self.bytes.len();
        let unused = self.bytes.capacity().saturating_sub(used);
        if unused > MAX_UNUSED && unused / 4 > used {
            self.bytes.shrink_to(used.saturating_mul(2));
        }
    }

    /// Appends the events of `batch` and gives them the next ids.
    pub fn append(&mut self, batch: &Batch) {
        for event in batch.iter() {
            self.append_event(event);
        }
    }

    fn append_event(&mut self, event: &str) {
        let id = EventId {
            epoch: self.epoch,
            seq: self.head(),
        };
        self.id_line.clear();
        sse::write_id(&mut self.id_line, id);
        self.bytes.extend(self.id_line.as_bytes());
        self.bytes.extend(event.as_bytes());
        let length = self.id_line.len().saturating_add(event.len());
        self.ends
            .push_back(self.end().saturating_add(length as u64));
    }

    /// Copies events from number `from` on to the end of `out`: all of them, or as many whole ones as fit into `room`
    /// bytes. Returns the number of the first event not copied. `from` has to lie between tail and head.
    pub fn read(&self, from: u64, room: usize, out: &mut Vec<u8>) -> u64 {
        let begin = self.start_of(from);
        let limit = begin.saturating_add(room as u64);
        let next = self.ends.partition_point(|end| *end <= limit) as u64;
        let next = self.tail.saturating_add(next).max(from);
        self.copy(begin, self.start_of(next), out);
        next
    }

    /// Event number `seq` by itself, for streams that it is given to in pieces.
    pub fn in_pieces(&mut self, seq: u64) -> Rc<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_one(seq, &mut bytes);
        self.share(seq, bytes)
    }

    /// The one copy of event number `seq`, which is `bytes`, that all streams share to which it is given in pieces.
    pub fn share(&mut self, seq: u64, bytes: Vec<u8>) -> Rc<Vec<u8>> {
        self.in_pieces.retain(|(_, event)| event.strong_count() > 0);
        let known = self.in_pieces.iter().find(|(known, _)| *known == seq);
        if let Some(event) = known.and_then(|(_, event)| event.upgrade()) {
            return event;
        }
        let event = Rc::new(bytes);
        self.in_pieces.push((seq, Rc::downgrade(&event)));
        event
    }

    /// Event number `seq` by itself, without its id.
    pub fn page(&self, seq: u64) -> Page {
        let mut bytes = Vec::new();
        self.read_one(seq, &mut bytes);
        let event = String::from_utf8(bytes).unwrap_or_default();
        let (_id, event) = event.split_once('\n').unwrap_or_default();
        Page {
            first: seq,
            wire: event.to_owned(),
        }
    }

    /// An empty one for the events of another epoch, within the same bounds.
    pub fn begin_again(&mut self, next: EventId) {
        *self = Self::new(next, self.max_events, self.max_bytes);
    }

    /// Copies event number `seq`, however large it is.
    fn read_one(&self, seq: u64, out: &mut Vec<u8>) {
        self.copy(
            self.start_of(seq),
            self.start_of(seq.saturating_add(1)),
            out,
        );
    }

    /// How many bytes it holds.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn end(&self) -> u64 {
        self.ends.back().copied().unwrap_or(self.start)
    }

    /// Where event `seq` begins; the log's end for the head.
    fn start_of(&self, seq: u64) -> u64 {
        let Some(before) = seq.saturating_sub(self.tail).checked_sub(1) else {
            return self.start;
        };
        let before = usize::try_from(before).unwrap_or(usize::MAX);
        self.ends.get(before).copied().unwrap_or_else(|| self.end())
    }

    /// Copies the bytes between two places, counted like `ends`, out of the two halves of the ring.
    fn copy(&self, begin: u64, end: u64, out: &mut Vec<u8>) {
        let place = |at: u64| usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let (begin, end) = (place(begin), place(end));
        let (first, second) = self.bytes.as_slices();
        let split = first.len();
        out.extend_from_slice(
            first
                .get(begin.min(split)..end.min(split))
                .unwrap_or_default(),
        );
        let (begin, end) = (begin.saturating_sub(split), end.saturating_sub(split));
        out.extend_from_slice(second.get(begin..end).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: EventId = EventId { epoch: 1, seq: 1 };

    fn text(log: &Log, from: u64, room: usize) -> (u64, String) {
        let mut out = Vec::new();
        let next = log.read(from, room, &mut out);
        (next, String::from_utf8(out).unwrap())
    }

    fn push(log: &mut Log, event: &str) {
        let batch = Batch::from_wire(event.to_owned());
        log.remove_before(log.tail_with_room_for(&batch));
        log.append(&batch);
    }

    #[test]
    fn keeps_the_newest_events() {
        let mut log = Log::new(FIRST, 3, 10_000);
        assert_eq!((log.tail(), log.head(), log.newest().seq), (1, 1, 0));
        for n in 1..=5 {
            push(&mut log, &format!("data: {n}\n\n"));
        }
        assert_eq!((log.tail(), log.head(), log.newest().seq), (3, 6, 5));
        let id = |seq| EventId { epoch: 1, seq };
        let expected = |n| format!("id: {}\ndata: {n}\n\n", id(n));
        assert_eq!(
            text(&log, 3, usize::MAX),
            (6, expected(3) + &expected(4) + &expected(5))
        );
        assert_eq!(text(&log, 5, usize::MAX), (6, expected(5)));
        assert_eq!(text(&log, 6, usize::MAX), (6, String::new()));
        let mut one = Vec::new();
        log.read_one(4, &mut one);
        assert_eq!(String::from_utf8(one).unwrap(), expected(4));
    }

    #[test]
    fn memory_is_given_back_after_a_burst() {
        let mut log = Log::new(FIRST, 10, 1 << 20);
        for _ in 0..10 {
            push(&mut log, &format!("data: {}\n\n", "x".repeat(100_000)));
        }
        assert!(log.memory() > 1_000_000);
        for _ in 0..10 {
            push(&mut log, "data: x\n\n");
        }
        assert!(log.memory() < 2 * MAX_UNUSED, "{}", log.memory());
        log.shrink();
        assert!(log.memory() < 1_000, "{}", log.memory());
        assert_eq!(sse::parse(&text(&log, log.tail(), usize::MAX).1).len(), 10);
    }

    #[test]
    fn reads_whole_events_into_the_room_there_is() {
        let mut log = Log::new(FIRST, 10, 10_000);
        for n in 1..=3 {
            push(&mut log, &format!("data: {n}\n\n"));
        }
        let one = text(&log, 1, usize::MAX).1.len() / 3;
        assert_eq!(text(&log, 1, one - 1), (1, String::new()));
        assert_eq!(text(&log, 1, one).0, 2);
        assert_eq!(text(&log, 2, 2 * one - 1).0, 3);
        assert_eq!(text(&log, 2, 2 * one).0, 4);
    }

    #[test]
    fn is_bounded_in_bytes_across_the_rings_seam() {
        let mut log = Log::new(FIRST, 1_000, 500);
        for n in 0..200_usize {
            push(&mut log, &format!("data: {}\n\n", "x".repeat(n % 90)));
            assert!(log.bytes() <= 500);
            let (next, all) = text(&log, log.tail(), usize::MAX);
            assert_eq!(next, log.head());
            assert_eq!(all.len(), log.bytes());
            assert_eq!(sse::parse(&all).len() as u64, log.head() - log.tail());
        }
    }
}
