//! Slow streams: what they drop, and how long publishers wait for them.

use crate::hub::Evict;
use crate::hub::tests::model::Model;
use crate::sse::{self, Batch};
use crate::{Change, Readiness, ReplayFrom};

/// A batch of events with data of these sizes.
fn batch(events: usize, size: usize) -> Batch {
    let mut wire = String::new();
    for _ in 0..events {
        sse::write_event(&mut wire, "", &"x".repeat(size));
    }
    Batch::from_wire(wire)
}

/// A model with a client that keeps up (number 0), and one that has dropped events and takes nothing (number 1).
fn with_dropping_client() -> Model {
    let mut model = Model::new(8, 10_000);
    model.join_and_take(true);
    model.join_and_take(false);
    for _ in 0..3 {
        model.publish(&[1; 8]);
    }
    assert_eq!(model.hub.stats().busy, 1);
    model
}

/// The bursts are larger than the buffer. The slow client takes one chunk in ten loop turns.
#[test]
fn a_slow_client_drops_events_with_a_notice_and_a_fast_client_gets_all() {
    let mut model = Model::new(256, 1 << 20);
    model.join_and_take(true);
    model.join_and_take(false);
    for round in 0..205 {
        model.publish(&[16; 100]);
        if round % 10 == 9 {
            model.clients[1].stream.take();
            model.now += 25;
            model.poll();
        }
        model.check();
    }
    assert_eq!(model.hub.stats().busy, 1);
    assert!(model.receipts_dropped > 10_000);
    model.drain();
}

#[test]
fn publishers_wait_for_a_stalled_stream_one_loop_turn_once() {
    let mut model = with_dropping_client();
    assert!(model.turns_waited > 0);
    model.loop_turn();
    let waited = model.turns_waited;
    for _ in 0..100 {
        model.publish(&[1; 2]);
        model.loop_turn();
    }
    assert_eq!(model.turns_waited, waited);
    model.leave(0);
    model.leave(1);
    assert_eq!(model.hub.next_poll(), None);
}

#[test]
fn publishers_do_not_wait_for_a_dropping_stream_that_takes_a_chunk_now_and_then() {
    let mut model = with_dropping_client();
    model.loop_turn();
    let waited = model.turns_waited;
    for round in 0..100 {
        if round % 2 == 0 {
            model.clients[1].stream.take();
        }
        model.publish(&[1_000; 8]);
        model.loop_turn();
    }
    assert_eq!(model.turns_waited, waited);
}

/// The stream misses one loop turn, and drops nothing. Then it takes everything.
#[test]
fn publishers_wait_again_for_an_unresponsive_stream_that_became_level() {
    let mut model = Model::new(8, 10_000);
    model.join_and_take(false);
    model.publish(&[1; 8]);
    model.hub.begin_loop_turn();
    // The client has not taken the first chunk in a whole loop turn, but the log still holds the events of the second.
    model.publish(&[1; 1]);
    let conn = model.clients[0].conn;
    let full = batch(8, 1);
    assert_eq!(
        model.hub.readiness_to_append(&full, model.now),
        Readiness::Ready
    );
    assert!(!model.hub.subscribers[&conn].mode.is_responsive());
    model.clients[0].stream.take();
    model.flush();
    let level = !model.hub.subscribers[&conn].cursor.is_behind(10);
    assert!(level, "the stream has everything");
    model.clients[0].stream.take();
    model.hub.begin_loop_turn();
    model.hub.append(&batch(1, 1), model.now);
    model.flush();
    model.hub.append(&batch(1, 1), model.now);
    assert_eq!(
        model.hub.readiness_to_append(&full, model.now),
        Readiness::WaitForLoopTurn,
        "the stream has not had a loop turn to take its chunk"
    );
    assert_eq!(model.hub.stats().dropped, 0);
}

