//! How long events wait in the simulation.

use super::{Simulation, Speed, WRITE};

/// With 3,000 streams of all speeds, and a load that changes.
#[test]
fn a_stream_that_is_ready_is_written_to_in_this_flush_or_the_next_and_fast_streams_drop_nothing() {
    let speed = |number: u64| match number % 10 {
        0 => Speed::Stalled,
        1 => Speed::Slow(400_000),
        2 => Speed::Slow(20_000),
        3 => Speed::LeavesAt(number * 3_000),
        _ => Speed::Fast,
    };
    let mut simulation = Simulation::new((0..3_000).map(speed));
    for (rate, end) in [(5, 2), (200, 5), (1_000, 7), (20, 9)] {
        simulation.publish(rate, end);
        let most = simulation.most_flushes_waited;
        assert!(
            most <= 2,
            "a stream waited for {most} flushes at {rate} events a second"
        );
    }
    // A flush that never ends would not be counted, so the time of two flushes of all streams is a limit, too.
    let wait = simulation.longest_wait();
    assert!(wait <= 25 + 2 * 3_000 * WRITE / 1_000, "{wait} ms");
    simulation.run_until(12_000_000);
    let (head, tail) = (simulation.hub.log.head(), simulation.hub.log.tail());
    for client in &simulation.clients {
        let subscriber = &simulation.hub.subscribers[&client.conn];
        let level = !subscriber.cursor.is_behind(head);
        assert_eq!(level, client.speed != Speed::Stalled);
        if client.speed == Speed::Fast {
            assert!(!simulation.dropped.contains(&client.conn));
        }
    }
    assert!(tail > 1, "events have left the log");
    assert!(
        simulation.dropped.len() >= 300,
        "the stalled streams have dropped them"
    );
    assert!(simulation.clients.len() < 3_000, "some streams have left");
}

#[test]
fn in_a_quiet_channel_an_event_waits_only_for_the_writes_of_its_flush() {
    let mut simulation = Simulation::new([Speed::Fast; 1_000]);
    simulation.publish(10, 5);
    simulation.run_until(6_000_000);
    assert_eq!(simulation.writes, 1_000 * simulation.appended.len() as u64);
    assert!(simulation.longest_wait() <= 1_000 * WRITE / 1_000);
}

#[test]
fn retries_for_slow_streams_delay_no_event_of_a_quiet_channel() {
    let mut speeds = vec![Speed::Fast; 300];
    speeds.extend([Speed::Stalled, Speed::Slow(30_000)]);
    let mut simulation = Simulation::new(speeds);
    simulation.publish(10, 5);
    simulation.run_until(6_000_000);
    let wait = simulation.longest_wait();
    assert!(wait <= 302 * WRITE / 1_000 + 1, "{wait} ms");
}

#[test]
fn in_a_busy_channel_events_share_flushes_and_wait_for_flush_max_and_two_flushes_at_most() {
    for (streams, rate) in [
        (200, 1_000),
        (500, 100),
        (500, 200),
        (500, 1_000),
        (700, 1_000),
    ] {
        let mut simulation = Simulation::new(vec![Speed::Fast; streams]);
        simulation.publish(rate, 5);
        let writes_each = simulation.writes / streams as u64;
        let events = simulation.appended.len() as u64 / writes_each;
        assert!(
            events >= 2,
            "{events} events in a flush of {streams} streams, {rate}/s"
        );
        let most = 25 + 2 * streams as u64 * WRITE / 1_000 + 1;
        let wait = simulation.longest_wait();
        assert!(wait <= most, "{wait} ms for {streams} streams, {rate}/s");
    }
}
