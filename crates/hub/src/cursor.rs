//! What a stream is due, as chunks: out of the log, out of the history, and what it has to be told.

use std::rc::Rc;

use super::Millis;
use super::history::{History, HistoryError, Page};
use super::log::Log;
use crate::sse::{self, EventId, Missing, Notice};

/// The most bytes that a stream is given at once. Many streams share a chunk, but each that stalls holds one that no other
/// stream may hold any more.
pub const MAX_CHUNK: usize = 64 * 1024;

/// The most bytes that a stream is given at once where many streams have not taken their last chunk: thousands of them, each
/// at another place, would make the object keep as many chunks.
pub const SMALL_CHUNK: usize = 8 * 1024;

/// What a stream is due next. Streams at the same place get the same chunk.
#[derive(Clone, Debug)]
pub struct Cursor {
    /// The number of the next event. Below the log's tail where it has dropped events that it has not been told of, or
    /// reads the history.
    pub cursor: u64,
    /// What has left the log comes out of the history; otherwise it is dropped.
    pub reads_history: bool,
    /// What is left of an event larger than a chunk, from an offset on; goes out before anything else.
    rest: Option<(Rc<Vec<u8>>, usize)>,
}

impl PartialEq for Cursor {
    fn eq(&self, other: &Self) -> bool {
        let rest = |place: &Self| {
            let rest = place.rest.as_ref();
            rest.map(|(event, offset)| (Rc::as_ptr(event), *offset))
        };
        self.cursor == other.cursor
            && self.reads_history == other.reads_history
            && rest(self) == rest(other)
    }
}

/// A chunk, and where it leaves a stream.
#[derive(Debug)]
pub struct Chunk {
    /// At most `max_chunk` bytes; empty only where nothing was due.
    pub chunk: Vec<u8>,
    max_chunk: usize,
    /// The place behind it.
    pub then: Cursor,
    /// How many events the notice in it says were dropped.
    pub told: u64,
}

impl Cursor {
    /// Before the event that will be number `cursor`.
    pub fn at(cursor: u64, reads_history: bool) -> Self {
        Self {
            cursor,
            reads_history,
            rest: None,
        }
    }

    /// Whether it is in the middle of an event.
    pub fn is_in_event(&self) -> bool {
        self.rest.is_some()
    }

    /// Whether something is there that the stream was not given.
    pub fn is_behind(&self, head: u64) -> bool {
        self.cursor < head || self.rest.is_some()
    }

    /// Whether what is due comes out of the history, in a log that begins at `tail`.
    pub fn is_in_history(&self, tail: u64) -> bool {
        self.reads_history && self.cursor < tail
    }

    /// How many events before `tail` were dropped and not told of.
    pub fn untold(&self, tail: u64) -> u64 {
        if self.reads_history {
            0
        } else {
            tail.saturating_sub(self.cursor)
        }
    }

    /// What is due here, in this order: the rest of an event cut before, the notice of what was dropped or is not in
    /// the history any more, and whole events, at most `max_chunk` bytes. An event too large even for an empty chunk is cut.
    pub fn serve(
        &self,
        log: &mut Log,
        history: &mut dyn History,
        now: Millis,
        max_chunk: usize,
    ) -> Result<Chunk, HistoryError> {
        let mut serving = self.begin(max_chunk);
        serving.take_rest(max_chunk);
        if serving.then.rest.is_none() {
            if self.cursor >= log.tail() {
                serving.take_events(log);
            } else if self.reads_history {
                serving.take_history(log, history, now)?;
            } else if serving.tell(Notice::Dropped, log.epoch(), log.tail()) {
                serving.take_events(log);
            }
        }
        Ok(serving)
    }

