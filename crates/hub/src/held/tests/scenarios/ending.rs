//! Streams that end.

use super::{
    Action, FeedAnswer, FrameHeader, LIMITS, all_open, ends, event, frame, header, id, in_event,
    one, retry, several, written,
};
use crate::feed::FeedClose;
use crate::held::HeldLimits;
use crate::sse;

fn last(next_seq: u64) -> FrameHeader {
    FrameHeader {
        ends: true,
        ..header(next_seq)
    }
}

#[test]
fn a_stream_ends_after_its_limit_of_messages_with_a_short_retry() {
    let limits = HeldLimits {
        max_messages: Some(3),
        ..LIMITS
    };
    for mut stream in [one(limits.clone()), all_open(2, limits.clone())] {
        for seq in [8, 9] {
            assert_eq!(
                ends(&frame(&mut stream, 0, header(seq + 1), &event(seq), 5)),
                0
            );
        }
        let actions = frame(&mut stream, 0, header(11), &event(10), 5);
        assert_eq!(actions.last(), Some(&Action::End));
        assert!((100..=1_000).contains(&retry(&actions).unwrap()));
        assert!(frame(&mut stream, 0, header(12), &event(11), 5).is_empty());
    }
}

#[test]
fn a_stream_in_the_middle_of_an_event_exceeds_its_limit_of_messages_until_the_event_ends() {
    let limits = HeldLimits {
        max_messages: Some(1),
        ..LIMITS
    };
    for mut stream in [one(limits.clone()), all_open(2, limits.clone())] {
        assert_eq!(ends(&frame(&mut stream, 0, in_event(9), "data: 8", 5)), 0);
        let actions = frame(&mut stream, 0, header(9), &event(8)[7..], 5);
        assert_eq!(ends(&actions), 1);
    }
}

#[test]
fn a_server_that_stops_ends_a_stream_with_a_retry() {
    let mut stream = one(LIMITS);
    let actions = stream.stop();
    assert!((2_000..=4_000).contains(&retry(&actions).unwrap()));
    assert_eq!(ends(&actions), 1);
    assert!(stream.stop().is_empty());

    let mut stream = one(LIMITS);
    let actions = stream.note_closed(0, FeedClose::Stopping.code(), 5);
    assert!((2_000..=4_000).contains(&retry(&actions).unwrap()));
    assert_eq!(ends(&actions), 1);
}

#[test]
fn a_stream_that_ends_in_the_middle_of_an_event_gets_no_retry_there() {
    for mut stream in [one(LIMITS), all_open(2, LIMITS)] {
        frame(&mut stream, 0, in_event(9), "data: 8", 5);
        assert_eq!(stream.stop(), [Action::End]);
    }
}

#[test]
fn a_stream_whose_feed_has_stalled_ends_at_once() {
    let mut stream = all_open(2, LIMITS);
    let actions = stream.note_closed(1, FeedClose::Stalled.code(), 5);
    assert_eq!(actions, [Action::End]);
}

#[test]
fn a_stream_goes_on_until_its_last_channel_has_ended() {
    let mut stream = all_open(3, LIMITS);
    let actions = frame(&mut stream, 0, last(8), &sse::end_notice("a", id(7)), 5);
    assert!(written(&actions).contains(&format!("id: a/{};", id(7))));
    assert_eq!(ends(&actions), 0);
    assert_eq!(stream.note_closed(0, FeedClose::ChannelEnded.code(), 5), []);
    assert_eq!(stream.note_closed(1, FeedClose::ChannelEnded.code(), 5), []);
    let actions = frame(&mut stream, 2, header(9), &event(8), 5);
    assert!(written(&actions).contains(&format!("id: c/{};", id(8))));
    let actions = frame(&mut stream, 2, last(9), &sse::end_notice("c", id(8)), 5);
    assert_eq!(ends(&actions), 1);
}

/// The connection may break before the object closes the feed.
#[test]
fn a_feed_that_breaks_after_the_end_of_its_channel_is_not_opened_again() {
    let mut stream = one(LIMITS);
    let actions = frame(&mut stream, 0, last(8), &sse::end_notice("a", id(7)), 5);
    assert_eq!(actions, [Action::PassOn, Action::End]);

    let mut stream = all_open(2, LIMITS);
    frame(&mut stream, 0, last(8), &sse::end_notice("a", id(7)), 5);
    assert!(stream.note_closed(0, 1006, 5).is_empty());
    let actions = super::run(&mut stream, 5, 40_000, true);
    assert!(
        !actions
            .iter()
            .any(|action| matches!(action, Action::Open(..)))
    );
}

#[test]
fn a_stream_ends_once_if_its_last_channel_has_ended_while_it_was_opened_again() {
    let answers = [FeedAnswer::Ended(id(7)), FeedAnswer::Opened(id(7))];
    let (mut stream, actions) = several(&answers, LIMITS);
    assert!(written(&actions).contains("event: hub.end"));
    stream.note_progress(true, 5);
    stream.note_closed(1, 1006, 5);
    let actions = super::run(&mut stream, 5, 1_000, true);
    assert!(actions.contains(&Action::Open(1, None)));
    let actions = stream.note_answer(1, FeedAnswer::Ended(id(9)), 1_000);
    assert!(written(&actions).contains(&format!("id: b/{};", id(9))));
    assert_eq!(ends(&actions), 1);
}

#[test]
fn nothing_happens_after_the_client_has_left() {
    let mut stream = one(LIMITS);
    assert!(stream.note_left().is_empty());
    assert!(stream.has_ended());
    assert!(frame(&mut stream, 0, header(9), &event(8), 5).is_empty());
    assert!(stream.note_closed(0, 1006, 5).is_empty());
    assert!(stream.tick(1_000_000).is_empty());
    assert!(stream.stop().is_empty());
}
