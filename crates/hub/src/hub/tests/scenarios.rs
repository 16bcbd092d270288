//! Single stories, told with the model: what happens to whom, and when.

use super::model::Model;
use crate::Readiness;
use crate::ReplayFrom;
use crate::hub::MAX_CHUNK;
use crate::hub::flush_cycle::GROUP;
use crate::hub::*;
use crate::sse;
use crate::sse::Batch;

/// A reader that takes one chunk in ten turns, beside one that keeps up, under bursts larger than the buffer.
#[test]
fn a_slow_reader_is_told_and_a_fast_one_is_whole() {
    let mut model = Model::new(256, 1 << 20);
    model.join_read(true);
    model.join_read(false);
    for round in 0..205 {
        model.publish(&[16; 100]);
        if round % 10 == 9 {
            model.readers[1].stream.take();
            model.now += 25;
            model.poll();
        }
        model.check();
    }
    assert_eq!(model.hub.stats().busy, 1);
    assert!(model.receipts_dropped > 10_000);
    model.settle();
}

/// 300 silent streams hear a heartbeat in every period, and not all at once; the last one to leave stops the clock.
#[test]
fn an_idle_channel_beats_until_its_last_stream_leaves() {
    let mut model = Model::new(8, 10_000);
    for _ in 0..300 {
        model.join_read(true);
    }
    let mut last_heard = vec![model.now; 300];
    let end = model.now + 10_000;
    while model.now < end {
        model.now = model.now.max(model.hub.next_poll().unwrap());
        let before: Vec<_> = model.readers.iter().map(|r| r.stream.all().len()).collect();
        model.poll();
        model.turn();
        let mut written = 0;
        for (index, reader) in model.readers.iter().enumerate() {
            if reader.stream.all().len() > before[index] {
                last_heard[index] = model.now;
                written += 1;
            }
            assert!(model.now - last_heard[index] <= 1_000);
        }
        assert!(written < 150);
    }
    // With a flush still due.
    model.publish(&[1]);
    model.publish(&[1]);
    for index in 0..300 {
        model.leave(index);
    }
    assert_eq!(model.hub.next_poll(), None);
    model.publish(&[1]);
    assert_eq!(
        model.hub.next_poll(),
        None,
        "nobody is there to be written to"
    );
}

/// A stream that takes nothing is ended after the limit, one that has nothing waiting never is.
#[test]
fn a_stalled_stream_is_ended() {
    let mut model = Model::new(8, 10_000);
    model.join_read(false);
    model.publish(&[1]);
    model.join_read(false);
    let begun = model.now;
    while model.now - begun < 200_000 && model.readers[0].open {
        model.wake();
    }
    let after = model.now - begun;
    assert!((60_000..61_000).contains(&after), "{after}");
    let end = model.now + 200_000;
    while model.now < end {
        model.wake();
    }
    assert!(
        model.readers[1].open,
        "an untaken heartbeat is no event that waits"
    );
    assert_eq!(model.hub.subscribers(), 1);
}

/// Ready streams are never ended, however long they are silent.
#[test]
fn a_healthy_stream_is_not_stalled() {
    let mut model = Model::new(8, 10_000);
    model.join_read(true);
    model.publish(&[1]);
    model.turn();
    model.now += 500_000;
    model.poll();
    assert!(model.readers[0].open);
}

/// The runtime may never take the opening block of a stream whose client was gone before it opened.
#[test]
fn a_stream_that_nobody_reads_from_the_start_is_ended() {
    let mut model = Model::new(8, 10_000);
    model.join(false);
    model.now += 61_000;
    model.poll();
    assert!(!model.readers[0].open);
}

/// Waiting is counted from when an event was due, not from the heartbeat before it.
#[test]
fn an_event_has_the_whole_limit_to_be_taken() {
    let mut model = Model::new(8, 10_000);
    model.join_read(false);
    while model.readers[0].stream.is_ready() {
        model.wake();
    }
    model.now += 59_000;
    model.publish(&[1]);
    model.now += 59_000;
    model.poll();
    assert!(model.readers[0].open);
    model.now += 2_000;
    model.poll();
    assert!(!model.readers[0].open);
}

