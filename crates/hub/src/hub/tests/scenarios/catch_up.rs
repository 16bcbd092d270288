//! Streams that read the history.

use crate::ReplayFrom;
use crate::hub::tests::model::Model;

#[test]
fn a_stream_that_resumed_and_is_level_drops_like_others_unless_it_catches_up() {
    for catch_up in [false, true] {
        let mut model = Model::with_history(8, 10_000, Some(1_000));
        model.publish(&[1; 8]);
        model.publish(&[1; 8]);
        model.join_from(ReplayFrom::Oldest, false, catch_up);
        while model.account(0).last.map(|id| id.seq) != Some(16) {
            model.clients[0].stream.take();
            model.wait_and_poll();
        }
        for _ in 0..5 {
            model.publish(&[1; 8]);
        }
        assert_eq!(model.receipts_dropped > 0, !catch_up);
        model.drain();
        let account = model.account(0);
        assert_eq!(account.dropped > 0, !catch_up);
        assert!(account.gaps.is_empty());
    }
}

#[test]
fn catch_up_has_no_effect_without_a_history() {
    let mut model = Model::new(8, 10_000);
    model.join_from(ReplayFrom::Now, false, true);
    for _ in 0..5 {
        model.publish(&[1; 8]);
    }
    assert!(model.receipts_dropped > 0);
    model.drain();
}

#[test]
fn publishers_do_not_wait_for_a_stream_that_reads_the_history() {
    let mut model = Model::with_history(8, 100_000, Some(1_000));
    for _ in 0..100 {
        model.publish(&[3_000; 8]);
    }
    model.join_from(ReplayFrom::Oldest, true, false);
    model.loop_turn();
    for _ in 0..10 {
        model.publish(&[3_000; 8]);
    }
    assert_eq!(model.turns_waited, 0);
    let last = model.account(0).last.unwrap().seq;
    assert!(last < 800, "it reads one chunk in each flush: {last}");
    model.drain();
    assert!(model.account(0).gaps.is_empty());
}

/// A stored event may not be durable yet.
#[test]
fn stored_events_are_not_read_before_they_are_appended() {
    let mut model = Model::with_history(4, 10_000, Some(1_000));
    model.publish(&[1; 4]);
    model.publish(&[1]);
    model.store(&[1]);
    model.join_from(ReplayFrom::Oldest, true, false);
    for _ in 0..10 {
        model.loop_turn();
        model.now += 50;
        model.poll();
    }
    assert_eq!(model.account(0).last.unwrap().seq, 5);
    let events = model.hub.read_events(1, 10, 1_000, &mut model.history);
    assert_eq!(events.unwrap().len(), 5);
}

#[test]
fn a_stream_whose_history_cannot_be_read_ends_and_the_others_go_on() {
    let mut model = Model::with_history(4, 10_000, Some(1_000));
    model.publish(&[1; 4]);
    model.publish(&[1; 4]);
    model.join_from(ReplayFrom::Oldest, true, false);
    model.join_from(ReplayFrom::Now, true, false);
    model.loop_turn();
    model.history.fails = true;
    model.now += 25;
    let output = model.hub.poll(&mut model.history, model.now);
    let error = output.error.clone().unwrap().to_string();
    assert!(error.starts_with("the history cannot be read: "), "{error}");
    model.perform(output);
    assert!(!model.clients[0].open && model.clients[1].open);
    model.publish(&[1]);
    model.drain();
}

/// Returns the number of writes of each group of a flush, if a client starts at each of these positions before the head.
/// The log holds the newest `buffer_events` of 50 events.
fn groups_of_a_flush(positions: impl Iterator<Item = u64>, buffer_events: usize) -> Vec<usize> {
    groups_of_a_flush_in(
        Model::with_history(buffer_events, 10_000, Some(1_000)),
        positions,
    )
}

fn groups_of_a_flush_in(mut model: Model, positions: impl Iterator<Item = u64>) -> Vec<usize> {
    for _ in 0..50 {
        model.publish(&[1]);
    }
    for position in positions {
        model.join_from(ReplayFrom::Last(position), false, false);
        model.clients.last().unwrap().stream.take();
    }
    let mut groups = Vec::new();
    while groups.is_empty() || model.hub.is_flushing() {
        let output = model.hub.flush(&mut model.history, model.now);
        groups.push(output.writes.len());
        model.perform(output);
    }
    model.drain();
    groups
}

#[test]
fn a_flush_reads_the_history_for_at_most_16_positions_in_a_loop_turn() {
    assert_eq!(groups_of_a_flush(11..=50, 4), [16, 16, 8]);
}

#[test]
fn the_limit_of_reads_does_not_count_positions_that_are_known_or_in_the_log() {
    assert_eq!(groups_of_a_flush((35..=50).chain([40, 41]), 4), [18]);
    assert_eq!(groups_of_a_flush(11..=50, 50), [40]);
}

#[test]
fn a_group_has_64_responses_or_16_feeds() {
    for (joins_feeds, groups) in [(false, vec![64, 6]), (true, vec![16, 16, 16, 16, 6])] {
        let mut model = Model::with_history(50, 10_000, Some(1_000));
        model.joins_feeds = joins_feeds;
        assert_eq!(groups_of_a_flush_in(model, [40; 70].into_iter()), groups);
    }
}

#[test]
fn read_events_stops_at_the_limits_of_events_and_bytes() {
    let mut model = Model::with_history(4, 10_000, Some(1_000));
    model.publish(&[10; 4]);
    model.publish(&[10; 4]);
    let mut read = |from, max_events, max_bytes| {
        let events = model
            .hub
            .read_events(from, max_events, max_bytes, &mut model.history)
            .unwrap();
        let seqs: Vec<u64> = events.iter().map(|(id, _)| id.seq).collect();
        seqs
    };
    assert_eq!(read(1, 100, 10_000), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(read(3, 3, 10_000), [3, 4, 5]);
    assert_eq!(read(7, 100, 10_000), [7, 8]);
    // An event has 20 bytes: `data: 1:xxxxxxxxxx` and two line ends.
    assert_eq!(read(3, 100, 21), [3, 4]);
    assert_eq!(read(3, 100, 20), [3]);
    assert!(read(3, 0, 10_000).is_empty() && read(3, 100, 0).is_empty());
    assert!(read(9, 100, 10_000).is_empty());
}

#[test]
fn an_event_that_neither_the_history_nor_the_log_holds_is_an_error() {
    let mut model = Model::new(4, 10_000);
    model.publish(&[1; 4]);
    model.publish(&[1; 4]);
    let error = model.hub.read_events(2, 10, 1_000, &mut crate::NoHistory);
    assert!(error.unwrap_err().to_string().contains("event 2"));
}
