//! Streams of several channels, whose blocks must not be mixed.

use super::{
    Action, FeedAnswer, LIMITS, all_open, event, frame, header, id, in_event, run, several, written,
};
use crate::sse;

#[test]
fn frames_wait_until_the_event_of_another_channel_ends() {
    let mut stream = all_open(3, LIMITS);
    let whole = event(8);
    let (first, rest) = whole.split_at(4);
    assert_eq!(
        written(&frame(&mut stream, 0, in_event(9), first, 5)),
        first
    );
    assert_eq!(written(&frame(&mut stream, 1, header(9), &event(8), 5)), "");
    assert_eq!(written(&frame(&mut stream, 2, header(9), &event(8), 5)), "");
    let text = written(&frame(&mut stream, 0, header(9), rest, 5));
    let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
    let events: Vec<&str> = ids.map(|id| &id[..1]).collect();
    assert_eq!(events, ["a", "b", "c"]);
}

#[test]
fn a_notice_of_the_worker_waits_until_the_event_of_another_channel_ends() {
    let answers = [FeedAnswer::Opened(id(7)), FeedAnswer::Opened(id(7))];
    let (mut stream, _) = several(&answers, LIMITS);
    stream.note_progress(true, 5);
    frame(&mut stream, 0, in_event(9), "data: 8", 5);
    stream.note_closed(1, 1006, 5);
    let actions = run(&mut stream, 5, 1_000, true);
    assert!(actions.contains(&Action::Open(1, None)));
    let actions = stream.note_answer(1, FeedAnswer::Ended(id(9)), 1_000);
    assert_eq!(actions, [], "the notice waits");
    let text = written(&frame(&mut stream, 0, header(9), &event(8)[7..], 1_000));
    let at = |text: &str, part: &str| text.find(part).expect("it is written");
    assert!(at(&text, "id: a/") < at(&text, "event: hub.end"), "{text}");
}

#[test]
fn a_stream_ends_only_when_the_notices_that_wait_are_written() {
    let mut stream = all_open(2, LIMITS);
    frame(&mut stream, 0, in_event(9), "data: 8", 5);
    let last = super::FrameHeader {
        ends: true,
        ..header(8)
    };
    frame(&mut stream, 1, last, &sse::end_notice("b", id(7)), 5);
    assert!(stream.note_closed(1, 4001, 5).is_empty());
    let end = event(8)[7..].to_owned() + &sse::end_notice("a", id(8));
    let last = super::FrameHeader {
        ends: true,
        ..header(9)
    };
    let actions = frame(&mut stream, 0, last, &end, 5);
    let text = written(&actions);
    assert_eq!(text.matches("event: hub.end").count(), 2, "{text}");
    assert_eq!(actions.last(), Some(&Action::End));
}

#[test]
fn frames_that_wait_are_forgotten_if_their_feed_breaks() {
    let mut stream = all_open(2, LIMITS);
    frame(&mut stream, 1, header(9), &event(8), 5);
    frame(&mut stream, 0, in_event(9), "data: 8", 5);
    frame(&mut stream, 1, header(10), &event(9), 5);
    stream.note_closed(1, 1006, 5);
    let text = written(&frame(&mut stream, 0, header(9), &event(8)[7..], 5));
    assert!(!text.contains("id: b/"), "{text}");
    let actions = run(&mut stream, 5, 1_000, true);
    assert!(
        actions.contains(&Action::Open(1, Some(id(8)))),
        "{actions:?}"
    );
}

#[test]
fn a_channel_that_failed_and_continues_is_reported_as_open() {
    let mut stream = all_open(2, LIMITS);
    frame(&mut stream, 1, header(9), &event(8), 5);
    stream.note_closed(1, 1006, 5);
    let told = run(&mut stream, 5, 35_000, true);
    assert_eq!(written(&told).matches("event: hub.error").count(), 1);
    let answer = FeedAnswer::Opened(id(8));
    let actions = stream.note_answer(1, answer, 35_000);
    let text = written(&actions);
    assert!(
        text.starts_with("event: hub.open\ndata: {\"channel\":\"b\","),
        "{text}"
    );
    assert!(text.contains("\nid: b/"), "{text}");
}

#[test]
fn the_ids_of_a_stream_have_the_start_of_each_channel_that_is_open() {
    let answers = [
        FeedAnswer::Opened(id(7)),
        FeedAnswer::Opened(id(3)),
        FeedAnswer::Failed(super::PROBLEM.into()),
    ];
    let (mut stream, actions) = several(&answers, LIMITS);
    assert_eq!(written(&actions).matches("event: hub.error").count(), 1);
    let text = written(&frame(&mut stream, 0, header(9), &event(8), 5));
    let text = text.lines().find_map(|line| line.strip_prefix("id: "));
    let combined: sse::CombinedId = text.unwrap().parse().unwrap();
    assert_eq!(combined.position("a"), Some(id(8)));
    assert_eq!(combined.position("b"), Some(id(3)));
    assert_eq!(combined.position("c"), None);
}