    /// What is due at the channel's end, before `head`: the rest of an event, the notice of what it will not get, and
    /// the end of the stream.
    pub fn serve_end(&self, head: EventId) -> Vec<u8> {
        let mut serving = self.begin(usize::MAX);
        serving.take_rest(usize::MAX);
        let kind = if self.reads_history {
            Notice::Gap
        } else {
            Notice::Dropped
        };
        let last = EventId {
            epoch: head.epoch,
            seq: head.seq.saturating_sub(1),
        };
        if self.cursor < head.seq {
            let missing = Missing::between(head.epoch, self.cursor, last.seq);
            serving.chunk.extend(kind.encode(&missing).into_bytes());
        }
        serving.chunk.extend(sse::end_notice(last).into_bytes());
        serving.chunk
    }

    /// What is due where the stream may not listen any longer: the rest of an event, and the notice that says so. What
    /// else it would have been given, its client gets when it resumes.
    pub fn serve_expired(&self, epoch: u64) -> Vec<u8> {
        let mut serving = self.begin(usize::MAX);
        serving.take_rest(usize::MAX);
        let last = EventId {
            epoch,
            seq: self.cursor.saturating_sub(1),
        };
        let notice = sse::expired_notice(last);
        serving.chunk.extend(notice.into_bytes());
        serving.chunk
    }

    fn begin(&self, max_chunk: usize) -> Chunk {
        Chunk {
            chunk: Vec::new(),
            max_chunk,
            then: self.clone(),
            told: 0,
        }
    }
}

impl Chunk {
    fn room(&self) -> usize {
        self.max_chunk.saturating_sub(self.chunk.len())
    }

    /// Takes at most `room` bytes of a cut event.
    fn take_rest(&mut self, room: usize) {
        let Some((event, offset)) = self.then.rest.take() else {
            return;
        };
        let end = offset.saturating_add(room).min(event.len());
        self.chunk
            .extend_from_slice(event.get(offset..end).unwrap_or_default());
        if end < event.len() {
            self.then.rest = Some((event, end));
        }
    }

    /// Takes the notice that everything before `tail` is missing, if something is. False where there is no room for it.
    fn tell(&mut self, kind: Notice, epoch: u64, tail: u64) -> bool {
        let cursor = self.then.cursor;
        if cursor >= tail {
            return true;
        }
        let missing = Missing::between(epoch, cursor, tail.saturating_sub(1));
        let notice = kind.encode(&missing);
        if notice.len() > self.room() {
            return false;
        }
        self.chunk.extend_from_slice(notice.as_bytes());
        if kind == Notice::Dropped {
            self.told = tail.saturating_sub(cursor);
        }
        self.then.cursor = tail;
        true
    }

    /// Takes what there is room for out of the history, and out of the log where it comes as far as that.
    fn take_history(
        &mut self,
        log: &mut Log,
        history: &mut dyn History,
        now: Millis,
    ) -> Result<(), HistoryError> {
        let held = history.tail(now)?.unwrap_or(u64::MAX).min(log.tail());
        if !self.tell(Notice::Gap, log.epoch(), held) {
            return Ok(());
        }
        while self.then.cursor < log.tail() {
            let page = history.page(self.then.cursor)?;
            if !self.take_page(&page, log)? {
                return Ok(());
            }
        }
        self.take_events(log);
        Ok(())
    }

    /// Takes what there is room for of a page. False where that is not all of it.
    fn take_page(&mut self, page: &Page, log: &mut Log) -> Result<bool, HistoryError> {
        let (mut seq, from) = (page.first, self.then.cursor);
        let mut id_line = String::new();
        for event in sse::events(&page.wire) {
            if seq == self.then.cursor && seq < log.tail() {
                let epoch = log.epoch();
                id_line.clear();
                sse::write_id(&mut id_line, EventId { epoch, seq });
                let length = id_line.len().saturating_add(event.len());
                if length <= self.room() {
                    self.chunk.extend_from_slice(id_line.as_bytes());
                    self.chunk.extend_from_slice(event.as_bytes());
                } else if self.chunk.is_empty() {
                    let event = [id_line.as_bytes(), event.as_bytes()].concat();
                    self.then.rest = Some((log.share(seq, event), 0));
                } else {
                    return Ok(false);
                }
                self.then.cursor = seq.saturating_add(1);
                if self.then.rest.is_some() {
                    self.take_rest(self.max_chunk);
                    return Ok(false);
                }
            }
            seq = seq.saturating_add(1);
        }
        if self.then.cursor == from {
            let (first, after) = (page.first, seq);
            return Err(HistoryError(format!(
                "event {from} is missing in the page of events {first} to {after}"
            )));
        }
        Ok(true)
    }

