//! Tests of chunks.

use super::*;
use crate::history::{NoHistory, Page};
use crate::hub::MAX_CHUNK;
use crate::sse::Epoch;

fn next_chunk(cursor: &Cursor, log: &mut Log) -> Chunk {
    let dropped = MissedEvents::Dropped;
    cursor
        .next_chunk(dropped, log, &mut NoHistory, 0, MAX_CHUNK)
        .unwrap()
}

/// A log of events with data of these sizes. The first event has the number 1.
fn log_of(sizes: &[usize]) -> Log {
    let mut log = Log::new(
        "foo".to_owned(),
        EventId {
            epoch: Epoch::new(1, 0),
            seq: 1,
        },
        1_000,
        1 << 20,
    );
    for size in sizes {
        let batch = sse::Batch::from_wire(format!("data: {}\n\n", "x".repeat(*size)));
        log.remove_before(log.tail_with_room_for(&batch));
        log.append(&batch);
    }
    log
}

/// Makes chunks until the cursor is level. Returns the chunks and the number of events in their notices.
fn all_chunks(mut cursor: Cursor, log: &mut Log) -> (Vec<Vec<u8>>, u64) {
    let (mut chunks, mut notified) = (Vec::new(), 0);
    while cursor.is_behind(log.head()) {
        let Chunk { bytes, after } = next_chunk(&cursor, log);
        assert!(!bytes.is_empty());
        assert_eq!(after.bytes, bytes.len());
        chunks.push(bytes);
        notified += after.notified;
        cursor = after.cursor;
    }
    (chunks, notified)
}

#[test]
fn all_events_come_in_chunks_of_at_most_64_kib() {
    let mut log = log_of(&[100, 70_000, 3, 30_000, 30_000, 30_000, 200_000, 1]);
    let (chunks, notified) = all_chunks(Cursor::new(1), &mut log);
    assert!(chunks.iter().all(|chunk| chunk.len() <= MAX_CHUNK));
    let mut expected = Vec::new();
    log.read(1, usize::MAX, &mut expected);
    assert_eq!(chunks.concat(), expected);
    assert_eq!(notified, 0);
}

#[test]
fn a_notice_comes_after_the_rest_of_a_partial_event() {
    // With the second size, the chunk has too little room for the notice after the rest of the event.
    for size in [100_000, 2 * MAX_CHUNK - 60] {
        let first = next_chunk(&Cursor::new(1), &mut log_of(&[size]));
        assert_eq!(first.bytes.len(), MAX_CHUNK);
        let mut log = log_of(&[1; 2_000]);
        let (chunks, notified) = all_chunks(first.after.cursor, &mut log);
        assert!(chunks.iter().all(|chunk| chunk.len() <= MAX_CHUNK));
        assert_eq!(notified, 999);
        let bytes = [first.bytes, chunks.concat()].concat();
        let events = sse::parse(std::str::from_utf8(&bytes).unwrap());
        assert_eq!(events[0].data.len(), size);
        assert_eq!(events[1].event_type, "hub.dropped");
        assert_eq!(events.len(), 2 + 1_000);
    }
}

#[test]
fn streams_at_the_same_position_share_one_copy_of_a_partial_event() {
    let mut log = log_of(&[100_000, 5]);
    let first = next_chunk(&Cursor::new(1), &mut log).after.cursor;
    let second = next_chunk(&Cursor::new(1), &mut log).after.cursor;
    assert!(first.is_in_event());
    assert_ne!(first, Cursor::new(2));
    assert_eq!(first, second);
}

/// A history that holds the events of one page, and says that `tail` is the oldest event it holds.
struct OnePage {
    tail: u64,
    page: Page,
}

impl OnePage {
    fn new(first: u64, wire: String) -> Self {
        let page = Page { first, wire };
        Self { tail: first, page }
    }

    fn next_chunk(&mut self, next_seq: u64, log: &mut Log) -> Result<Chunk, HistoryError> {
        let replayed = MissedEvents::Replayed;
        Cursor::new(next_seq).next_chunk(replayed, log, self, 0, MAX_CHUNK)
    }
}

impl History for OnePage {
    fn tail(&mut self, _now: Millis) -> Result<Option<u64>, HistoryError> {
        Ok(Some(self.tail))
    }

    fn page(&mut self, _seq: u64) -> Result<Page, HistoryError> {
        Ok(self.page.clone())
    }
}

