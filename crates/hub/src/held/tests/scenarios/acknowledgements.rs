//! Acknowledgements, and answers to the question how many bytes the Worker holds.

use super::{Action, LIMITS, all_open, frame, header, in_event, one};
use crate::feed::{ACKNOWLEDGE_BYTES, FeedMessage, FrameHeader, Window};
use crate::held::HeldStream;

fn send(stream: &mut HeldStream, bytes: usize, asks: bool) -> Vec<Action> {
    let header = FrameHeader { asks, ..header(9) };
    stream.note_frame(0, header, bytes, || vec![b'x'; bytes], 5)
}

const HALF: usize = ACKNOWLEDGE_BYTES / 2;

fn taken(bytes: usize) -> Action {
    Action::Send(0, FeedMessage::Taken(bytes.try_into().unwrap()))
}

fn holds(bytes: usize) -> Action {
    Action::Send(0, FeedMessage::Holds(bytes.try_into().unwrap()))
}

#[test]
fn half_a_window_is_acknowledged_when_the_client_has_taken_it() {
    let mut stream = one(LIMITS);
    send(&mut stream, HALF, false);
    assert!(stream.note_progress(true, 5).is_empty(), "too few bytes");
    send(&mut stream, HALF, false);
    assert!(stream.note_progress(false, 5).is_empty());
    assert_eq!(stream.note_progress(true, 5), [taken(2 * HALF)]);
    assert!(stream.note_progress(true, 5).is_empty());
}

#[test]
fn the_client_is_asked_soon_and_then_rarely_while_the_object_waits() {
    let mut stream = one(LIMITS);
    send(&mut stream, HALF, false);
    stream.note_progress(false, 5);
    assert!(stream.next_tick(5) > 5_000, "the object does not wait");
    send(&mut stream, HALF, false);
    assert_eq!(stream.next_tick(5), 7);
    let mut now = 5;
    for _ in 0..20 {
        now = stream.next_tick(now);
        stream.note_progress(false, now);
        stream.tick(now);
    }
    assert_eq!(stream.next_tick(now), now + 250);
}

#[test]
fn an_object_that_asks_is_told_what_the_client_has_not_taken() {
    let mut stream = one(LIMITS);
    assert_eq!(
        send(&mut stream, 100, true),
        [Action::PassOn],
        "nothing was held"
    );
    assert_eq!(send(&mut stream, 20, true), [holds(120), Action::PassOn]);
    stream.note_progress(true, 5);
    assert_eq!(send(&mut stream, 7, true), [Action::PassOn]);
    send(&mut stream, ACKNOWLEDGE_BYTES - 7, false);
    assert_eq!(stream.note_progress(true, 5), [taken(ACKNOWLEDGE_BYTES)]);
}

/// The object would subtract the acknowledgement from bytes that it has sent after its sleep.
#[test]
fn the_worker_acknowledges_only_while_the_window_is_shut_so_that_the_object_is_awake() {
    for bytes in [ACKNOWLEDGE_BYTES - 1, ACKNOWLEDGE_BYTES] {
        let mut stream = one(LIMITS);
        send(&mut stream, bytes, false);
        let acknowledges = !stream.note_progress(true, 5).is_empty();
        assert_eq!(acknowledges, !Window::new(bytes).is_open());
    }
}

#[test]
fn frames_that_wait_for_another_channel_are_not_acknowledged() {
    let mut stream = all_open(2, LIMITS);
    frame(&mut stream, 1, in_event(9), "data: 8", 5);
    send(&mut stream, ACKNOWLEDGE_BYTES, false);
    assert!(stream.note_progress(true, 5).is_empty());
    frame(&mut stream, 1, header(9), "\n\n", 5);
    assert_eq!(stream.note_progress(true, 5), [taken(ACKNOWLEDGE_BYTES)]);
}

#[test]
fn a_feed_that_was_opened_again_starts_with_nothing_to_acknowledge() {
    let mut stream = one(LIMITS);
    send(&mut stream, ACKNOWLEDGE_BYTES - 1, false);
    stream.note_closed(0, 1006, 5);
    stream.note_progress(true, 1_000);
    stream.note_answer(0, super::FeedAnswer::Opened(super::id(8)), 1_000);
    send(&mut stream, 1, false);
    assert!(stream.note_progress(true, 1_000).is_empty());
}
