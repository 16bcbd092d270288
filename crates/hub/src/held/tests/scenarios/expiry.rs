//! Streams whose token expires.

use super::{
    FeedAnswer, FrameHeader, LIMITS, all_open, ends, event, frame, header, id, in_event, one, run,
    several, written,
};
use crate::feed::{FeedClose, FeedMessage};
use crate::held::{Action, HeldLimits};
use crate::sse;

const EXPIRES: HeldLimits = HeldLimits {
    expires: Some(1_000),
    ..LIMITS
};

#[test]
fn an_expired_stream_ends_with_the_position_of_each_channel() {
    let mut stream = one(EXPIRES);
    frame(&mut stream, 0, header(9), &event(8), 10);
    let actions = run(&mut stream, 10, 1_000, true);
    assert_eq!(written(&actions), sse::expired_notice("a", id(8)));
    assert_eq!(ends(&actions), 1);

    let mut stream = all_open(2, EXPIRES);
    frame(&mut stream, 0, header(9), &event(8), 10);
    frame(&mut stream, 1, header(8), &sse::open_notice("b", id(7)), 10);
    let actions = run(&mut stream, 10, 1_000, true);
    let text = written(&actions);
    assert_eq!(text.matches("event: hub.expired").count(), 2, "{text}");
    assert!(text.contains(&format!("id: a/{};", id(8))));
    assert!(text.contains(&format!("id: b/{};", id(7))));
}

#[test]
fn an_expired_stream_in_the_middle_of_an_event_asks_for_the_rest_and_ends_after_it() {
    for mut stream in [one(EXPIRES), all_open(1, EXPIRES)] {
        frame(&mut stream, 0, in_event(9), "data: 8", 10);
        let actions = run(&mut stream, 10, 4_000, false);
        assert_eq!(actions, [Action::Send(0, FeedMessage::Finish)]);
        let actions = frame(&mut stream, 0, header(9), &event(8)[7..], 4_000);
        let text = written(&actions);
        assert!(text.contains("event: hub.expired"), "{text}");
        assert_eq!(ends(&actions), 1);
    }
}

#[test]
fn an_expired_stream_asks_each_channel_in_the_middle_of_an_event_for_the_rest() {
    let mut stream = all_open(2, EXPIRES);
    frame(&mut stream, 0, in_event(9), "data: 8", 10);
    frame(&mut stream, 1, in_event(9), "data: 8", 10);
    let actions = run(&mut stream, 10, 1_000, false);
    assert_eq!(actions, [Action::Send(0, FeedMessage::Finish)]);
    let actions = frame(&mut stream, 0, header(9), &event(8)[7..], 1_100);
    assert!(actions.contains(&Action::Send(1, FeedMessage::Finish)));
    let stalled = FeedClose::Stalled.code();
    assert_eq!(stream.note_closed(0, stalled, 1_100), []);
    let actions = frame(&mut stream, 1, header(9), &event(8)[7..], 1_200);
    let text = written(&actions);
    assert_eq!(text.matches("event: hub.expired").count(), 2, "{text}");
    assert_eq!(ends(&actions), 1);
}

#[test]
fn an_expired_stream_in_the_middle_of_an_event_ends_after_five_seconds_without_a_notice() {
    let mut stream = one(EXPIRES);
    frame(&mut stream, 0, in_event(9), "data: 8", 10);
    assert_eq!(ends(&run(&mut stream, 10, 5_999, true)), 0);
    let actions = run(&mut stream, 5_999, 6_000, true);
    assert_eq!((written(&actions).as_str(), ends(&actions)), ("", 1));
}

/// The position that the object has reported may follow a gap that the client was not told yet.
#[test]
fn an_expired_stream_has_no_position_of_a_channel_before_its_first_frame() {
    let mut stream = one(EXPIRES);
    let actions = run(&mut stream, 0, 1_000, true);
    assert_eq!((written(&actions).as_str(), ends(&actions)), ("", 1));
}

#[test]
fn an_expired_stream_has_no_notice_of_a_channel_that_has_ended() {
    let next = sse::EventId {
        epoch: sse::Epoch::new(6, 0),
        seq: 0,
    };
    let answers = [FeedAnswer::Opened(id(7)), FeedAnswer::Opened(id(7))];
    let (mut stream, _) = several(&answers, EXPIRES);
    let last = FrameHeader {
        ends: true,
        ..header(8)
    };
    frame(&mut stream, 0, last, &sse::end_notice("a", next), 10);
    frame(&mut stream, 1, header(9), &event(8), 10);
    let text = written(&run(&mut stream, 10, 1_000, true));
    assert!(!text.contains("id: a/"), "{text}");
    assert!(text.contains("id: b/"), "{text}");
}
