//! Events that are removed from the log because memory is short.

use crate::ReplayFrom;
use crate::hub::tests::model::Model;
use crate::hub::{Evict, MAX_CHUNK};
use crate::sse::Batch;

#[test]
fn an_unneeded_eviction_keeps_the_events_that_a_responsive_stream_was_not_given() {
    for holds in [None, Some(100)] {
        let mut model = Model::with_history(8, 10_000, holds);
        model.join_and_take(false);
        model.publish(&[1; 3]);
        model.publish(&[1; 2]);
        model.evict(Evict::Unneeded);
        assert_eq!(model.hub.log.tail(), 4);
        model.drain();
        assert_eq!(model.account(0).dropped, 0);
    }
}

/// A model with one unresponsive client, which was given events 1 to 3 of 5.
fn with_unresponsive_client(holds: Option<u64>) -> Model {
    let mut model = Model::with_history(8, 10_000, holds);
    model.join_and_take(false);
    model.publish(&[1; 3]);
    model.publish(&[1; 2]);
    model.loop_turn();
    model.hub.readiness_to_empty(model.now);
    model
}

#[test]
fn an_unneeded_eviction_moves_unresponsive_streams_to_the_history() {
    let mut model = with_unresponsive_client(Some(100));
    model.evict(Evict::Unneeded);
    assert_eq!(model.hub.log.tail(), 6);
    model.drain();
    assert_eq!(model.account(0).dropped, 0);
}

#[test]
fn without_a_history_an_unneeded_eviction_keeps_the_events_of_unresponsive_streams() {
    let mut model = with_unresponsive_client(None);
    model.evict(Evict::Unneeded);
    assert_eq!(model.hub.log.tail(), 4);
    model.drain();
}

#[test]
fn an_unneeded_eviction_keeps_all_events_while_a_subscriber_is_lagging() {
    let mut model = Model::new(8, 10_000);
    model.join_and_take(false);
    for _ in 0..3 {
        model.publish(&[1; 8]);
    }
    assert_eq!(model.hub.drops.lagging(), 1);
    let tail = model.hub.log.tail();
    model.evict(Evict::Unneeded);
    assert_eq!(model.hub.log.tail(), tail);
    model.drain();
}

#[test]
fn a_full_eviction_moves_streams_to_the_history_or_drops_their_events() {
    for (holds, dropped) in [(None, 2), (Some(4), 2), (Some(100), 0)] {
        let mut model = with_unresponsive_client(holds);
        model.evict(Evict::All);
        assert_eq!(model.hub.log.tail(), 6);
        assert_eq!(model.hub.stats().dropped, dropped);
        model.drain();
        assert_eq!(model.account(0).dropped, dropped);
    }
}

/// The eviction is reported by the receipt of the next publish.
#[test]
fn the_next_receipt_counts_the_drops_of_an_eviction() {
    let mut model = with_unresponsive_client(None);
    model.evict(Evict::All);
    let batch = Batch::from_wire("data: x\n\n".into());
    assert_eq!(model.hub.append(&batch, model.now).dropped, 2);
    assert_eq!(model.hub.append(&batch, model.now).dropped, 0);
}

#[test]
fn a_stream_that_dropped_events_reads_the_history_after_an_eviction_and_reports_its_drops() {
    let mut model = Model::with_history(4, 10_000, Some(100));
    model.join_and_take(false);
    for _ in 0..4 {
        model.publish(&[1; 2]);
    }
    let dropped = model.hub.stats().dropped;
    assert!(dropped > 0);
    // The client takes its chunk, and gets the notice. Then it is behind again, with its next events in the log.
    model.clients[0].stream.take();
    model.now += 250;
    model.poll();
    model.publish(&[1; 2]);
    model.loop_turn();
    model.evict(Evict::All);
    assert_eq!(model.hub.stats().dropped, dropped);
    model.drain();
    assert_eq!(model.account(0).dropped, dropped);
    assert!(model.account(0).gaps.is_empty());
}

/// Client 0 takes nothing, client 1 takes its chunks, client 2 takes nothing and has no partial event.
#[test]
fn an_eviction_ends_only_unresponsive_streams_in_the_middle_of_an_event() {
    let mut model = Model::with_history(8, 1 << 20, Some(100));
    model.join_and_take(false);
    model.join_and_take(true);
    model.publish(&[2 * MAX_CHUNK]);
    model.join_from(ReplayFrom::Now, false, false);
    model.publish(&[1]);
    model.loop_turn();
    let memory = model.hub.memory();
    model.evict(Evict::All);
    let open: Vec<bool> = model.clients.iter().map(|client| client.open).collect();
    assert_eq!(open, [false, true, true]);
    model.clients[1].stream.take();
    model.drain();
    assert!(model.hub.memory() < memory);
}

#[test]
fn clear_removes_all_streams_and_events() {
    let mut model = Model::new(2, 10_000);
    model.lifetime = Some(5_000);
    model.join_and_take(false);
    for _ in 0..4 {
        model.publish(&[1]);
    }
    let next = model.hub.next_id();
    model.hub.clear();
    assert_eq!(model.hub.subscribers(), 0);
    assert_eq!(model.hub.next_poll(), None);
    assert_eq!(model.hub.take_changes(), []);
    assert_eq!(model.hub.next_id(), next);
    assert_eq!(model.hub.log.bytes(), 0);
    assert_eq!(model.hub.drops.lagging(), 0);
}
