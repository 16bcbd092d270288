use super::harness::*;
use super::object::{START, SyncMode, epoch};
use crate::channel::pipeline::*;
use crate::isolate::storage_failure::StorageFailure;
use sse_hub::sse::EventId;

fn first(seq: u64) -> EventId {
    EventId {
        epoch: epoch(START),
        seq,
    }
}

#[test]
fn publishes_are_committed_together_then_appended_and_then_answered() {
    let mut test = Test::new();
    let outcomes = ["a", "b"].map(|data| test.publish(data));
    test.object.sync.set(SyncMode::Waits);
    test.run();
    assert_eq!(test.steps(), ["commit [1, 2]"]);
    test.finish_syncs();
    assert_eq!(test.steps(), ["append 1", "append 2"]);
    let ids = outcomes.map(|outcome| id(&now_or_never(outcome).unwrap()));
    assert_eq!(ids, [first(1), first(2)]);
    assert!(!test.object.pipeline.is_running());
}

#[test]
fn publishes_that_arrive_during_a_sync_form_the_next_group() {
    let mut test = Test::new();
    test.object.sync.set(SyncMode::Waits);
    drop(test.publish("a"));
    test.run();
    drop([test.publish("b"), test.publish("c")]);
    test.run();
    assert_eq!(test.steps(), ["commit [1]"]);
    test.finish_syncs();
    assert_eq!(test.steps(), ["commit [2, 3]", "append 1"]);
    test.finish_syncs();
    assert_eq!(
        test.steps(),
        ["append 2", "append 3"],
        "although the publishers are gone"
    );
}

#[test]
fn commits_do_not_wait_for_appends() {
    let mut test = Test::new();
    test.object.appends_wait.set(true);
    let a = test.publish("a");
    test.run();
    let b = test.publish("b");
    test.run();
    assert_eq!(test.steps(), ["commit [1]", "commit [2]"]);
    test.finish_appends();
    assert_eq!(test.steps(), ["append 1", "append 2"]);
    assert_eq!(id(&now_or_never(a).unwrap()), first(1));
    assert_eq!(id(&now_or_never(b).unwrap()), first(2));
}

#[test]
fn a_deletion_waits_until_everything_before_it_is_appended_and_later_publishes_wait_for_it() {
    let mut test = Test::new();
    test.join();
    test.object.appends_wait.set(true);
    drop(test.publish("a"));
    let deleted = test.delete();
    let later = test.publish("b");
    test.run();
    assert_eq!(test.steps(), ["commit [1]"]);
    test.finish_appends();
    let steps = [
        "append 1",
        "prepare deletion",
        "store deletion",
        "end streams",
        "commit [2]",
        "append 2",
    ];
    assert_eq!(test.steps(), steps);
    let receipt = now_or_never(deleted).unwrap().unwrap();
    assert_eq!((receipt.id, receipt.subscribers), (first(1), 1));
    let next = EventId {
        epoch: epoch(START + 1),
        seq: 1,
    };
    assert_eq!(id(&now_or_never(later).unwrap()), next);
}

#[test]
fn a_clear_runs_between_the_commands_before_and_after_it() {
    let mut test = Test::new();
    drop(test.publish("a"));
    let cleared = test.clear_if_quiet();
    drop(test.publish("b"));
    test.run();
    // Appends are in another task, so their order among the commands varies.
    let (appends, commands): (Vec<_>, Vec<_>) = test
        .steps()
        .into_iter()
        .partition(|step| step.starts_with("append"));
    assert_eq!(commands, ["commit [1]", "clear: false", "commit [2]"]);
    assert_eq!(appends, ["append 1", "append 2"]);
    assert_eq!(now_or_never(cleared), Some(Ok(())));
    test.object.now.set(START + 1_000);
    drop(test.clear_if_quiet());
    test.run();
    assert_eq!(test.steps(), ["clear: true"]);
}

#[test]
fn a_commit_that_fails_publishes_nothing_and_the_next_one_gets_its_ids() {
    let mut test = Test::new();
    test.object.database.fill_disk();
    let refused = [test.publish("a"), test.publish_with_key("k", "b").unwrap()];
    let repeated = test.publish_with_key("k", "b").unwrap();
    test.run();
    for outcome in refused.into_iter().chain([repeated]) {
        let outcome = now_or_never(outcome).unwrap();
        assert!(
            matches!(outcome, Err(Problem::StorageFailed(_))),
            "{outcome:?}"
        );
    }
    assert_eq!(test.steps(), ["commit [1, 2]"]);
    assert_eq!(test.stored_receipt("k"), None);
    assert!(!test.object.aborted.get());
    test.object.database.free_disk();
    let published = test.publish_with_key("k", "b").unwrap();
    test.run();
    assert_eq!(id(&now_or_never(published).unwrap()), first(1));
}

