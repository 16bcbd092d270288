use super::*;
use crate::isolate::storage_failure::StorageFailure;

#[test]
fn a_commit_on_a_full_disk_changes_nothing_and_succeeds_when_there_is_space_again() {
    let mut channel = Channel::new(HISTORY);
    channel.commit_with_key("a", START);
    let before = channel.snapshot(START);
    channel.database.fill_disk();
    let keys = vec![channel.new_key("b", START)];
    let large = "x".repeat(100_000);
    let error = channel
        .try_commit(&[&large], keys.clone(), START)
        .unwrap_err();
    assert!(matches!(error, StorageError::Failed(_)), "{error}");
    assert_eq!(channel.snapshot(START), before);
    channel.restart(START);
    assert_eq!(channel.snapshot(START), before);
    channel.database.free_disk();
    channel.try_commit(&[&large], keys, START).unwrap();
    assert_eq!(channel.held(START), [large.as_str()]);
}

#[test]
fn the_first_commit_of_a_channel_that_fails_leaves_no_table() {
    let mut channel = Channel::new(HISTORY);
    let before = channel.snapshot(START);
    channel.database.fill_disk();
    assert!(channel.try_commit(&["1"], Vec::new(), START).is_err());
    assert_eq!(channel.snapshot(START), before);
    assert_eq!(channel.database.dump(), "");
    assert!(!channel.store.needs_alarm());
    channel.database.free_disk();
    channel.commit(&["1"], START);
    channel.restart(START);
    assert_eq!(channel.held(START), ["1"]);
}

#[test]
fn an_end_that_cannot_be_stored_changes_nothing() {
    let mut channel = Channel::new(HISTORY);
    channel.commit_with_key("a", START);
    let before = channel.snapshot(START + 1);
    channel.database.run("PRAGMA query_only = ON");
    assert!(channel.store.delete(epoch(START + 1)).is_err());
    assert_eq!(channel.snapshot(START + 1), before);
    channel.database.run("PRAGMA query_only = OFF");
    channel.store.delete(epoch(START + 1)).unwrap();
    assert!(channel.held(START + 1).is_empty());
}

#[test]
fn a_quiet_channel_that_cannot_be_cleared_is_unchanged() {
    let mut channel = Channel::new(HISTORY);
    channel.commit_with_key("a", START);
    let before = channel.snapshot(START + 1_000);
    channel.database.run("PRAGMA query_only = ON");
    assert!(channel.store.clear_if_quiet(START + 1_000, true).is_err());
    assert_eq!(channel.snapshot(START + 1_000), before);
}

#[test]
fn a_malformed_row_of_the_channel_or_of_a_key_is_an_error_that_names_the_table_and_the_column() {
    let cases = [
        ("UPDATE channel SET epoch = 'x'", "channel", "epoch"),
        ("UPDATE channel SET epoch = 1.5", "channel", "epoch"),
        ("UPDATE channel SET next = x'00'", "channel", "next"),
        ("UPDATE channel SET time = -1", "channel", "time"),
        (
            "UPDATE channel SET ended_until = 'x'",
            "channel",
            "ended_until",
        ),
        (
            "UPDATE channel SET unpublished_since = 'x'",
            "channel",
            "unpublished_since",
        ),
        ("DELETE FROM channel", "channel", "one"),
        (
            "UPDATE idempotency_keys SET number = 'x'",
            "idempotency_keys",
            "number",
        ),
        (
            "UPDATE idempotency_keys SET time = 'x'",
            "idempotency_keys",
            "time",
        ),
        (
            "UPDATE idempotency_keys SET key = x'ff'",
            "idempotency_keys",
            "key",
        ),
        (
            "UPDATE idempotency_keys SET fingerprint = x'00'",
            "idempotency_keys",
            "fingerprint",
        ),
        (
            "UPDATE idempotency_keys SET receipt = x'ff'",
            "idempotency_keys",
            "receipt",
        ),
        (
            "UPDATE history_even SET first = 'x'",
            "history_even",
            "first",
        ),
        ("UPDATE history_even SET time = 'x'", "history_even", "time"),
        (
            "UPDATE history_even SET start = 'x'",
            "history_even",
            "start",
        ),
    ];
    for (damage, table, column) in cases {
        let mut channel = Channel::new(HISTORY);
        channel.commit_with_key("a", START);
        channel.database.run(damage);
        let error = channel.load_error();
        assert_eq!(error, StorageError::bad_column(table, column), "{damage}");
        let failure = StorageFailure::from_message(&error.to_string());
        assert!(matches!(failure, StorageFailure::Broken(_)), "{failure:?}");
    }
}

#[test]
fn events_that_are_not_utf_8_are_an_error_that_names_the_table() {
    let mut channel = Channel::new(HISTORY);
    channel.commit(&["1"], START);
    channel.database.run("UPDATE history_even SET wire = x'ff'");
    let error = channel.store.page(1).unwrap_err();
    assert_eq!(
        error,
        StorageError::bad_column("history_even", "wire").into()
    );
}

#[test]
fn a_row_that_is_missing_is_an_error_that_names_the_table_and_the_event() {
    let mut channel = Channel::new(HISTORY);
    for number in 1..=11 {
        channel.commit(&[&number.to_string()], START);
    }
    channel.restart(START);
    channel.database.run("DELETE FROM history_even");
    let expected = StorageError::missing_event("history_even", 2);
    assert_eq!(channel.store.stats(START), Err(expected.clone()));
    assert_eq!(channel.store.tail(START), Err(expected.clone().into()));
    assert_eq!(channel.store.page(2), Err(expected.into()));
    let expected = StorageError::missing_event("history_even", 2);
    assert_eq!(
        channel.try_commit(&["12"], Vec::new(), START),
        Err(expected)
    );
}

#[test]
fn a_page_that_begins_behind_the_event_is_an_error() {
    let mut channel = Channel::new(HISTORY);
    channel.commit(&["1"], START);
    channel.commit(&["2"], START);
    channel
        .database
        .run("DELETE FROM history_even WHERE first = 1");
    let error = channel.store.page(1).unwrap_err();
    assert_eq!(error, StorageError::missing_event("history_even", 1).into());
}

#[test]
fn a_check_fails_if_the_storage_cannot_be_read() {
    let mut channel = Channel::new(HISTORY);
    assert_eq!(channel.store.check(), Ok(()));
    channel.commit(&["1"], START);
    assert_eq!(channel.store.check(), Ok(()));
    channel.database.run("DROP TABLE channel");
    assert!(channel.store.check().is_err());
}
