//! The newest events of a channel, encoded, in one ring of bytes that all subscribers read from.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::rc::Rc;

use crate::history::{HistoryError, Page};
use crate::partial::PartialEvents;
use crate::sse::{self, Batch, Epoch, EventId};

/// The ring keeps up to this many unused bytes, so that it grows and shrinks with bursts and not with each event.
const MAX_UNUSED: usize = 64 * 1024;

/// Encoded events with dense sequence numbers. The log holds a limited number of events and bytes; the oldest events
/// are removed to make room.
///
/// The log holds the events from [`tail`](Self::tail) up to, but not including, [`head`](Self::head).
#[derive(Debug)]
pub struct Log {
    /// The channel's id.
    channel: String,
    /// The epoch of all ids in the log.
    epoch: Epoch,
    /// The bytes of the events, one event after the other.
    bytes: VecDeque<u8>,
    /// The offset at which each event ends. Offsets count the bytes of all events since the log was made, so they stay
    /// the same when older events are removed.
    ends: VecDeque<u64>,
    /// The offset at which the oldest event begins.
    start: u64,
    tail: u64,
    max_events: usize,
    max_bytes: usize,
    partial_events: PartialEvents,
    /// Whether the channel has ended after the newest event.
    has_ended: bool,
    /// The `id:` line of the event that is being appended. The buffer is reused, which saves an allocation per event.
    id_line: String,
}

impl Log {
    /// An empty log of `channel`. Its first event gets the id `next`.
    pub fn new(channel: String, next: EventId, max_events: usize, max_bytes: usize) -> Self {
        Self {
            channel,
            epoch: next.epoch,
            bytes: VecDeque::new(),
            ends: VecDeque::new(),
            start: 0,
            tail: next.seq,
            max_events,
            max_bytes,
            partial_events: PartialEvents::default(),
            has_ended: false,
            id_line: String::with_capacity(sse::MAX_ID_LINE),
        }
    }

    /// Removes everything, and begins another epoch, whose first event gets the id `next`.
    pub fn begin_epoch(&mut self, next: EventId) {
        let channel = std::mem::take(&mut self.channel);
        *self = Self::new(channel, next, self.max_events, self.max_bytes);
    }

    /// Returns the channel's id.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Returns the epoch of all ids in the log.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Returns the sequence number of the oldest event held. It equals [`head`](Self::head) if none is held.
    pub fn tail(&self) -> u64 {
        self.tail
    }

    /// Returns the sequence number that the next event will get.
    pub fn head(&self) -> u64 {
        self.tail.saturating_add(self.ends.len() as u64)
    }

    /// Returns the id of the newest event, or `<epoch>-0` before the first event.
    pub fn newest(&self) -> EventId {
        EventId::before(self.epoch, self.head())
    }

    /// Returns the tail that the log needs to have room for `batch`. A batch that is larger than the limits needs an
    /// empty log.
    pub fn tail_with_room_for(&self, batch: &Batch) -> u64 {
        let mut tail = self.tail;
        let mut held = self.ends.len().saturating_add(batch.events);
        let end = self.end_offset().saturating_add(batch.cost() as u64);
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
        debug_assert!(
            tail <= self.head(),
            "the log does not hold events up to {tail}"
        );
        while self.tail < tail
            && let Some(end) = self.ends.pop_front()
        {
            let length = distance(self.start, end).min(self.bytes.len());
            self.bytes.drain(..length);
            self.start = end;
            self.tail = self.tail.saturating_add(1);
        }
        self.shrink_after_burst();
    }

    /// Returns how many bytes of memory the log takes, copies of partial events included.
    pub fn memory(&self) -> usize {
        let ends = self.ends.capacity().saturating_mul(size_of::<u64>());
        self.bytes
            .capacity()
            .saturating_add(ends)
            .saturating_add(self.partial_events.memory())
    }

    /// Frees the memory that the log does not use.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// Frees memory if the log uses only a small part of it, as after a burst.
    fn shrink_after_burst(&mut self) {
        let used = self.bytes.len();
        let unused = self.bytes.capacity().saturating_sub(used);
        if unused > MAX_UNUSED && unused / 4 > used {
            self.bytes.shrink_to(used.saturating_mul(2));
        }
    }

    /// Whether the channel has ended, and nothing was appended since.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Notes that the channel has ended after the newest event.
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    /// Notes that the channel is open again.
    pub fn reopen(&mut self) {
        self.has_ended = false;
    }

