//! Feeds that break.

use super::{
    Action, FeedAnswer, LIMITS, Millis, PROBLEM, all_open, ends, event, frame, header, id,
    in_event, one, retry, run, several, written,
};
use crate::feed::FeedClose;
use crate::held::HeldStream;

fn opens(actions: &[Action]) -> bool {
    actions
        .iter()
        .any(|action| matches!(action, Action::Open(..)))
}

/// Fails each request until `end`. Returns the times of the requests and all actions.
fn fail_until(stream: &mut HeldStream, from: Millis, end: Millis) -> (Vec<Millis>, Vec<Action>) {
    let (mut now, mut times, mut all) = (from, Vec::new(), Vec::new());
    while now < end && !stream.has_ended() {
        now = stream.next_tick(now).min(end);
        let mut actions = stream.note_progress(true, now);
        actions.extend(stream.tick(now));
        if opens(&actions) {
            times.push(now);
            let failed = FeedAnswer::Failed("{\"status\":507}".into());
            all.extend(stream.note_answer(0, failed, now));
        }
        all.extend(actions);
    }
    (times, all)
}

#[test]
fn a_feed_that_breaks_is_opened_again_after_the_last_whole_event() {
    let mut stream = one(LIMITS);
    for code in [
        1006,
        FeedClose::Unreadable.code(),
        FeedClose::BadMessage.code(),
    ] {
        frame(&mut stream, 0, header(12), "four events", 5);
        stream.note_progress(true, 5);
        assert!(stream.note_closed(0, code, 5).is_empty());
        let actions = run(&mut stream, 5, 205, true);
        assert_eq!(actions, [Action::Open(0, Some(id(11)))]);
        assert!(
            stream
                .note_answer(0, FeedAnswer::Opened(id(11)), 205)
                .is_empty()
        );
    }
    assert_eq!(
        frame(&mut stream, 0, header(13), &event(12), 300),
        [Action::PassOn]
    );
}

#[test]
fn a_feed_that_breaks_before_its_first_frame_is_opened_as_the_client_has_asked() {
    let mut stream = one(LIMITS);
    stream.note_closed(0, 1006, 5);
    assert_eq!(run(&mut stream, 5, 300, true), [Action::Open(0, None)]);
}

#[test]
fn a_stream_ends_if_a_feed_breaks_in_the_middle_of_an_event() {
    for mut stream in [one(LIMITS), all_open(2, LIMITS)] {
        frame(&mut stream, 0, in_event(9), "data: 8", 5);
        assert_eq!(stream.note_closed(0, 1006, 5), [Action::End]);
    }
}

#[test]
fn a_feed_is_opened_again_only_after_the_client_has_taken_what_the_last_one_delivered() {
    let mut stream = one(LIMITS);
    frame(&mut stream, 0, header(9), &event(8), 5);
    stream.note_closed(0, 1006, 5);
    assert!(!opens(&run(&mut stream, 5, 20_000, false)));
    assert_eq!(
        stream.note_progress(true, 20_000),
        [Action::Open(0, Some(id(8)))]
    );
    assert!(
        stream.note_progress(true, 20_001).is_empty(),
        "it asks once"
    );
}

#[test]
fn a_stream_whose_only_feed_stays_broken_ends_with_the_problem_and_a_retry() {
    let mut stream = one(LIMITS);
    stream.note_progress(true, 0);
    stream.note_closed(0, 1006, 0);
    let (times, actions) = fail_until(&mut stream, 0, 29_999);
    assert!((8..=16).contains(&times.len()), "{times:?}");
    assert_eq!(
        (
            written(&actions).matches("hub.error").count(),
            ends(&actions)
        ),
        (0, 0)
    );
    let (_, actions) = fail_until(&mut stream, 29_999, 40_000);
    assert!(written(&actions).contains("event: hub.error\ndata: {\"status\":507}\n"));
    assert!((5_000..=15_000).contains(&retry(&actions).unwrap()));
    assert_eq!(ends(&actions), 1);
}

/// For example, the object cannot read the next event, or fails after it has answered.
#[test]
fn a_feed_that_breaks_soon_after_each_opening_is_opened_less_and_less_often_until_the_stream_ends()
{
    let mut stream = one(LIMITS);
    frame(&mut stream, 0, header(9), &event(8), 0);
    stream.note_progress(true, 0);
    stream.note_closed(0, 1006, 0);
    let (mut now, mut times, mut all) = (0, 0, Vec::new());
    while !stream.has_ended() {
        now = stream.next_tick(now);
        let mut actions = stream.note_progress(true, now);
        actions.extend(stream.tick(now));
        if opens(&actions) {
            times += 1;
            stream.note_answer(0, FeedAnswer::Opened(id(8)), now);
            stream.note_closed(0, FeedClose::Unreadable.code(), now + 100);
        }
        all.extend(actions);
    }
    assert!((8..=16).contains(&times), "{times}");
    assert!((30_000..30_100).contains(&now), "{now}");
    assert!(written(&all).contains("event: hub.error"));
}

#[test]
fn a_feed_that_breaks_long_after_it_was_opened_again_is_opened_soon() {
    let mut stream = one(LIMITS);
    frame(&mut stream, 0, header(9), &event(8), 0);
    stream.note_progress(true, 0);
    for now in [0, 10_000, 50_000] {
        stream.note_closed(0, 1006, now);
        let actions = run(&mut stream, now, now + 200, true);
        assert!(actions.contains(&Action::Open(0, Some(id(8)))));
        stream.note_answer(0, FeedAnswer::Opened(id(8)), now + 200);
    }
}

#[test]
fn a_channel_that_stays_broken_is_told_once_and_tried_again_while_another_is_open() {
    let mut stream = all_open(2, LIMITS);
    stream.note_progress(true, 0);
    stream.note_closed(0, 1006, 0);
    stream.note_pong(1);
    let (times, actions) = fail_until(&mut stream, 0, 59_000);
    assert_eq!(written(&actions).matches("event: hub.error").count(), 1);
    assert!(times.last() > Some(&40_000), "{times:?}");
    assert_eq!(ends(&actions), 0);
    assert!(frame(&mut stream, 1, header(9), &event(8), 59_000).len() == 1);
}

#[test]
fn a_stream_ends_if_no_channel_is_left_that_is_not_broken() {
    let answers = [
        FeedAnswer::Failed(PROBLEM.into()),
        FeedAnswer::Opened(id(7)),
    ];
    let (mut stream, actions) = several(&answers, LIMITS);
    assert!(written(&actions).contains(&format!("event: hub.error\ndata: {PROBLEM}\n")));
    stream.note_closed(1, FeedClose::ChannelEnded.code(), 5);
    assert!(!stream.has_ended());
    let actions = run(&mut stream, 5, 20_000, true);
    assert!((5_000..=15_000).contains(&retry(&actions).unwrap()));
    assert_eq!(ends(&actions), 1);
}

#[test]
fn a_channel_that_could_not_be_opened_at_first_is_opened_later() {
    let answers = [
        FeedAnswer::Failed(PROBLEM.into()),
        FeedAnswer::Opened(id(7)),
    ];
    let (mut stream, _) = several(&answers, LIMITS);
    let actions = run(&mut stream, 0, 15_000, true);
    assert!(actions.contains(&Action::Open(0, None)));
    stream.note_answer(0, FeedAnswer::Opened(id(3)), 15_000);
    let text = written(&frame(&mut stream, 0, header(5), &event(4), 15_000));
    assert!(text.contains(&format!("id: a/{};", id(4))), "{text}");
}
