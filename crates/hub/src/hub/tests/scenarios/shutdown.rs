//! The end of all streams when the server stops.

use crate::hub::MAX_CHUNK;
use crate::hub::tests::model::Model;

/// Ends all streams. Returns for each stream what it was written, with the streams in the order of their numbers.
fn shut_down(model: &mut Model) -> Vec<Vec<u8>> {
    let mut retry_ms = 2_000;
    let output = model.hub.shut_down(|| {
        retry_ms += 1;
        retry_ms
    });
    let written = |conn| {
        let writes = output.writes.iter().filter(|write| write.conn == conn);
        writes
            .flat_map(|write| output.chunks[write.chunk].bytes.clone())
            .collect()
    };
    let all = output.ended.iter().map(|ended| written(ended.conn));
    let all = all.collect();
    assert_eq!(model.hub.subscribers(), 0);
    assert_eq!(model.hub.next_poll(), None, "nothing is due any more");
    all
}

#[test]
fn each_stream_ends_with_a_time_of_its_own_to_reconnect() {
    let mut model = Model::new(8, 10_000);
    model.join_and_take(true);
    model.join_and_take(false);
    model.publish(&[1]);
    let next = model.hub.next_id();
    assert_eq!(shut_down(&mut model), [b"retry: 2001\n", b"retry: 2002\n"]);
    assert_eq!(model.hub.next_id(), next, "the channel has not ended");
}

#[test]
fn a_stream_that_is_ready_gets_the_rest_of_its_event() {
    let mut model = Model::new(8, 1 << 20);
    model.join_and_take(false);
    model.publish(&[MAX_CHUNK + 100]);
    model.clients[0].stream.take();
    let [last] = shut_down(&mut model).try_into().unwrap();
    let last = String::from_utf8(last).unwrap();
    assert!(last.len() < MAX_CHUNK);
    assert!(last.ends_with("\n\nretry: 2001\n"), "{last}");
}

#[test]
fn nothing_is_written_into_the_middle_of_an_event() {
    for (size, takes) in [(MAX_CHUNK + 100, false), (3 * MAX_CHUNK, true)] {
        let mut model = Model::new(8, 1 << 20);
        model.join_and_take(false);
        model.publish(&[size]);
        if takes {
            model.clients[0].stream.take();
        }
        assert_eq!(shut_down(&mut model), [b""]);
    }
}
