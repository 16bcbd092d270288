//! Heartbeats, pings and streams that stall.

use super::{Action, LIMITS, all_open, ends, event, frame, header, in_event, one, run, written};
use crate::held::HeldLimits;

#[test]
fn a_held_stream_gets_a_heartbeat_in_time_if_nothing_else_is_written() {
    let mut stream = one(LIMITS);
    stream.note_progress(true, 0);
    let actions = run(&mut stream, 0, 45_000, true);
    let heartbeats = written(&actions).lines().count();
    assert!((3..=4).contains(&heartbeats), "{heartbeats}");
    frame(&mut stream, 0, header(9), &event(8), 45_000);
    assert_eq!(written(&run(&mut stream, 45_000, 55_000, true)), "");
}

#[test]
fn a_client_that_takes_nothing_gets_one_heartbeat_at_most() {
    let mut stream = one(LIMITS);
    let actions = run(&mut stream, 0, 50_000, false);
    assert_eq!(written(&actions), "", "its first bytes wait");
    stream.note_progress(true, 50_000);
    let actions = run(&mut stream, 50_000, 110_000, false);
    assert_eq!(written(&actions), ":\n");
}

#[test]
fn no_heartbeat_is_written_in_the_middle_of_an_event() {
    for mut stream in [one(LIMITS), all_open(2, LIMITS)] {
        frame(&mut stream, 0, in_event(9), "data: 8", 0);
        assert_eq!(written(&run(&mut stream, 0, 50_000, true)), "");
        frame(&mut stream, 0, header(9), &event(8)[7..], 50_000);
        assert!(written(&run(&mut stream, 50_000, 59_999, true)).is_empty());
        assert!(written(&run(&mut stream, 59_999, 65_000, true)).starts_with(":\n"));
    }
}

#[test]
fn a_feed_that_does_not_answer_a_ping_is_closed_and_opened_again() {
    let mut stream = one(LIMITS);
    stream.note_progress(true, 0);
    let pings = |actions: &[Action]| actions.contains(&Action::Ping(0));
    assert!(pings(&run(&mut stream, 0, 60_000, true)));
    stream.note_pong(0);
    assert!(pings(&run(&mut stream, 60_000, 120_000, true)));
    let actions = run(&mut stream, 120_000, 181_000, true);
    assert!(!pings(&actions));
    assert!(actions.contains(&Action::Close(0)));
    assert!(actions.contains(&Action::Open(0, None)), "it had no frame");
}

#[test]
fn a_feed_whose_frames_arrive_is_not_lost() {
    let mut stream = one(LIMITS);
    for minute in 0..5 {
        frame(
            &mut stream,
            0,
            header(9 + minute),
            &event(8 + minute),
            minute * 60_000,
        );
        let actions = run(&mut stream, minute * 60_000, (minute + 1) * 60_000, true);
        assert!(!actions.contains(&Action::Close(0)));
    }
}

#[test]
fn a_held_stream_ends_if_its_client_takes_nothing_for_the_stall_limit() {
    let limits = HeldLimits {
        stall: Some(60_000),
        ..LIMITS
    };
    let mut stream = one(limits.clone());
    assert_eq!(ends(&run(&mut stream, 0, 59_999, false)), 0);
    assert_eq!(ends(&run(&mut stream, 59_999, 60_000, false)), 1);
    let mut stream = one(limits);
    assert_eq!(ends(&run(&mut stream, 0, 50_000, false)), 0);
    stream.note_progress(true, 50_000);
    frame(&mut stream, 0, header(9), &event(8), 55_000);
    assert_eq!(ends(&run(&mut stream, 55_000, 114_999, false)), 0);
    assert_eq!(ends(&run(&mut stream, 114_999, 115_000, false)), 1);
}

#[test]
fn without_a_stall_limit_a_client_may_take_nothing_forever() {
    let mut stream = one(LIMITS);
    frame(&mut stream, 0, header(9), &event(8), 0);
    for hour in 0..5 {
        frame(&mut stream, 0, header(10), "", hour * 3_600_000);
        stream.note_pong(0);
    }
    assert!(!stream.has_ended());
    let mut stream = one(LIMITS);
    assert_eq!(ends(&run(&mut stream, 0, 100_000, false)), 0);
}
