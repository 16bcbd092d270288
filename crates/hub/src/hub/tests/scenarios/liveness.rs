//! Heartbeats, and stalled streams.

use crate::Stream;
use crate::hub::tests::model::Model;

#[test]
fn a_silent_channel_writes_heartbeats_until_its_last_stream_leaves() {
    let mut model = Model::new(8, 10_000);
    for _ in 0..300 {
        model.join_and_take(true);
    }
    let written = |model: &Model| -> Vec<usize> {
        let clients = model.clients.iter();
        clients
            .map(|client| client.stream.written().len())
            .collect()
    };
    let mut last_write = vec![model.now; 300];
    let end = model.now + 10_000;
    while model.now < end {
        model.now = model.now.max(model.hub.next_poll().unwrap());
        let before = written(&model);
        model.poll();
        model.loop_turn();
        let after = written(&model);
        let mut heartbeats = 0;
        for (index, last_write) in last_write.iter_mut().enumerate() {
            if after[index] > before[index] {
                *last_write = model.now;
                heartbeats += 1;
            }
            assert!(model.now - *last_write <= 1_000, "a stream is silent");
        }
        assert!(heartbeats < 150, "the heartbeats are not spread");
    }
    // A flush is still due.
    model.publish(&[1]);
    model.publish(&[1]);
    for index in 0..300 {
        model.leave(index);
    }
    assert_eq!(model.hub.next_poll(), None);
    model.publish(&[1]);
    assert_eq!(
        model.hub.next_poll(),
        None,
        "there is no stream to write to"
    );
}

#[test]
fn a_poll_before_the_tick_does_not_delay_the_tick() {
    let mut model = Model::new(8, 10_000);
    model.join_and_take(true);
    let tick = model.hub.liveness.next_tick();
    model.now = tick - 1;
    model.poll();
    assert_eq!(model.hub.liveness.next_tick(), tick);
    model.now = tick;
    model.poll();
    assert!(model.hub.liveness.next_tick() > tick);
}

#[test]
fn a_stream_that_takes_no_events_is_ended_after_the_limit() {
    let mut model = Model::new(8, 10_000);
    model.join_and_take(false);
    model.publish(&[1]);
    model.join_and_take(false);
    let begin = model.now;
    while model.now - begin < 200_000 && model.clients[0].open {
        model.wait_and_poll();
    }
    let after = model.now - begin;
    assert!((60_000..61_000).contains(&after), "{after}");
    let end = model.now + 200_000;
    while model.now < end {
        model.wait_and_poll();
    }
    assert!(
        model.clients[1].open,
        "a heartbeat that was not taken is not an event"
    );
    assert_eq!(model.hub.subscribers(), 1);
}

#[test]
fn a_stream_that_is_ready_is_not_ended_however_long_it_is_silent() {
    let mut model = Model::new(8, 10_000);
    model.join_and_take(true);
    model.publish(&[1]);
    model.loop_turn();
    model.now += 500_000;
    model.poll();
    assert!(model.clients[0].open);
}

/// The runtime may never take the opening block if the client disconnected before the stream opened.
#[test]
fn a_stream_whose_opening_block_is_not_taken_is_ended() {
    let mut model = Model::new(8, 10_000);
    model.join(false);
    model.now += 61_000;
    model.poll();
    assert!(!model.clients[0].open);
}

#[test]
fn the_stall_limit_begins_when_an_event_is_due_and_not_at_the_heartbeat_before() {
    let mut model = Model::new(8, 10_000);
    model.join_and_take(false);
    while model.clients[0].stream.is_ready() {
        model.wait_and_poll();
    }
    model.now += 59_000;
    model.publish(&[1]);
    model.now += 59_000;
    model.poll();
    assert!(model.clients[0].open);
    model.now += 2_000;
    model.poll();
    assert!(!model.clients[0].open);
}

/// The model checks that the event is complete.
#[test]
fn no_heartbeat_is_written_into_a_partial_event() {
    let mut model = Model::new(8, 400_000);
    model.join_and_take(true);
    model.publish(&[150_000]);
    model.loop_turn();
    // After every heartbeat is due, but before the next retry: only the tick is due.
    model.hub.liveness.note_tick(0);
    model.hub.flushes.delay_retry(model.now + 5_000);
    model.now += 2_000;
    model.poll();
    model.drain();
}

#[test]
fn a_stalled_stream_is_tried_a_few_times_a_second() {
    let mut model = Model::new(8, 10_000);
    model.join_and_take(false);
    model.publish(&[1]);
    model.publish(&[1]);
    let (end, mut polls) = (model.now + 10_000, 0);
    while model.now < end {
        model.wait_and_poll();
        polls += 1;
    }
    // 4 retries a second, and 32 ticks.
    assert!(polls < 10 * (4 + 32) + 20, "{polls}");
    model.clients[0].stream.take();
    model.now += 250;
    model.poll();
    assert!(
        !model.clients[0].stream.is_ready(),
        "the stream is written to within 250 ms"
    );
}