/// A heartbeat would end up inside an event that was cut.
#[test]
fn no_heartbeat_goes_into_an_event() {
    let mut model = Model::new(8, 400_000);
    model.join_read(true);
    model.publish(&[150_000]);
    model.turn();
    // Past every heartbeat, but not past the next retry: only the tick is due.
    model.hub.liveness.note_tick(0);
    model.hub.flushes.delay_retry(model.now + 5_000);
    model.now += 2_000;
    model.poll();
    model.settle();
}

/// A stalled stream holds up no publisher: it gets one turn of the event loop, once.
#[test]
fn publishers_do_not_wait_for_a_stalled_stream() {
    let mut model = Model::new(8, 10_000);
    model.join_read(true);
    model.join_read(false);
    for _ in 0..3 {
        model.publish(&[1; 8]);
    }
    assert_eq!(model.hub.stats().busy, 1);
    model.turn();
    let waited = model.waited;
    for _ in 0..100 {
        model.publish(&[1; 2]);
        model.turn();
    }
    assert_eq!(model.waited, waited);
    // One that takes a chunk now and then is not waited for either, while it is dropping.
    for round in 0..100 {
        if round % 2 == 0 {
            model.readers[1].stream.take();
        }
        model.publish(&[1_000; 8]);
        model.turn();
    }
    assert_eq!(model.waited, waited);
    model.leave(0);
    model.leave(1);
    assert_eq!(model.hub.next_poll(), None);
}

/// Many slow streams, each of which takes a chunk now and then, hold up a publisher no longer than one does.
#[test]
fn slow_streams_do_not_add_up() {
    for slow in [1, 16, 100] {
        let mut model = Model::new(256, 1 << 20);
        model.join_read(true);
        for _ in 0..slow {
            model.join_read(false);
        }
        for _ in 0..4 {
            let mut wire = String::new();
            for _ in 0..100 {
                sse::write_event(&mut wire, "", &"x".repeat(10_000));
            }
            let batch = Batch::from_wire(wire);
            let mut turns = 0;
            loop {
                match model.hub.readiness_to_append(&batch) {
                    Readiness::FlushFirst => model.flush(),
                    Readiness::WaitForLoopTurn => {
                        model.turn();
                        turns += 1;
                        model.readers[1 + turns % slow].stream.take();
                    }
                    Readiness::Ready => break,
                }
            }
            model.hub.append(&batch, model.now);
            model.poll();
            // 1 MB in chunks of 64 KiB of whole events, and one turn to see who is slow.
            assert!(turns <= 20, "{turns} turns for {slow} slow streams");
        }
    }
}

/// One that dropped, but takes its chunks again, is offered what it would lose next.
#[test]
fn a_busy_stream_that_is_ready_is_offered_what_it_would_lose() {
    let mut model = Model::new(8, 10_000);
    model.join_read(true);
    model.join_read(false);
    for _ in 0..3 {
        model.publish(&[1; 8]);
    }
    assert_eq!(model.hub.stats().busy, 1);
    let dropped = model.receipts_dropped;
    for _ in 0..10 {
        model.turn();
        model.readers[1].stream.take();
        model.publish(&[1; 8]);
    }
    assert_eq!(model.receipts_dropped, dropped);
    model.settle();
}

/// Nothing but a stalled stream: it is tried a few times a second, no more.
#[test]
fn a_stalled_stream_is_tried_less_and_less() {
    let mut model = Model::new(8, 10_000);
    model.join_read(false);
    model.publish(&[1]);
    model.publish(&[1]);
    let (end, mut polls) = (model.now + 10_000, 0);
    while model.now < end {
        model.wake();
        polls += 1;
    }
    // 4 a second, and 32 ticks of the heartbeat.
    assert!(polls < 10 * (4 + 32) + 20, "{polls}");
    model.readers[0].stream.take();
    model.now += 250;
    model.poll();
    assert!(
        !model.readers[0].stream.is_ready(),
        "it is served within 250 ms"
    );
}

