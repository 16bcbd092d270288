//! Streams that stall at many positions, and their chunks.

use crate::ReplayFrom;
use crate::hub::MAX_CHUNK;
use crate::hub::flush_cycle::GROUP;
use crate::hub::tests::model::Model;

#[test]
fn streams_at_the_same_position_share_one_chunk() {
    let mut model = Model::new(8, 10_000);
    for _ in 0..10 {
        model.join_and_take(false);
    }
    model.publish(&[1]);
    model.publish(&[1]);
    for client in &model.clients[..4] {
        client.stream.take();
    }
    let output = model.hub.flush(&mut model.history, model.now);
    assert_eq!((output.chunks.len(), output.writes.len()), (1, 4));
    model.perform(output);
    model.drain();
}

/// Both clients are at event 1, which has left the log. One was there when it was published, and the other one asked
/// for it.
#[test]
fn streams_at_the_same_position_do_not_share_a_chunk_if_one_drops_and_one_reads_the_history() {
    let mut model = Model::with_history(4, 10_000, Some(100));
    model.join(false);
    model.publish(&[1; 4]);
    model.publish(&[1; 4]);
    model.join_from(ReplayFrom::Oldest, false, false);
    model.clients[0].stream.take();
    model.clients[1].stream.take();
    let output = model.hub.flush(&mut model.history, model.now);
    assert_eq!((output.chunks.len(), output.writes.len()), (2, 2));
    model.perform(output);
    assert_eq!(model.account(0).dropped, 4);
    assert_eq!(model.account(1).dropped, 0);
    model.drain();
}

#[test]
fn streams_that_become_ready_together_share_chunks_and_are_all_served() {
    let mut model = Model::new(256, 1 << 20);
    for _ in 0..100 {
        model.join_and_take(false);
        model.publish(&[60_000]);
    }
    for _ in 0..1_900 {
        model.join_and_take(false);
    }
    model.publish(&[10_000; 10]);
    model.publish(&[60_000; 15]);
    model.now += 1_000;
    for _ in 0..40 {
        for client in &model.clients {
            client.stream.take();
        }
        let output = model.hub.flush(&mut model.history, model.now);
        let bytes: usize = output.chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        assert!(bytes <= GROUP * MAX_CHUNK, "{bytes}");
        model.perform(output);
    }
    model.drain();
}

/// 1,000 streams stall, each at another position.
#[test]
fn streams_that_stall_at_different_positions_keep_small_chunks() {
    let mut model = Model::with_history(256, 1 << 20, Some(2_000));
    for _ in 0..1_000 {
        model.publish(&[1_000; 8]);
    }
    let mut kept = 0;
    for number in 0..1_000 {
        let from = ReplayFrom::Last(1_900 - number);
        model.join_from(from, false, false);
        model.clients.last().unwrap().stream.take();
        model.now += 25;
        let output = model.hub.flush(&mut model.history, model.now);
        kept += output
            .chunks
            .iter()
            .map(|chunk| chunk.bytes.len())
            .sum::<usize>();
        model.perform(output);
    }
    assert!(kept < (8 << 20) + 1_000 * 9_000, "{kept} bytes");
    model.drain();
}

/// After a long stall, retries are rare. The first progress has to make them frequent again.
#[test]
fn a_stream_that_takes_chunks_again_gets_the_next_ones_soon() {
    let mut model = Model::new(256, 1 << 20);
    model.join_and_take(false);
    model.publish(&[1]);
    model.publish(&[60_000; 15]);
    let stalled_until = model.now + 5_000;
    while model.now < stalled_until {
        model.wait_and_poll();
    }
    let begin = model.now;
    while model.hub.flush_at().is_some() {
        model.clients[0].stream.take();
        model.wait_and_poll();
    }
    let took = model.now - begin;
    assert!(took < 1_000, "15 chunks took {took} ms");
    model.drain();
}