/// Each slow stream takes a chunk now and then.
#[test]
fn publishers_do_not_wait_longer_for_many_slow_streams_than_for_one() {
    for slow in [1, 16, 100] {
        let mut model = Model::new(256, 1 << 20);
        model.join_and_take(true);
        for _ in 0..slow {
            model.join_and_take(false);
        }
        for _ in 0..4 {
            let batch = batch(100, 10_000);
            let mut turns = 0;
            loop {
                match model.hub.readiness_to_append(&batch, model.now) {
                    Readiness::FlushFirst => model.flush(),
                    Readiness::WaitForLoopTurn => {
                        model.loop_turn();
                        turns += 1;
                        model.clients[1 + turns % slow].stream.take();
                    }
                    Readiness::Ready => break,
                }
            }
            model.hub.append(&batch, model.now);
            model.poll();
            // 1 MB in chunks of at most 64 KiB of whole events, and one loop turn that shows which streams are slow.
            assert!(turns <= 20, "{turns} turns for {slow} slow streams");
        }
    }
}

#[test]
fn a_dropping_stream_that_is_ready_gets_the_events_that_it_would_drop_next() {
    let mut model = with_dropping_client();
    let dropped = model.receipts_dropped;
    for _ in 0..10 {
        model.loop_turn();
        model.clients[1].stream.take();
        model.publish(&[1; 8]);
    }
    assert_eq!(model.receipts_dropped, dropped);
    model.drain();
}

#[test]
fn a_stream_reports_when_it_starts_to_drop_and_how_much_it_dropped_when_it_is_level() {
    let mut model = with_dropping_client();
    let conn = model.clients[1].conn;
    let dropped = model.receipts_dropped;
    assert_eq!(model.hub.take_changes(), [Change::StartedDropping(conn)]);
    assert_eq!(model.hub.take_changes(), []);
    for _ in 0..3 {
        model.loop_turn();
        model.clients[1].stream.take();
        model.now += 250;
        model.poll();
    }
    assert_eq!(model.hub.take_changes(), [Change::CaughtUp(conn, dropped)]);
    assert_eq!(model.account(1).dropped, dropped);
}

/// When the stream joins, the hub's lower bound of all cursors is above its position: no other stream was there when
/// events left the log.
#[test]
fn a_stream_that_joins_in_the_log_gets_its_events_before_they_leave_the_log() {
    let mut model = Model::new(8, 10_000);
    for events in [8, 8, 1] {
        model.publish(&vec![1; events]);
    }
    model.join_from(ReplayFrom::Last(8), true, false);
    model.publish(&[1; 6]);
    assert_eq!(model.receipts_dropped, 0);
    assert!(model.turns_waited > 0);
    model.check();
    model.drain();
}

/// A model with one client that is lagging and takes nothing, in a full log of 8 events. The hub knows of no position
/// in the log.
fn with_lagging_client() -> Model {
    let mut model = Model::new(8, 10_000);
    model.join_and_take(false);
    for events in [8, 8, 8, 1] {
        model.publish(&vec![1; events]);
    }
    assert_eq!(model.hub.drops.lagging(), 1);
    model
}

#[test]
fn a_lagging_stream_that_is_ready_gets_its_notice_before_more_events_leave_the_log() {
    let mut model = with_lagging_client();
    let one = batch(1, 1);
    assert_eq!(
        model.hub.readiness_to_append(&one, model.now),
        Readiness::Ready
    );
    model.clients[0].stream.take();
    assert_eq!(
        model.hub.readiness_to_append(&one, model.now),
        Readiness::FlushFirst
    );
}

#[test]
fn an_append_that_removes_no_events_needs_no_flush_before() {
    let mut model = with_lagging_client();
    model.evict(Evict::All);
    assert_eq!(model.hub.drops.lagging(), 1);
    model.clients[0].stream.take();
    assert_eq!(
        model.hub.readiness_to_append(&batch(8, 1), model.now),
        Readiness::Ready
    );
    assert_eq!(
        model.hub.readiness_to_append(&batch(9, 1), model.now),
        Readiness::Ready,
        "an empty log has no events to remove"
    );
    model.hub.append(&batch(8, 1), model.now);
    assert_eq!(
        model.hub.readiness_to_append(&batch(1, 1), model.now),
        Readiness::FlushFirst
    );
}
