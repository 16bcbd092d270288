use super::*;

fn numbers(range: std::ops::RangeInclusive<u64>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[test]
fn committed_events_are_found_after_a_restart_in_the_same_epoch() {
    let mut channel = Channel::new(HISTORY);
    assert_eq!(
        channel.store.next_id(),
        EventId {
            epoch: epoch(START),
            seq: 1
        }
    );
    channel.commit(&["1", "2"], START);
    channel.commit(&["3"], START + 1);
    let before = channel.snapshot(START + 2);
    assert_eq!(channel.held(START + 2), numbers(1..=3));
    channel.restart(START + 2);
    assert_eq!(channel.snapshot(START + 2), before);
    assert_eq!(
        channel.store.next_id(),
        EventId {
            epoch: epoch(START),
            seq: 4
        }
    );
    channel.commit(&["4"], START + 3);
    assert_eq!(channel.held(START + 3), numbers(1..=4));
}

#[test]
fn a_group_is_stored_in_one_row() {
    let mut channel = Channel::new(HISTORY);
    channel.commit(&["1", "2", "3"], START);
    assert_eq!(
        channel.database.number("SELECT count(*) FROM history_even"),
        1
    );
    assert_eq!(channel.database.number("SELECT first FROM history_even"), 1);
    assert_eq!(channel.database.number("SELECT last FROM history_even"), 3);
}

#[test]
fn a_group_that_is_too_large_for_one_row_is_stored_in_several() {
    let limits = HistoryLimits {
        bytes: u64::MAX,
        ..HISTORY
    };
    let mut channel = Channel::new(limits);
    let large = "x".repeat(600_000);
    channel.commit(&[&large, &large, "small"], START);
    assert_eq!(
        channel.database.number("SELECT count(*) FROM history_even"),
        2
    );
    channel.restart(START);
    assert_eq!(channel.held(START), [large.as_str(), &large, "small"]);
}

#[test]
fn the_history_holds_the_newest_events_also_after_a_restart() {
    let mut channel = Channel::new(HISTORY);
    for number in 1..=35 {
        channel.commit(&[&number.to_string()], START);
        let oldest = if number > 10 { number - 9 } else { 1 };
        assert_eq!(channel.held(START), numbers(oldest..=number));
        if number % 7 == 0 {
            channel.restart(START);
        }
    }
    assert_eq!(channel.held(START), numbers(26..=35));
    let rows = channel
        .database
        .number("SELECT (SELECT count(*) FROM history_even) + (SELECT count(*) FROM history_odd)");
    assert!(rows <= 22, "{rows} rows are stored for 10 events");
}

#[test]
fn rows_beyond_history_bytes_are_not_held_but_the_newest_always_is() {
    let mut channel = Channel::new(HISTORY);
    for letter in ["a", "b", "c"] {
        channel.commit(&[&letter.repeat(400)], START);
    }
    assert_eq!(
        channel.held(START),
        ["b", "c"].map(|letter| letter.repeat(400))
    );
    let large = "d".repeat(5_000);
    channel.commit(&[&large], START);
    assert_eq!(channel.held(START), [large.as_str()]);
    channel.restart(START);
    assert_eq!(channel.held(START), [large.as_str()]);
}

#[test]
fn events_older_than_history_seconds_are_not_held() {
    let mut channel = Channel::new(HISTORY);
    channel.commit(&["1"], START);
    channel.commit(&["2"], START + 600);
    assert_eq!(channel.held(START + 999), numbers(1..=2));
    assert_eq!(channel.held(START + 1_000), numbers(2..=2));
    channel.restart(START + 1_000);
    assert_eq!(channel.held(START + 1_000), numbers(2..=2));
    assert!(channel.held(START + 1_600).is_empty());
    assert_eq!(channel.store.next_id().seq, 3);
}

#[test]
fn a_page_holds_rows_up_to_64_kib_or_256_rows() {
    let limits = HistoryLimits {
        events: 10_000,
        bytes: u64::MAX,
        ..HISTORY
    };
    let mut channel = Channel::new(limits);
    for number in 1..=300 {
        channel.commit(&[&number.to_string()], START);
    }
    let page = channel.store.page(1).unwrap();
    assert_eq!((page.first, sse::parse(&page.wire).len()), (1, 256));
    let page = channel.store.page(200).unwrap();
    assert_eq!((page.first, sse::parse(&page.wire).len()), (200, 101));
    for _ in 0..4 {
        channel.commit(&[&"x".repeat(30_000)], START);
    }
    let page = channel.store.page(301).unwrap();
    assert_eq!(
        sse::parse(&page.wire).len(),
        3,
        "rows that begin within 64 KiB"
    );
}

#[test]
fn a_channel_without_a_history_stores_nothing_for_a_publish_without_a_key() {
    let mut channel = Channel::new(NO_EVENTS);
    assert!(!channel.try_commit(&["1"], Vec::new(), START).unwrap());
    assert_eq!(channel.database.dump(), "");
    assert_eq!(channel.store.next_id().seq, 2);
    assert_eq!(channel.store.tail(START).unwrap(), None);
    assert_eq!(channel.store.stats(START).unwrap(), None);
    assert!(!channel.store.needs_alarm());
}

#[test]
fn a_channel_without_a_history_begins_another_epoch_at_every_start() {
    let mut channel = Channel::new(NO_EVENTS);
    channel.commit_with_key("a", START);
    channel.restart(START);
    let next = EventId {
        epoch: epoch(START + 1),
        seq: 1,
    };
    assert_eq!(
        channel.store.next_id(),
        next,
        "a later epoch although the clock stands still"
    );
    assert_eq!(channel.receipt("a", START), Some("receipt of a"));
}

#[test]
fn a_history_that_is_turned_off_is_removed_and_the_epoch_ends() {
    let mut channel = Channel::new(HISTORY);
    channel.commit(&["1", "2"], START);
    channel.restart_with(NO_EVENTS, START + 5);
    assert_eq!(
        channel.store.next_id(),
        EventId {
            epoch: epoch(START + 5),
            seq: 1
        }
    );
    let tables = channel.database.dump();
    assert!(!tables.contains("history_"), "{tables}");
    channel.restart_with(HISTORY, START + 9);
    assert_eq!(
        channel.store.next_id(),
        EventId {
            epoch: epoch(START + 9),
            seq: 1
        }
    );
}
