use super::*;

#[test]
fn a_deleted_channel_has_neither_history_nor_keys_and_begins_another_epoch() {
    let mut channel = Channel::new(HISTORY);
    channel.commit_with_key("a", START);
    channel.store.delete(epoch(START)).unwrap();
    let next = EventId {
        epoch: epoch(START + 1),
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
fn a_publish_reopens_a_deleted_channel_in_its_next_epoch() {
    for history in [HISTORY, NO_EVENTS] {
        let mut channel = Channel::new(history);
        channel.store.delete(epoch(START)).unwrap();
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
fn a_channel_stays_ended_for_an_hour_or_for_history_seconds_if_that_is_longer() {
    let long = HistoryLimits {
        age: 2 * HOUR,
        ..HISTORY
    };
    for (history, until) in [
        (HISTORY, START + HOUR),
        (NO_EVENTS, START + HOUR),
        (long, START + 2 * HOUR),
    ] {
        for deletes in [false, true] {
            let mut channel = Channel::new(history);
            if deletes {
                channel.store.delete(epoch(START)).unwrap();
            } else {
                channel.end(&["1"], START);
            }
            for _ in 0..2 {
                assert!(channel.store.is_ended(until - 1));
                assert!(!channel.store.is_ended(until));
                assert_eq!(channel.store.needed_until(), until);
                channel.restart(START);
            }
            let quiet = channel.store.clear_if_quiet(until, false);
            assert_eq!(quiet, Ok(ClearResult::RemoveAll));
            assert!(!channel.store.is_ended(START + 1));
        }
    }
}

#[test]
fn a_quiet_channel_with_subscribers_is_stored_as_open_once_its_end_is_too_old() {
    let mut channel = Channel::new(HISTORY);
    channel.end(&[], START);
    let quiet = channel.store.clear_if_quiet(START + HOUR, true);
    assert_eq!(quiet, Ok(ClearResult::Cleared(1_000)));
    channel.restart(START);
    assert!(!channel.store.is_ended(START));
}

#[test]
fn an_ended_channel_keeps_its_events_and_keys_and_its_epoch() {
    let mut channel = Channel::new(HISTORY);
    channel.commit_with_key("a", START);
    channel.end(&["2", "3"], START);
    let next = EventId {
        epoch: epoch(START),
        seq: 4,
    };
    for _ in 0..2 {
        assert!(channel.store.is_ended(START));
        assert_eq!(channel.store.next_id(), next);
        assert_eq!(channel.held(START), ["a", "2", "3"]);
        assert!(channel.receipt("a", START).is_some());
        assert!(channel.store.needs_alarm());
        channel.restart(START);
    }
    channel.commit(&["4"], START + 1);
    for _ in 0..2 {
        assert!(!channel.store.is_ended(START + 1));
        assert_eq!(channel.held(START + 1), ["a", "2", "3", "4"]);
        channel.restart(START + 1);
    }
}

#[test]
fn an_ended_channel_without_a_history_keeps_its_epoch_until_it_is_reopened() {
    let mut channel = Channel::new(NO_EVENTS);
    assert!(!channel.try_commit(&["1", "2"], Vec::new(), START).unwrap());
    channel.end(&["3"], START);
    let next = EventId {
        epoch: epoch(START),
        seq: 4,
    };
    for now in [START, START + 1, START + HOUR - 1] {
        assert_eq!(channel.store.next_id(), next, "no id is used twice");
        channel.restart(now);
    }
    channel.commit(&["4"], START + HOUR - 1);
    channel.restart(START + HOUR - 1);
    assert!(!channel.store.is_ended(START + HOUR - 1));
    assert!(channel.store.next_id().epoch > next.epoch);
}

#[test]
fn an_ended_channel_without_a_history_begins_another_epoch_when_it_is_not_ended_any_more() {
    let mut channel = Channel::new(NO_EVENTS);
    channel.end(&["1"], START);
    let ended = channel.store.next_id().epoch;
    channel.restart(START + HOUR);
    assert!(!channel.store.is_ended(START + HOUR));
    assert!(channel.store.next_id().epoch > ended);
}

#[test]
fn an_ended_channel_stays_ended_when_the_history_is_turned_off_or_on() {
    for (before, after) in [(HISTORY, NO_EVENTS), (NO_EVENTS, HISTORY)] {
        let mut channel = Channel::new(before);
        channel.end(&["1", "2"], START);
        let next = channel.store.next_id();
        channel.restart_with(after, START + 1);
        for _ in 0..2 {
            assert!(channel.store.is_ended(START + 1));
            assert_eq!(channel.store.next_id(), next);
            assert!(!channel.database.dump().contains("history_"));
            channel.restart(START + 2);
        }
    }
}

#[test]
fn an_epoch_does_not_continue_after_events_of_a_later_epoch_that_were_not_stored() {
    for history in [HISTORY, NO_EVENTS] {
        for deletes in [false, true] {
            let mut channel = Channel::new(history);
            if deletes {
                channel.store.delete(epoch(START)).unwrap();
            } else {
                channel.end(&[], START);
            }
            // The channel is not ended any more, and no alarm has cleared it yet.
            channel.restart_with(NO_EVENTS, START + HOUR);
            let without_history = channel.store.next_id().epoch;
            assert!(
                !channel
                    .try_commit(&["1"], Vec::new(), START + HOUR)
                    .unwrap()
            );
            channel.restart_with(HISTORY, START + HOUR + 1);
            assert!(channel.store.next_id().epoch > without_history);
        }
    }
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
    channel.store.delete(epoch(START + 600)).unwrap();
    assert_eq!(channel.store.unpublished_since(), START + 600);
    channel.restart(START + 700);
    assert_eq!(channel.store.unpublished_since(), START + 600);
}