/// 2,000 streams that were stuck come alive together: what is copied at once stays small, and all are served.
#[test]
fn a_herd_that_comes_alive_shares_chunks_and_is_served_fairly() {
    let mut model = Model::new(256, 1 << 20);
    for _ in 0..100 {
        model.join_read(false);
        model.publish(&[60_000]);
    }
    for _ in 0..1_900 {
        model.join_read(false);
    }
    model.publish(&[10_000; 10]);
    model.publish(&[60_000; 15]);
    model.now += 1_000;
    for _ in 0..40 {
        for reader in &model.readers {
            reader.stream.take();
        }
        let work = model.hub.flush(&mut model.history, model.now);
        let bytes: usize = work.chunks.iter().map(Vec::len).sum();
        assert!(bytes <= GROUP * MAX_CHUNK, "{bytes}");
        model.perform(work);
    }
    model.settle();
}

/// 1,000 streams, each stalled at another place: what they keep is bounded.
#[test]
fn streams_that_stall_one_after_the_other_keep_small_chunks() {
    let mut model = Model::with_history(256, 1 << 20, Some(2_000));
    for _ in 0..1_000 {
        model.publish(&[1_000; 8]);
    }
    let mut kept = 0;
    for number in 0..1_000 {
        let after = ReplayFrom::Last(1_900 - number);
        model.join_since(after, false, false);
        model.readers.last().unwrap().stream.take();
        model.now += 25;
        let work = model.hub.flush(&mut model.history, model.now);
        kept += work.chunks.iter().map(Vec::len).sum::<usize>();
        model.perform(work);
    }
    assert!(kept < (8 << 20) + 1_000 * 9_000, "{kept} bytes");
    model.settle();
}

/// One that catches up is given its next chunk soon after it took the last, also where nothing new is published.
#[test]
fn catching_up_is_not_slowed_down_by_the_back_off() {
    let mut model = Model::new(256, 1 << 20);
    model.join_read(false);
    model.publish(&[1]);
    model.publish(&[60_000; 15]);
    // Long enough for the retries to have become rare.
    let stuck_until = model.now + 5_000;
    while model.now < stuck_until {
        model.wake();
    }
    let begun = model.now;
    while model.readers[0].stream.0.borrow().waiting.is_some() || model.hub.flush_at().is_some() {
        model.readers[0].stream.take();
        model.wake();
    }
    let took = model.now - begun;
    assert!(took < 1_000, "15 chunks took {took} ms");
    model.settle();
}

/// One that was away is given what it missed; from then on it drops as any other does.
#[test]
fn one_that_resumed_and_is_level_drops_like_the_others() {
    for catch_up in [false, true] {
        let mut model = Model::with_history(8, 10_000, Some(1_000));
        model.publish(&[1; 8]);
        model.publish(&[1; 8]);
        model.join_since(ReplayFrom::Oldest, false, catch_up);
        while model.account(0).last.map(|id| id.seq) != Some(16) {
            model.readers[0].stream.take();
            model.wake();
        }
        for _ in 0..5 {
            model.publish(&[1; 8]);
        }
        assert_eq!(model.receipts_dropped > 0, !catch_up);
        model.settle();
        let account = model.account(0);
        assert_eq!(account.dropped > 0, !catch_up);
        assert!(account.gaps.is_empty());
    }
}

/// A publisher does not wait for one that reads the history, however far behind and however quick it is.
#[test]
fn publishers_do_not_wait_for_a_reader_of_the_history() {
    let mut model = Model::with_history(8, 100_000, Some(1_000));
    for _ in 0..100 {
        model.publish(&[3_000; 8]);
    }
    model.join_since(ReplayFrom::Oldest, true, false);
    model.turn();
    for _ in 0..10 {
        model.publish(&[3_000; 8]);
    }
    assert_eq!(model.waited, 0);
    let last = model.account(0).last.unwrap().seq;
    assert!(last < 800, "it reads as the flushes come: {last}");
    model.settle();
    assert!(model.account(0).gaps.is_empty());
}

/// What is stored may not be durable yet: nobody is given it before it is appended.
#[test]
fn nothing_is_read_from_the_history_that_was_not_appended() {
    let mut model = Model::with_history(4, 10_000, Some(1_000));
    model.publish(&[1; 4]);
    model.publish(&[1]);
    model.store(&[1]);
    model.join_since(ReplayFrom::Oldest, true, false);
    for _ in 0..10 {
        model.turn();
        model.now += 50;
        model.poll();
    }
    assert_eq!(model.account(0).last.unwrap().seq, 5);
    let page = model.hub.read_events(1, 10, 1_000, &mut model.history);
    assert_eq!(page.unwrap().len(), 5);
}