    /// Appends the events of `batch`, which get the next ids. If the channel has ended, it is open again.
    pub fn append(&mut self, batch: &Batch) {
        self.has_ended = false;
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
        for part in sse::with_id(event, &self.id_line) {
            self.bytes.extend(part.as_bytes());
        }
        let length = self.id_line.len().saturating_add(event.len());
        self.ends
            .push_back(self.end_offset().saturating_add(length as u64));
    }

    /// Appends the events from `seq` on to `out`: all of them, or as many whole events as fit into `room` bytes.
    /// Returns the sequence number of the first event that was not copied. `seq` has to be in `tail..=head`.
    pub fn read(&self, seq: u64, room: usize, out: &mut Vec<u8>) -> u64 {
        let begin = self.start_of(seq);
        let limit = begin.saturating_add(room as u64);
        let whole_events = self.ends.partition_point(|end| *end <= limit) as u64;
        let next = self.tail.saturating_add(whole_events).max(seq);
        self.copy(begin, self.start_of(next), out);
        next
    }

    /// Returns event `seq` as a page, without its id.
    pub fn page(&self, seq: u64) -> Result<Page, HistoryError> {
        if !(self.tail..self.head()).contains(&seq) {
            return Err(HistoryError(format!("event {seq} is not in the log")));
        }
        let event = String::from_utf8(self.event(seq))
            .map_err(|_| HistoryError(format!("event {seq} in the log is not valid UTF-8")))?;
        let wire = sse::without_id(&event)
            .ok_or_else(|| HistoryError(format!("event {seq} in the log has no id")))?;
        Ok(Page { first: seq, wire })
    }

    /// Returns the shared copy of event `seq`, for the streams that get the event in parts.
    pub fn partial_event(&mut self, seq: u64) -> Rc<Vec<u8>> {
        self.share_partial_event(seq, |log| log.event(seq))
    }

    /// Like [`partial_event`](Self::partial_event), but the event may have left the log. `read` makes the copy, if
    /// there is none yet.
    pub fn share_partial_event(
        &mut self,
        seq: u64,
        read: impl FnOnce(&Self) -> Vec<u8>,
    ) -> Rc<Vec<u8>> {
        if let Some(event) = self.partial_events.get(seq) {
            return event;
        }
        let event = read(self);
        self.partial_events.insert(seq, event)
    }

    /// Returns how many bytes the events take.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Copies event `seq`, however large it is.
    fn event(&self, seq: u64) -> Vec<u8> {
        let mut event = Vec::new();
        let next = seq.saturating_add(1);
        self.copy(self.start_of(seq), self.start_of(next), &mut event);
        event
    }

    /// Returns the offset at which the newest event ends.
    fn end_offset(&self) -> u64 {
        self.ends.back().copied().unwrap_or(self.start)
    }

    /// Returns the offset at which event `seq` begins, or the end of the log if `seq` is the head.
    fn start_of(&self, seq: u64) -> u64 {
        debug_assert!(
            (self.tail..=self.head()).contains(&seq),
            "event {seq} is not in the log, which holds {}..{}",
            self.tail,
            self.head()
        );
        let Some(before) = distance(self.tail, seq).checked_sub(1) else {
            return self.start;
        };
        self.ends
            .get(before)
            .copied()
            .unwrap_or_else(|| self.end_offset())
    }

    /// Appends the bytes between two offsets to `out`. The ring consists of two slices.
    fn copy(&self, begin: u64, end: u64, out: &mut Vec<u8>) {
        let begin = distance(self.start, begin);
        let end = distance(self.start, end);
        debug_assert!(begin <= end && end <= self.bytes.len());
        let (first, second) = self.bytes.as_slices();
        let split = first.len();
        let in_first = begin.min(split)..end.min(split);
        let in_second = begin.saturating_sub(split)..end.saturating_sub(split);
        out.extend_from_slice(first.get(in_first).unwrap_or_default());
        out.extend_from_slice(second.get(in_second).unwrap_or_default());
    }
}

/// Returns the distance between two positions in the log, in bytes or events. All of the log is in memory, so the
/// distance fits a `usize`.
fn distance(from: u64, to: u64) -> usize {
    let distance = to.checked_sub(from).map(usize::try_from);
    debug_assert!(
        matches!(distance, Some(Ok(_))),
        "{from} and {to} are not both in the log"
    );
    distance.and_then(Result::ok).unwrap_or_default()
}
