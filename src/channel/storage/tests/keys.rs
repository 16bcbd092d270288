use super::*;

#[test]
fn a_key_and_its_receipt_are_found_after_a_restart_until_they_are_too_old() {
    let mut channel = Channel::new(HISTORY);
    channel.commit_with_key("a", START);
    for _ in 0..2 {
        assert_eq!(channel.receipt("a", START + 499), Some("receipt of a"));
        assert_eq!(channel.receipt("a", START + 500), None);
        assert_eq!(channel.receipt("b", START), None);
        channel.restart(START + 499);
    }
    channel.restart(START + 500);
    assert_eq!(channel.receipt("a", START), None);
}

#[test]
fn a_new_key_takes_the_row_of_the_oldest() {
    let mut channel = Channel::new(HISTORY);
    for key in ["a", "b", "c", "d", "e"] {
        channel.commit_with_key(key, START);
    }
    assert_eq!(
        channel
            .database
            .number("SELECT count(*) FROM idempotency_keys"),
        3
    );
    for _ in 0..2 {
        let receipts = ["a", "b", "c", "d", "e"].map(|key| channel.receipt(key, START).is_some());
        assert_eq!(receipts, [false, false, true, true, true]);
        channel.restart(START);
    }
    assert_eq!(channel.store.next_key_number(), 5);
}

#[test]
fn a_corrected_receipt_is_found_after_a_restart() {
    let mut channel = Channel::new(HISTORY);
    channel.commit_with_key("a", START);
    channel.commit_with_key("b", START);
    channel.store.correct_receipt("a", "corrected").unwrap();
    for _ in 0..2 {
        assert_eq!(channel.receipt("a", START), Some("corrected"));
        assert_eq!(channel.receipt("b", START), Some("receipt of b"));
        channel.restart(START);
    }
}

#[test]
fn the_correction_of_a_forgotten_receipt_changes_no_other_key() {
    let mut channel = Channel::new(HISTORY);
    for key in ["a", "b", "c", "d"] {
        channel.commit_with_key(key, START);
    }
    let before = channel.database.dump();
    channel.store.correct_receipt("a", "corrected").unwrap();
    assert_eq!(channel.database.dump(), before);
    // In the storage, a key may have lost its slot although the memory still holds it.
    channel
        .database
        .run("UPDATE idempotency_keys SET number = 99 WHERE key = 'b'");
    let before = channel.database.dump();
    channel.store.correct_receipt("b", "corrected").unwrap();
    assert_eq!(channel.database.dump(), before);
}

#[test]
fn a_publish_and_its_key_are_stored_together_or_not_at_all() {
    let mut channel = Channel::new(HISTORY);
    channel.commit(&["1"], START);
    let before = channel.snapshot(START);
    channel
        .database
        .run("CREATE TABLE idempotency_keys (other TEXT)");
    let keys = vec![channel.new_key("a", START)];
    let error = channel.try_commit(&["2"], keys, START).unwrap_err();
    assert!(matches!(error, StorageError::Failed(_)), "{error}");
    channel.database.run("DROP TABLE idempotency_keys");
    assert_eq!(channel.snapshot(START), before);
}
