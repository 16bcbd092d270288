//! A subscriber's position in the channel.

mod chunk;
#[cfg(test)]
mod tests;

pub use self::chunk::{AfterChunk, Chunk};

use self::chunk::ChunkBuilder;
use crate::Millis;
use crate::history::{History, HistoryError};
use crate::log::Log;
use crate::partial::PartialEvent;
use crate::sse::{self, EventId, Missing, Notice};

/// A position in the channel: the rest of an event that has been given in part, and the event after it.
///
/// Subscribers with equal cursors and the same [`MissedEvents`] get the same chunk.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    /// The sequence number of the next event that the subscriber has been given nothing of. It is below the tail of the
    /// log if the subscriber reads the history or is lagging.
    pub next_seq: u64,
    partial: Option<PartialEvent>,
}

/// What happens to the events that leave the log before a subscriber was given them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissedEvents {
    /// The subscriber drops them, and gets a `hub.dropped` notice.
    Dropped,
    /// The subscriber reads them from the history.
    Replayed,
}

impl Cursor {
    /// The position before event `next_seq`.
    pub fn new(next_seq: u64) -> Self {
        Self {
            next_seq,
            partial: None,
        }
    }

    /// Whether the subscriber has been given a part of an event, but not all of it.
    pub fn is_in_event(&self) -> bool {
        self.partial.is_some()
    }

    /// Whether the subscriber has not been given everything before `head`. Otherwise it is level with the head.
    pub fn is_behind(&self, head: u64) -> bool {
        self.next_seq < head || self.is_in_event()
    }

    /// Returns the rest of the partial event, or `None` if it has more than `max_bytes`.
    pub fn rest_of_partial_event_within(&self, max_bytes: usize) -> Option<Vec<u8>> {
        let mut chunk = ChunkBuilder::new(self, max_bytes);
        chunk.add_partial_event();
        let chunk = chunk.finish();
        (!chunk.after.cursor.is_in_event()).then_some(chunk.bytes)
    }

    /// Makes the next chunk for a subscriber at this position, of at most `max_bytes`. It holds, in this order: the
    /// rest of the partial event, a notice of the events that are missing here, and whole events. An event that is too
    /// large for an empty chunk is given in parts.
    ///
    /// If the channel has ended and the subscriber is level after that, the chunk ends with a `hub.end` notice, for
    /// which it may be larger than `max_bytes`.
    ///
    /// The chunk is empty only if the subscriber is level with the head of a channel that has not ended.
    pub fn next_chunk(
        &self,
        missed: MissedEvents,
        log: &mut Log,
        history: &mut dyn History,
        now: Millis,
        max_bytes: usize,
    ) -> Result<Chunk, HistoryError> {
        let mut chunk = ChunkBuilder::new(self, max_bytes);
        chunk.add_partial_event();
        if !chunk.is_in_event() {
            if self.next_seq >= log.tail() {
                chunk.add_log(log);
            } else {
                match missed {
                    MissedEvents::Replayed => chunk.add_history(log, history, now)?,
                    MissedEvents::Dropped => chunk.add_after_dropped(log),
                }
            }
        }
        chunk.add_end_if_level(log);
        Ok(chunk.finish())
    }

    /// Makes the last chunk for a subscriber whose channel is deleted: the rest of the partial event, a notice of the
    /// events that the subscriber will not get, and the `hub.end` notice. The id of that notice is the position before
    /// `next`, the first event of the next epoch: a client that resumes there has missed nothing.
    pub fn deletion_chunk(&self, missed: MissedEvents, log: &Log, next: EventId) -> Vec<u8> {
        let mut chunk = self.rest_of_partial_event();
        if self.next_seq < log.head() {
            let notice = match missed {
                MissedEvents::Replayed => Notice::Gap,
                MissedEvents::Dropped => Notice::Dropped,
            };
            let missing = Missing::between(log.epoch(), self.next_seq, log.newest().seq);
            chunk.extend(notice.encode(log.channel(), &missing).into_bytes());
        }
        chunk.extend(
            sse::end_notice(log.channel(), EventId::before(next.epoch, next.seq)).into_bytes(),
        );
        chunk
    }

    /// Makes the last chunk for a subscriber whose token has expired: the rest of the partial event, and the
    /// `hub.expired` notice. When the client resumes, it gets the events after this position.
    pub fn expired_chunk(&self, log: &Log) -> Vec<u8> {
        let mut chunk = self.rest_of_partial_event();
        let last = EventId::before(log.epoch(), self.next_seq);
        chunk.extend(sse::expired_notice(log.channel(), last).into_bytes());
        chunk
    }

    /// Returns the rest of the partial event.
    pub fn rest_of_partial_event(&self) -> Vec<u8> {
        let mut chunk = ChunkBuilder::new(self, usize::MAX);
        chunk.add_partial_event();
        chunk.finish().bytes
    }
}
