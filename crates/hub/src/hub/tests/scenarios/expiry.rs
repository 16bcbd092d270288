//! Streams that expire.

use crate::Millis;
use crate::hub::MAX_CHUNK;
use crate::hub::tests::model::Model;

/// Adds a client whose stream expires after `lifetime`. Returns its index.
fn join(model: &mut Model, lifetime: Option<Millis>, keeps_up: bool) -> usize {
    model.lifetime = lifetime;
    model.join_and_take(keeps_up);
    model.clients.len() - 1
}

#[test]
fn each_stream_expires_at_its_time_and_the_others_go_on() {
    let mut model = Model::new(8, 10_000);
    let begin = model.now;
    let [first, second, never] =
        [Some(300), Some(2_500), None].map(|lifetime| join(&mut model, lifetime, true));
    model.publish(&[1]);
    while model.clients[second].open {
        model.wait_and_poll();
        model.loop_turn();
        model.check();
        assert_eq!(model.clients[first].open, model.now < begin + 300);
    }
    assert_eq!(model.now, begin + 2_500, "not only at the next heartbeat");
    model.publish(&[1]);
    assert!(model.clients[never].open);
    for (client, expired, seq) in [(first, true, 1), (second, true, 1), (never, false, 2)] {
        let account = model.account(client);
        assert_eq!((account.expired, account.last.unwrap().seq), (expired, seq));
    }
    model.drain();
}

#[test]
fn a_lagging_client_can_resume_after_the_last_event_that_it_got_before_it_expired() {
    let mut model = Model::new(4, 10_000);
    let slow = join(&mut model, Some(1_000), false);
    for _ in 0..10 {
        model.publish(&[1]);
    }
    assert!(model.receipts_dropped > 0);
    while model.clients[slow].open {
        model.wait_and_poll();
    }
    let account = model.account(slow);
    assert!(account.expired && account.dropped == 0);
    assert!(account.last.unwrap().seq < 10);
    model.drain();
}

#[test]
fn a_partial_event_is_completed_before_the_stream_expires() {
    let mut model = Model::new(8, 1 << 20);
    let slow = join(&mut model, Some(1_000), false);
    model.publish(&[3 * MAX_CHUNK]);
    model.clients[slow].stream.take();
    while model.clients[slow].open {
        model.wait_and_poll();
    }
    let account = model.account(slow);
    assert!(account.expired && account.last.unwrap().seq == 1);
    model.drain();
}

#[test]
fn the_expiry_of_a_stream_that_has_left_is_not_due() {
    let mut model = Model::new(8, 10_000);
    join(&mut model, Some(u64::MAX / 2), true);
    let gone = join(&mut model, Some(10), true);
    model.leave(gone);
    assert!(model.hub.next_poll() > Some(model.now + 10));
    model.drain();
}

#[test]
fn a_stream_that_has_expired_when_it_joins_ends_at_once() {
    let mut model = Model::new(8, 10_000);
    let valid = join(&mut model, Some(u64::MAX / 2), true);
    let expired = join(&mut model, Some(0), true);
    model.poll();
    assert!(!model.clients[expired].open && model.clients[valid].open);
    model.drain();
}