    /// Takes what there is room for out of the log.
    fn take_events(&mut self, log: &mut Log) {
        let room = self.room();
        self.then.cursor = log.read(self.then.cursor, room, &mut self.chunk);
        if self.chunk.is_empty() && self.then.cursor < log.head() {
            let event = log.in_pieces(self.then.cursor);
            self.then.rest = Some((event, 0));
            self.then.cursor = self.then.cursor.saturating_add(1);
            self.take_rest(self.max_chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::NoHistory;
    use super::*;

    fn at(cursor: u64) -> Cursor {
        Cursor::at(cursor, false)
    }

    fn serve(place: &Cursor, log: &mut Log) -> Chunk {
        place.serve(log, &mut NoHistory, 0, MAX_CHUNK).unwrap()
    }

    fn log_of(sizes: &[usize]) -> Log {
        let mut log = Log::new(EventId { epoch: 1, seq: 1 }, 1_000, 1 << 20);
        for size in sizes {
            let batch = sse::Batch::from_wire(format!("data: {}\n\n", "x".repeat(*size)));
            log.remove_before(log.tail_with_room_for(&batch));
            log.append(&batch);
        }
        log
    }

    /// Serves until nothing is due; returns the chunks and the notices' counts.
    fn chunks(mut place: Cursor, log: &mut Log) -> (Vec<Vec<u8>>, u64) {
        let (mut chunks, mut told) = (Vec::new(), 0);
        while place.is_behind(log.head()) {
            let serving = serve(&place, log);
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
        let (chunks, told) = chunks(at(1), &mut log);
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
            let first = serve(&at(1), &mut log_of(&[size]));
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
        let serving = serve(&at(1), &mut log);
        assert_ne!(serving.then, at(2));
        assert_eq!(
            serving.then,
            serve(&at(1), &mut log).then,
            "cut at different times, it is one copy"
        );
    }

    /// One that holds a single event.
    struct OneEvent(String);

    impl History for OneEvent {
        fn tail(&mut self, _now: Millis) -> Result<Option<u64>, HistoryError> {
            Ok(Some(1))
        }

        fn page(&mut self, _from: u64) -> Result<Page, HistoryError> {
            Ok(Page {
                first: 1,
                wire: self.0.clone(),
            })
        }
    }

    #[test]
    fn streams_share_the_rest_of_an_event_of_the_history_too() {
        let mut log = Log::new(EventId { epoch: 1, seq: 2 }, 10, 1_000);
        let mut history = OneEvent(format!("data: {}\n\n", "x".repeat(200_000)));
        let mut serve = || Cursor::at(1, true).serve(&mut log, &mut history, 0, MAX_CHUNK);
        let first = serve().unwrap();
        assert_eq!(first.chunk.len(), MAX_CHUNK);
        assert_eq!(first.then, serve().unwrap().then, "it is one copy");
    }

    #[test]
    fn a_page_without_the_event_is_an_error() {
        let mut log = Log::new(EventId { epoch: 1, seq: 3 }, 10, 1_000);
        let mut history = OneEvent("data: x\n\n".into());
        let error = Cursor::at(2, true).serve(&mut log, &mut history, 0, MAX_CHUNK);
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("event 2 is missing")
        );
    }
}