fn empty_log(next_seq: u64) -> Log {
    let next = EventId {
        epoch: Epoch::new(1, 0),
        seq: next_seq,
    };
    Log::new("foo".to_owned(), next, 10, 1_000)
}

#[test]
fn streams_share_one_copy_of_a_partial_event_of_the_history() {
    let mut log = empty_log(2);
    let mut history = OnePage::new(1, format!("data: {}\n\n", "x".repeat(200_000)));
    let first = history.next_chunk(1, &mut log).unwrap();
    assert_eq!(first.bytes.len(), MAX_CHUNK);
    let second = history.next_chunk(1, &mut log).unwrap();
    assert_eq!(first.after.cursor, second.after.cursor);
}

#[test]
fn a_page_without_the_next_event_is_an_error() {
    let mut log = empty_log(3);
    let mut history = OnePage::new(1, "data: x\n\n".into());
    let error = history.next_chunk(2, &mut log).unwrap_err();
    assert!(error.to_string().contains("event 2 is missing"), "{error}");
}

#[test]
fn events_that_the_history_does_not_hold_are_a_gap_that_is_not_a_drop() {
    let mut log = empty_log(5);
    let mut history = OnePage::new(4, "data: x\n\n".into());
    let chunk = history.next_chunk(2, &mut log).unwrap();
    assert_eq!(chunk.after.notified, 0);
    assert_eq!(chunk.after.cursor, Cursor::new(5));
    let events = sse::parse(std::str::from_utf8(&chunk.bytes).unwrap());
    assert_eq!(events[0].event_type, "hub.gap");
    assert!(events[0].data.contains("\"count\":2"), "{}", events[0].data);
    assert_eq!(events[1].data, "x");
}

#[test]
fn events_of_a_page_that_are_in_the_log_are_read_from_the_log() {
    let mut log = empty_log(2);
    log.append(&sse::Batch::from_wire("data: log\n\n".into()));
    let mut history = OnePage::new(1, "data: page\n\ndata: page\n\ndata: page\n\n".into());
    let chunk = history.next_chunk(1, &mut log).unwrap();
    let events = sse::parse(std::str::from_utf8(&chunk.bytes).unwrap());
    let data: Vec<&str> = events.iter().map(|event| event.data.as_str()).collect();
    assert_eq!(data, ["page", "log"]);
}

/// The first id after the channel was deleted.
fn next_epoch() -> EventId {
    EventId {
        epoch: Epoch::new(2, 0),
        seq: 1,
    }
}

#[test]
fn a_stream_that_is_level_with_an_ended_channel_gets_the_end_and_no_other_stream_does() {
    let mut log = log_of(&[10, 2 * MAX_CHUNK]);
    log.end();
    let types =
        |next_seq, log: &mut Log| event_types(next_chunk(&Cursor::new(next_seq), log).bytes);
    assert_eq!(types(3, &mut log), ["hub.end"]);
    assert_eq!(types(1, &mut log), [""], "the large event is still missing");
    let in_event = next_chunk(&Cursor::new(2), &mut log).after.cursor;
    assert!(in_event.is_in_event());
    let rest = next_chunk(&in_event, &mut log);
    let rest = next_chunk(&rest.after.cursor, &mut log).bytes;
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.ends_with(
        "data: {\"channel\":\"foo\",\"id\":\"0000000020000-2\"}\nid: 0000000020000-2\n\n"
    ));
    log.append(&sse::Batch::from_wire("data: x\n\n".into()));
    assert_eq!(types(3, &mut log), [""], "the channel is open again");
}

/// Returns the types of the events in the last chunk of a stream.
fn event_types(chunk: Vec<u8>) -> Vec<String> {
    let events = sse::parse(std::str::from_utf8(&chunk).unwrap());
    events.into_iter().map(|event| event.event_type).collect()
}

#[test]
fn the_last_chunk_of_a_deleted_channel_has_a_notice_only_if_events_are_missing() {
    let log = empty_log(5);
    let next = next_epoch();
    let chunk =
        |next_seq, missed| event_types(Cursor::new(next_seq).deletion_chunk(missed, &log, next));
    assert_eq!(chunk(5, MissedEvents::Dropped), ["hub.end"]);
    assert_eq!(chunk(5, MissedEvents::Replayed), ["hub.end"]);
    assert_eq!(chunk(4, MissedEvents::Dropped), ["hub.dropped", "hub.end"]);
    assert_eq!(chunk(4, MissedEvents::Replayed), ["hub.gap", "hub.end"]);
}

