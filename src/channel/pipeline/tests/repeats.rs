use super::harness::*;
use super::object::SyncMode;
use crate::channel::pipeline::*;

#[test]
fn a_repeat_of_a_publish_in_flight_gets_the_same_receipt_and_publishes_nothing() {
    let mut test = Test::new();
    test.object.sync.set(SyncMode::Waits);
    let first = test.publish_with_key("k", "a").unwrap();
    let before_commit = test.publish_with_key("k", "a").unwrap();
    test.run();
    let during_sync = test.publish_with_key("k", "a").unwrap();
    test.finish_syncs();
    let receipt = now_or_never(first).unwrap();
    assert!(receipt.is_ok());
    assert_eq!(now_or_never(before_commit), Some(receipt.clone()));
    assert_eq!(now_or_never(during_sync), Some(receipt.clone()));
    assert_eq!(test.steps(), ["commit [1]", "append 1"]);
    assert_eq!(test.stored_receipt("k"), receipt.ok());
}

#[test]
fn a_key_in_flight_is_refused_for_other_events() {
    let mut test = Test::new();
    drop(test.publish_with_key("k", "a"));
    let refused = test.publish_with_key("k", "b");
    assert_eq!(refused.unwrap_err(), Problem::IdempotencyKeyReused);
}

#[test]
fn the_stored_receipt_is_the_one_that_was_sent_although_a_stream_joined_after_the_commit() {
    let mut test = Test::new();
    test.object.appends_wait.set(true);
    let outcome = test.publish_with_key("k", "a").unwrap();
    test.run();
    let predicted = test.stored_receipt("k").unwrap();
    assert!(predicted.contains("\"subscribers\":0"), "{predicted}");
    test.join();
    test.finish_appends();
    let receipt = now_or_never(outcome).unwrap().unwrap();
    assert!(receipt.contains("\"subscribers\":1"), "{receipt}");
    assert_eq!(test.stored_receipt("k").as_ref(), Some(&receipt));
    let now = test.object.now.get();
    let store = test.load();
    let record = store.key_record("k", now).unwrap();
    assert_eq!(record.receipt, receipt, "also for the next object");
}

#[test]
fn a_repeat_after_a_failed_sync_is_not_answered_with_a_receipt() {
    let mut test = Test::new();
    test.object.sync.set(SyncMode::Fails);
    let first = test.publish_with_key("k", "a").unwrap();
    let repeat = test.publish_with_key("k", "a").unwrap();
    test.run();
    let outcome = Err(Problem::ChannelUnavailable);
    assert_eq!(now_or_never(first), Some(outcome.clone()));
    assert_eq!(now_or_never(repeat), Some(outcome));
    // The object is not aborted yet, and its memory still has a receipt that may not be in the storage.
    assert!(test.stored_receipt("k").is_some());
    let later = test.publish_with_key("k", "a");
    assert_eq!(later.unwrap_err(), Problem::ChannelUnavailable);
}
