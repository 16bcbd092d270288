//! The end of the channel.

use crate::Change;
use crate::hub::tests::model::Model;

#[test]
fn streams_that_end_with_the_channel_do_not_start_to_drop() {
    let mut model = Model::new(8, 10_000);
    model.join_and_take(false);
    model.publish(&[1]);
    model.publish(&[1]);
    model.end();
    let account = model.account(0);
    assert_eq!(account.dropped, 1, "the notice counts the event");
    assert_eq!(model.receipts_dropped, 1, "the receipt counts the event");
    assert_eq!(model.hub.take_changes(), []);
    model.drain();
}

#[test]
fn the_end_of_the_channel_keeps_the_changes_before_it() {
    let mut model = Model::new(2, 10_000);
    model.join_and_take(false);
    for _ in 0..4 {
        model.publish(&[1]);
    }
    let conn = model.clients[0].conn;
    model.end();
    assert_eq!(model.hub.take_changes(), [Change::StartedDropping(conn)]);
}

#[test]
fn the_end_of_the_channel_removes_all_events_and_begins_another_epoch() {
    let mut model = Model::new(8, 10_000);
    model.publish(&[1; 3]);
    let before = model.hub.next_id();
    model.end();
    let after = model.hub.next_id();
    assert_eq!((after.epoch, after.seq), (before.epoch + 1, 1));
    let events = model.hub.read_events(1, 10, 1_000, &mut model.history);
    assert_eq!(events.unwrap(), []);
    model.join_and_take(true);
    model.publish(&[1; 3]);
    model.drain();
}