#[test]
fn the_last_chunk_of_a_stream_completes_its_partial_event() {
    let mut log = log_of(&[2 * MAX_CHUNK]);
    let Chunk { bytes, after } = next_chunk(&Cursor::new(1), &mut log);
    let deleted = after
        .cursor
        .deletion_chunk(MissedEvents::Dropped, &log, next_epoch());
    let expired = after.cursor.expired_chunk(&log);
    for (last_chunk, notice, id) in [
        (deleted, "hub.end", "0000000040000-0"),
        (expired, "hub.expired", "0000000020000-1"),
    ] {
        let all = [bytes.clone(), last_chunk].concat();
        let events = sse::parse(std::str::from_utf8(&all).unwrap());
        assert_eq!(events[0].data.len(), 2 * MAX_CHUNK);
        assert_eq!(events[1].event_type, notice);
        let data = format!(r#"{{"channel":"foo","id":"{id}"}}"#);
        assert_eq!(events[1].data, data);
        assert_eq!(events.len(), 2);
    }
}

#[test]
fn without_a_history_all_events_before_the_log_are_a_gap() {
    let mut log = log_of(&[1; 1_005]);
    let replayed = MissedEvents::Replayed;
    let chunk = Cursor::new(2)
        .next_chunk(replayed, &mut log, &mut NoHistory, 0, MAX_CHUNK)
        .unwrap();
    let events = sse::parse(std::str::from_utf8(&chunk.bytes).unwrap());
    assert_eq!(events[0].event_type, "hub.gap");
    assert!(events[0].data.contains("\"count\":4"), "{}", events[0].data);
    assert_eq!(events.len(), 1 + 1_000);
}

#[test]
fn the_chunk_of_a_level_cursor_is_empty() {
    let mut log = log_of(&[1]);
    let chunk = next_chunk(&Cursor::new(2), &mut log);
    assert!(chunk.bytes.is_empty());
    assert_eq!(chunk.after.cursor, Cursor::new(2));
}

#[test]
fn an_event_is_given_in_parts_only_if_it_does_not_fit_an_empty_chunk() {
    let mut log = log_of(&[40_000, 40_000, 70_000]);
    for (next_seq, in_event) in [(1, false), (2, false), (3, true)] {
        let after = next_chunk(&Cursor::new(next_seq), &mut log).after;
        assert_eq!(after.cursor.next_seq, next_seq + 1);
        assert_eq!(after.cursor.is_in_event(), in_event);
    }
}

#[test]
fn a_notice_that_fills_the_chunk_exactly_is_given() {
    let mut log = log_of(&[1; 1_005]);
    let chunk = |log: &mut Log, max_bytes| {
        let dropped = MissedEvents::Dropped;
        Cursor::new(2).next_chunk(dropped, log, &mut NoHistory, 0, max_bytes)
    };
    let notice = Notice::Dropped.encode("foo", &Missing::between(Epoch::new(1, 0), 2, 5));
    let exact = chunk(&mut log, notice.len()).unwrap();
    assert_eq!(exact.bytes, notice.into_bytes());
    assert_eq!(exact.after.notified, 4);
    let too_small = chunk(&mut log, exact.bytes.len() - 1).unwrap();
    assert!(too_small.bytes.is_empty());
    assert_eq!(too_small.after.cursor, Cursor::new(2));
}

/// The event has left the log, and the next events are in the history.
#[test]
fn a_chunk_that_the_partial_event_fills_needs_no_read_of_the_history() {
    let partial = next_chunk(&Cursor::new(1), &mut log_of(&[3 * MAX_CHUNK])).after;
    let mut log = empty_log(5);
    let replayed = MissedEvents::Replayed;
    let mut next = |cursor: &Cursor| {
        let chunk = cursor.next_chunk(replayed, &mut log, &mut NoPages, 0, MAX_CHUNK);
        chunk.map(|chunk| chunk.after.cursor)
    };
    let second = next(&partial.cursor).unwrap();
    assert!(second.is_in_event());
    let third = next(&second).unwrap();
    assert!(third.is_in_event());
    assert!(next(&third).is_err(), "there is room for more events");
}

/// A history whose pages cannot be read.
struct NoPages;

impl History for NoPages {
    fn tail(&mut self, _now: Millis) -> Result<Option<u64>, HistoryError> {
        Ok(Some(1))
    }

    fn page(&mut self, seq: u64) -> Result<Page, HistoryError> {
        Err(HistoryError(format!("event {seq} cannot be read")))
    }
}
