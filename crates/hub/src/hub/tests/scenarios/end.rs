//! The end and the deletion of a channel.

use crate::hub::tests::model::Model;
use crate::{Change, ReplayFrom};

#[test]
fn streams_of_a_deleted_channel_do_not_start_to_drop() {
    let mut model = Model::new(8, 10_000);
    model.join_and_take(false);
    model.publish(&[1]);
    model.publish(&[1]);
    model.delete();
    let account = model.account(0);
    assert_eq!(account.dropped, 1, "the notice counts the event");
    assert_eq!(model.receipts_dropped, 1, "the receipt counts the event");
    assert_eq!(model.hub.take_changes(), []);
    model.drain();
}

#[test]
fn the_deletion_of_a_channel_keeps_the_changes_before_it() {
    let mut model = Model::new(2, 10_000);
    model.join_and_take(false);
    for _ in 0..4 {
        model.publish(&[1]);
    }
    let conn = model.clients[0].conn;
    model.delete();
    assert_eq!(model.hub.take_changes(), [Change::StartedDropping(conn)]);
}

#[test]
fn the_deletion_of_a_channel_removes_all_events_and_begins_another_epoch() {
    let mut model = Model::new(8, 10_000);
    model.publish(&[1; 3]);
    let before = model.hub.next_id();
    model.delete();
    let after = model.hub.next_id();
    assert!(after.epoch > before.epoch);
    assert_eq!(after.seq, 1);
    let events = model.hub.read_events(1, 10, 1_000, &mut model.history);
    assert_eq!(events.unwrap(), []);
    model.join_and_take(true);
    model.publish(&[1; 3]);
    model.drain();
}

/// Clients 0 and 1 are level. Clients 2 and 3 are at event 1: client 2 drops the events, and client 3 reads the
/// history. The model checks the notices of each.
#[test]
fn streams_of_a_deleted_channel_share_their_last_chunk_only_if_they_miss_the_same_events_for_the_same_reason()
 {
    let mut model = Model::with_history(8, 10_000, Some(100));
    model.join_and_take(false);
    model.join_and_take(false);
    model.join(false);
    model.publish(&[1; 3]);
    model.join_from(ReplayFrom::Oldest, false, false);
    let next = model.hub.next_id();
    let (_, output) = model.hub.delete(next);
    let chunks: Vec<usize> = output.writes.iter().map(|write| write.chunk).collect();
    assert_eq!(chunks, [0, 0, 1, 2]);
    model.perform(output);
    let accounts = [0, 1, 2, 3].map(|index| model.account(index));
    assert_eq!(accounts.each_ref().map(|it| it.dropped), [0, 0, 3, 0]);
    assert_eq!(accounts.each_ref().map(|it| it.gaps.len()), [0, 0, 0, 1]);
    assert!(accounts.iter().all(|it| it.ended));
}

#[test]
fn a_stream_that_is_behind_gets_every_event_before_the_end() {
    let mut model = Model::with_history(8, 10_000, Some(100));
    model.join_and_take(true);
    model.join(false);
    model.publish(&[1; 3]);
    model.end();
    model.loop_turn();
    model.wait_and_poll();
    assert!(model.account(0).ended && !model.clients[0].open);
    assert!(!model.account(1).ended, "it has not taken its opening");
    model.join_from(ReplayFrom::Last(2), true, false);
    model.drain();
    for index in 0..3 {
        let account = model.account(index);
        assert!(account.ended && account.dropped == 0 && account.gaps.is_empty());
    }
}

#[test]
fn a_stream_that_has_dropped_events_gets_its_notice_before_the_end() {
    let mut model = Model::new(2, 10_000);
    model.join(false);
    model.publish(&[1; 2]);
    model.publish(&[1; 2]);
    model.end();
    model.drain();
    let account = model.account(0);
    assert!(account.ended);
    assert_eq!(account.dropped, 2);
}

#[test]
fn a_stream_that_was_behind_at_the_end_goes_on_if_the_channel_is_reopened() {
    let mut model = Model::new(8, 10_000);
    model.join(false);
    model.publish(&[1]);
    model.end();
    model.publish(&[1]);
    assert!(!model.hub.has_ended());
    model.clients[0].stream.take();
    model.wait_and_poll();
    model.clients[0].stream.take();
    assert!(model.clients[0].open && !model.account(0).ended);
    assert_eq!(model.account(0).last.map(|id| id.seq), Some(2));
    model.drain();
}
