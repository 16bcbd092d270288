//! Tests of the log.

use super::*;

const FIRST: EventId = EventId {
    epoch: Epoch::new(1, 0),
    seq: 1,
};

/// Reads events as text. Returns the first event that was not read, too.
fn text(log: &Log, seq: u64, room: usize) -> (u64, String) {
    let mut out = Vec::new();
    let next = log.read(seq, room, &mut out);
    (next, String::from_utf8(out).unwrap())
}

fn push(log: &mut Log, event: &str) {
    let batch = Batch::from_wire(event.to_owned());
    log.remove_before(log.tail_with_room_for(&batch));
    log.append(&batch);
}

fn log_of(events: usize) -> Log {
    let mut log = Log::new("foo".to_owned(), FIRST, 10, 10_000);
    for n in 1..=events {
        push(&mut log, &format!("data: {n}\n\n"));
    }
    log
}

#[test]
fn a_full_log_holds_the_newest_events() {
    let mut log = Log::new("foo".to_owned(), FIRST, 3, 10_000);
    assert_eq!((log.tail(), log.head(), log.newest().seq), (1, 1, 0));
    for n in 1..=5 {
        push(&mut log, &format!("data: {n}\n\n"));
    }
    assert_eq!((log.tail(), log.head(), log.newest().seq), (3, 6, 5));
    let id = |seq| EventId {
        epoch: Epoch::new(1, 0),
        seq,
    };
    let expected = |n| format!("data: {n}\nid: {}\n\n", id(n));
    assert_eq!(
        text(&log, 3, usize::MAX),
        (6, expected(3) + &expected(4) + &expected(5))
    );
    assert_eq!(text(&log, 5, usize::MAX), (6, expected(5)));
    assert_eq!(text(&log, 6, usize::MAX), (6, String::new()));
    assert_eq!(String::from_utf8(log.event(4)).unwrap(), expected(4));
}

#[test]
fn a_log_frees_its_memory_after_a_burst() {
    let mut log = Log::new("foo".to_owned(), FIRST, 10, 1 << 20);
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

/// A log of 10 events, of which the last `small` are small and the others have `bytes`.
fn log_after_burst(bytes: usize, small: usize) -> Log {
    let mut log = Log::new("foo".to_owned(), FIRST, 10, 1 << 20);
    for _ in 0..10 {
        push(&mut log, &format!("data: {}\n\n", "x".repeat(bytes)));
    }
    for _ in 0..small {
        push(&mut log, "data: x\n\n");
    }
    log
}

#[test]
fn a_log_keeps_its_memory_if_little_is_unused_or_a_fifth_is_used() {
    for (bytes, small) in [(4_000, 10), (40_000, 5)] {
        let capacity = |small| log_after_burst(bytes, small).bytes.capacity();
        assert_eq!(capacity(small), capacity(0));
    }
}

#[test]
fn shrink_frees_all_unused_memory() {
    let mut log = log_after_burst(4_000, 10);
    log.shrink();
    assert!(log.memory() < 1_000, "{}", log.memory());
}

#[test]
fn a_read_copies_only_whole_events_that_fit() {
    let log = log_of(3);
    let one = text(&log, 1, usize::MAX).1.len() / 3;
    assert_eq!(text(&log, 1, one - 1), (1, String::new()));
    assert_eq!(text(&log, 1, one).0, 2);
    assert_eq!(text(&log, 2, 2 * one - 1).0, 3);
    assert_eq!(text(&log, 2, 2 * one).0, 4);
}

#[test]
fn a_page_of_the_log_is_one_event_without_its_id() {
    let log = log_of(3);
    let page = log.page(2).unwrap();
    assert_eq!((page.first, page.wire.as_str()), (2, "data: 2\n\n"));
}

#[test]
fn a_page_of_an_event_that_the_log_does_not_hold_is_an_error() {
    let log = log_of(12);
    for seq in [0, 2, 13, u64::MAX] {
        let error = log.page(seq).unwrap_err().to_string();
        assert!(error.contains("is not in the log"), "{error}");
    }
    assert!(log.page(3).is_ok() && log.page(12).is_ok());
}

#[test]
fn damaged_events_are_errors() {
    let mut log = log_of(1);
    log.bytes[0] = 0xff;
    let error = log.page(1).unwrap_err().to_string();
    assert!(error.contains("UTF-8"), "{error}");
    log.bytes.iter_mut().for_each(|byte| *byte = b'x');
    let error = log.page(1).unwrap_err().to_string();
    assert!(error.contains("has no id"), "{error}");
}

#[test]
#[should_panic(expected = "event 2 is not in the log")]
fn a_read_before_the_tail_is_a_bug_that_debug_builds_report() {
    text(&log_of(12), 2, usize::MAX);
}

#[test]
#[should_panic(expected = "event 14 is not in the log")]
fn a_read_after_the_head_is_a_bug_that_debug_builds_report() {
    text(&log_of(12), 14, usize::MAX);
}

#[test]
fn the_byte_limit_holds_where_the_ring_wraps_around() {
    let mut log = Log::new("foo".to_owned(), FIRST, 1_000, 500);
    for n in 0..200_usize {
        push(&mut log, &format!("data: {}\n\n", "x".repeat(n % 90)));
        assert!(log.bytes() <= 500);
        let (next, all) = text(&log, log.tail(), usize::MAX);
        assert_eq!(next, log.head());
        assert_eq!(all.len(), log.bytes());
        assert_eq!(sse::parse(&all).len() as u64, log.head() - log.tail());
    }
}

#[test]
fn streams_share_one_copy_of_a_partial_event_and_its_memory_is_counted() {
    let mut log = Log::new("foo".to_owned(), FIRST, 10, 1 << 20);
    push(&mut log, &format!("data: {}\n\n", "x".repeat(100_000)));
    let without = log.memory();
    let first = log.partial_event(1);
    assert!(Rc::ptr_eq(&first, &log.partial_event(1)));
    assert_eq!(*first, log.event(1));
    assert_eq!(log.memory(), without + first.capacity());
}