#[test]
fn a_sync_that_fails_aborts_the_object_and_no_answer_says_that_nothing_was_published() {
    let mut test = Test::new();
    test.object.sync.set(SyncMode::Waits);
    let unknown = [test.publish("a"), test.publish_with_key("k", "b").unwrap()];
    test.run();
    let later = test.publish("c");
    let deleted = test.delete();
    test.object.sync.set(SyncMode::Fails);
    test.finish_syncs();
    for outcome in unknown {
        assert_eq!(
            now_or_never(outcome),
            Some(Err(Problem::ChannelUnavailable))
        );
    }
    assert_eq!(
        test.steps(),
        ["commit [1, 2]", "abort"],
        "nothing is appended, no command runs"
    );
    assert!(now_or_never(later).is_none() && now_or_never(deleted).is_none());
}

#[test]
fn a_deletion_that_cannot_be_stored_leaves_the_channel_as_it_was() {
    let mut test = Test::new();
    drop(test.publish("a"));
    test.run();
    test.object.database.run("PRAGMA query_only = ON");
    let deleted = test.delete();
    test.run();
    let outcome = now_or_never(deleted).unwrap();
    assert!(matches!(
        outcome,
        Err(Problem::StorageFailed(StorageFailure::Other(_)))
    ));
    test.object.database.run("PRAGMA query_only = OFF");
    let published = test.publish("b");
    test.run();
    assert_eq!(id(&now_or_never(published).unwrap()), first(2));
    assert!(!test.object.aborted.get());
}

#[test]
fn a_deletion_whose_sync_fails_aborts_the_object_and_ends_no_stream_itself() {
    let mut test = Test::new();
    test.join();
    test.object.sync.set(SyncMode::Fails);
    let deleted = test.delete();
    test.run();
    assert!(now_or_never(deleted).unwrap().is_err());
    assert_eq!(
        test.steps(),
        ["prepare deletion", "store deletion", "abort"]
    );
    let subscribers = test.object.state.with(|state| state.hub.subscribers());
    assert_eq!(subscribers, Some(1));
}

#[test]
fn the_commands_of_an_object_that_was_reset_are_dropped() {
    let mut test = Test::new();
    test.object.appends_wait.set(true);
    drop(test.publish("a"));
    test.run();
    let committed = test.publish_with_key("k", "b").unwrap();
    test.run();
    let waiting = test.publish("c");
    test.object.pipeline.clear();
    let repeat = test.publish_with_key("other", "d");
    for outcome in [committed, waiting] {
        assert!(now_or_never(outcome).is_none());
    }
    assert!(repeat.is_ok());
    let key = PublishKey::new("k".to_owned(), &batch("b"), false);
    let in_flight = test.object.pipeline.repeat("k", &key.fingerprint);
    assert!(in_flight.unwrap().is_none());
}

fn has_ended(test: &Test) -> bool {
    test.object
        .state
        .with(|state| state.hub.has_ended())
        .unwrap()
}

#[test]
fn the_last_event_and_the_end_are_stored_in_one_commit() {
    let mut test = Test::new();
    let ended = test.end(Some("a"));
    test.run();
    assert_eq!(test.steps(), ["commit [1]", "append 1"]);
    assert_eq!(id(&now_or_never(ended).unwrap()), first(1));
    assert!(has_ended(&test));
    let store = test.load();
    assert_eq!(store.next_id(), first(2));
    assert!(store.is_ended(START));
}

#[test]
fn an_end_without_an_event_is_stored_and_its_receipt_has_the_last_id() {
    let mut test = Test::new();
    drop(test.publish("a"));
    let ended = test.end(None);
    test.run();
    let outcome = now_or_never(ended).unwrap();
    assert_eq!(id(&outcome), first(1));
    assert!(outcome.unwrap().contains("\"events\":0"));
    assert!(has_ended(&test) && test.load().is_ended(START));
}

#[test]
fn a_publish_after_the_end_reopens_the_channel_in_the_same_epoch() {
    for in_one_group in [false, true] {
        let mut test = Test::new();
        drop(test.end(Some("a")));
        if !in_one_group {
            test.run();
        }
        let later = test.publish("b");
        test.run();
        assert_eq!(id(&now_or_never(later).unwrap()), first(2));
        assert!(!has_ended(&test) && !test.load().is_ended(START));
    }
}

#[test]
fn an_ended_channel_stays_ended_until_its_end_is_appended_although_a_publish_is_stored() {
    let mut test = Test::new();
    drop(test.end(Some("a")));
    test.run();
    test.object.appends_wait.set(true);
    drop(test.publish("b"));
    test.run();
    assert!(has_ended(&test), "subscribers have not got the event yet");
    test.finish_appends();
    assert!(!has_ended(&test));
}
