//! Makes the chunks that subscribers are given.

use super::Cursor;
use crate::Millis;
use crate::feed::FrameHeader;
use crate::history::{History, HistoryError, Page};
use crate::log::Log;
use crate::partial::PartialEvent;
use crate::sse::{self, EventId, Missing, Notice};

/// Bytes for the subscribers at one position.
#[derive(Debug)]
pub struct Chunk {
    /// The bytes. They are empty only if the subscribers are level with the head of a channel that has not ended.
    pub bytes: Vec<u8>,
    /// The new state of each subscriber that gets the bytes.
    pub after: AfterChunk,
}

/// The new state of a subscriber that got a chunk.
#[derive(Debug)]
pub struct AfterChunk {
    /// The position after the chunk.
    pub cursor: Cursor,
    /// The number of dropped events that the notice in the chunk counts.
    pub notified: u64,
    /// The size of the chunk.
    pub bytes: usize,
    /// Whether the chunk ends with the `hub.end` notice.
    pub ends: bool,
}

impl AfterChunk {
    /// The header of the frame that carries the chunk to a feed. `asks` says whether it asks what the Worker holds.
    pub fn header(&self, asks: bool) -> FrameHeader {
        FrameHeader {
            next_seq: self.cursor.next_seq,
            in_event: self.cursor.is_in_event(),
            asks,
            ends: self.ends,
        }
    }
}

/// A chunk that is being made.
#[derive(Debug)]
pub struct ChunkBuilder {
    bytes: Vec<u8>,
    max_bytes: usize,
    /// The position after the bytes.
    cursor: Cursor,
    notified: u64,
    ends: bool,
}

impl ChunkBuilder {
    /// An empty chunk of at most `max_bytes` that begins at `cursor`.
    pub fn new(cursor: &Cursor, max_bytes: usize) -> Self {
        Self {
            bytes: Vec::new(),
            max_bytes,
            cursor: cursor.clone(),
            notified: 0,
            ends: false,
        }
    }

    /// Returns the chunk.
    pub fn finish(self) -> Chunk {
        let bytes = self.bytes.len();
        Chunk {
            bytes: self.bytes,
            after: AfterChunk {
                cursor: self.cursor,
                notified: self.notified,
                bytes,
                ends: self.ends,
            },
        }
    }

    /// If the channel has ended and the chunk ends at the head of the log, adds the `hub.end` notice, even if there is
    /// no room for it.
    pub fn add_end_if_level(&mut self, log: &Log) {
        if log.has_ended() && !self.cursor.is_behind(log.head()) {
            let notice = sse::end_notice(log.channel(), log.newest());
            self.bytes.extend_from_slice(notice.as_bytes());
            self.ends = true;
        }
    }

    /// Whether the chunk ends in the middle of an event.
    pub fn is_in_event(&self) -> bool {
        self.cursor.is_in_event()
    }

    /// Adds as much of the partial event as there is room for.
    pub fn add_partial_event(&mut self) {
        let room = self.room();
        if let Some(partial) = self.cursor.partial.take() {
            self.cursor.partial = partial.read(room, &mut self.bytes);
        }
    }

    /// Adds the events of the log for which there is room.
    pub fn add_log(&mut self, log: &mut Log) {
        let room = self.room();
        self.cursor.next_seq = log.read(self.cursor.next_seq, room, &mut self.bytes);
        if self.bytes.is_empty() && self.cursor.next_seq < log.head() {
            let event = log.partial_event(self.cursor.next_seq);
            self.begin_partial_event(PartialEvent::new(event));
        }
    }

    /// Adds the notice that the events before the log's tail were dropped, and events of the log, if there is room.
    pub fn add_after_dropped(&mut self, log: &mut Log) {
        if self.add_notice(Notice::Dropped, log, log.tail()) {
            self.add_log(log);
        }
    }

    /// Adds events of the history, and then events of the log, if there is room.
    pub fn add_history(
        &mut self,
        log: &mut Log,
        history: &mut dyn History,
        now: Millis,
    ) -> Result<(), HistoryError> {
        // Without a history, all events before the log's tail are a gap.
        let held = history.tail(now)?.unwrap_or(log.tail()).min(log.tail());
        if !self.add_notice(Notice::Gap, log, held) {
            return Ok(());
        }
        while self.cursor.next_seq < log.tail() {
            let page = history.page(self.cursor.next_seq)?;
            if !self.add_page(&page, log)? {
                return Ok(());
            }
        }
        self.add_log(log);
        Ok(())
    }

    fn room(&self) -> usize {
        self.max_bytes.saturating_sub(self.bytes.len())
    }

    /// Adds a notice that the events before `tail` are missing, if any are. Returns false if there is no room for it.
    fn add_notice(&mut self, notice: Notice, log: &Log, tail: u64) -> bool {
        let next_seq = self.cursor.next_seq;
        if next_seq >= tail {
            return true;
        }
        let missing = Missing::between(log.epoch(), next_seq, tail.saturating_sub(1));
        let encoded = notice.encode(log.channel(), &missing);
        if encoded.len() > self.room() {
            return false;
        }
        self.bytes.extend_from_slice(encoded.as_bytes());
        if notice == Notice::Dropped {
            self.notified = tail.saturating_sub(next_seq);
        }
        self.cursor.next_seq = tail;
        true
    }

    /// Adds the events of a page that have left the log. Returns false if there is no room for all of them.
    fn add_page(&mut self, page: &Page, log: &mut Log) -> Result<bool, HistoryError> {
        let mut id_line = String::new();
        for event in page.events_from(self.cursor.next_seq)? {
            let seq = self.cursor.next_seq;
            if seq >= log.tail() {
                break;
            }
            let epoch = log.epoch();
            id_line.clear();
            sse::write_id(&mut id_line, EventId { epoch, seq });
            let parts = sse::with_id(event, &id_line);
            let length = id_line.len().saturating_add(event.len());
            if length <= self.room() {
                for part in parts {
                    self.bytes.extend_from_slice(part.as_bytes());
                }
                self.cursor.next_seq = seq.saturating_add(1);
            } else if self.bytes.is_empty() {
                let event = log.share_partial_event(seq, |_| parts.concat().into_bytes());
                self.begin_partial_event(PartialEvent::new(event));
                return Ok(false);
            } else {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds the first part of the next event, which is too large for a chunk.
    fn begin_partial_event(&mut self, event: PartialEvent) {
        self.cursor.partial = Some(event);
        self.cursor.next_seq = self.cursor.next_seq.saturating_add(1);
        self.add_partial_event();
    }
}
