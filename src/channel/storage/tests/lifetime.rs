use super::*;

#[test]
fn an_ended_channel_has_neither_history_nor_keys_and_begins_another_epoch() {
    let mut channel = Channel::new(HISTORY);
    channel.commit_with_key("a", START);
    channel.store.end(START).unwrap();
    let next = EventId {
        epoch: START + 1,
        seq: 1,
    };
    for _ in 0..2 {
        assert_eq!(channel.store.next_id(), next);
        assert!(channel.held(START).is_empty());
        assert_eq!(channel.receipt("a", START), None);
        assert!(channel.store.is_ended(START + HOUR - 1));
        assert!(!channel.store.is_ended(START + HOUR));
        assert!(channel.store.needs_alarm());
        channel.restart(START);
    }
}

#[test]
fn a_publish_reopens_an_ended_channel_in_its_next_epoch() {
    for history in [HISTORY, NO_EVENTS] {
        let mut channel = Channel::new(history);
        channel.store.end(START).unwrap();
        let epoch = channel.store.next_id().epoch;
        channel.commit(&["1"], START + 1);
        assert!(!channel.store.is_ended(START + 1));
        assert_eq!(channel.store.next_id(), EventId { epoch, seq: 2 });
        channel.restart(START + 2);
        assert!(!channel.store.is_ended(START + 2));
    }
}

#[test]
fn a_channel_is_needed_until_its_newest_event_or_key_is_too_old() {
    let mut channel = Channel::new(HISTORY);
    channel.commit(&["1"], START);
    assert_eq!(channel.store.needed_until(), START + 1_000);
    channel.commit_with_key("a", START + 900);
    assert_eq!(channel.store.needed_until(), START + 1_900);
    let quiet = channel.store.clear_if_quiet(START + 1_000, false);
    assert_eq!(quiet, Ok(ClearResult::NotYet(900)));
    assert_eq!(channel.held(START + 1_000), ["a"]);
}

#[test]
fn a_quiet_channel_without_subscribers_needs_none_of_its_data() {
    let mut channel = Channel::new(HISTORY);
    channel.commit_with_key("a", START);
    let quiet = channel.store.clear_if_quiet(START + 1_000, false);
    assert_eq!(quiet, Ok(ClearResult::RemoveAll));
    // The object then removes all tables.
    channel.database.delete_all();
    channel.commit(&["2"], START + 1_001);
    channel.restart(START + 1_002);
    assert_eq!(channel.held(START + 1_002), ["2"]);
}

#[test]
fn a_quiet_channel_with_subscribers_keeps_its_epoch_and_numbers() {
    let mut channel = Channel::new(HISTORY);
    channel.commit_with_key("a", START);
    let next = channel.store.next_id();
    let quiet = channel.store.clear_if_quiet(START + 1_000, true);
    assert_eq!(quiet, Ok(ClearResult::Cleared(1_000)));
    for _ in 0..2 {
        assert_eq!(channel.store.next_id(), next);
        assert!(channel.held(START + 1_000).is_empty());
        assert_eq!(channel.receipt("a", START), None);
        channel.restart(START + 1_000);
    }
    let tables = channel.database.dump();
    assert!(
        !tables.contains("history_") && !tables.contains("keys"),
        "{tables}"
    );
    let writes = channel.database.rows_written();
    let quiet = channel.store.clear_if_quiet(START + 2_000, true);
    assert_eq!(quiet, Ok(ClearResult::Cleared(1_000)));
    assert_eq!(
        channel.database.rows_written(),
        writes,
        "there is nothing to remove"
    );
    channel.commit(&["2"], START + 2_001);
    channel.restart(START + 2_001);
    assert_eq!(channel.held(START + 2_001), ["2"]);
}

#[test]
fn a_channel_that_has_stored_nothing_still_writes_its_row_after_an_alarm() {
    let mut channel = Channel::new(HISTORY);
    let quiet = channel.store.clear_if_quiet(START, true);
    assert_eq!(quiet, Ok(ClearResult::RemoveAll));
    channel.commit(&["1"], START);
    channel.restart(START + 1);
    assert_eq!(channel.held(START + 1), ["1"]);
}

#[test]
fn the_row_of_an_ended_channel_is_needed_for_an_hour_and_for_history_seconds() {
    let mut channel = Channel::new(HISTORY);
    channel.store.end(START).unwrap();
    assert_eq!(channel.store.needed_until(), START + HOUR);
    let long = HistoryLimits {
        age: 2 * HOUR,
        ..HISTORY
    };
    channel.restart_with(long, START);
    assert_eq!(channel.store.needed_until(), START + 2 * HOUR);
    channel.restart_with(NO_EVENTS, START);
    assert_eq!(channel.store.needed_until(), START + HOUR);
    let quiet = channel.store.clear_if_quiet(START + HOUR, false);
    assert_eq!(quiet, Ok(ClearResult::RemoveAll));
    assert!(!channel.store.is_ended(START + 1));
}

#[test]
fn an_alarm_is_needed_as_soon_as_something_is_stored() {
    let mut channel = Channel::new(HISTORY);
    assert!(!channel.store.needs_alarm());
    channel.commit(&["1"], START);
    assert!(channel.store.needs_alarm());
    channel.store.alarm_was_set();
    channel.commit(&["2"], START);
    assert!(!channel.store.needs_alarm(), "one alarm leads to the next");
    channel.restart(START);
    assert!(
        channel.store.needs_alarm(),
        "a new object does not know whether one is set"
    );
}

#[test]
fn earlier_epochs_published_nothing_since_the_moment_that_is_stored() {
    let mut channel = Channel::new(HISTORY);
    let since = START - HISTORY.age;
    assert_eq!(channel.store.unpublished_since(), since);
    channel.commit(&["1"], START);
    channel.restart(START + 500);
    assert_eq!(channel.store.unpublished_since(), since);
    channel.store.end(START + 600).unwrap();
    assert_eq!(channel.store.unpublished_since(), START + 600);
    channel.restart(START + 700);
    assert_eq!(channel.store.unpublished_since(), START + 600);
}
