//! Streams that may listen for a time only, told with the model.

use super::model::Model;
use crate::hub::MAX_CHUNK;
use crate::hub::*;

fn join(model: &mut Model, lifetime: Option<Millis>, keeps_up: bool) -> usize {
    model.lifetime = lifetime;
    model.join_read(keeps_up);
    model.readers.len() - 1
}

#[test]
fn each_ends_in_its_own_time_and_the_others_go_on() {
    let mut model = Model::new(8, 10_000);
    let begun = model.now;
    let [first, second, never] =
        [Some(300), Some(2_500), None].map(|lifetime| join(&mut model, lifetime, true));
    model.publish(&[1]);
    while model.readers[second].open {
        model.wake();
        model.turn();
        model.check();
        assert_eq!(model.readers[first].open, model.now < begun + 300);
    }
    assert_eq!(model.now, begun + 2_500, "not at the next heartbeat");
    model.publish(&[1]);
    assert!(model.readers[never].open);
    for (reader, expired, seq) in [(first, true, 1), (second, true, 1), (never, false, 2)] {
        let account = model.account(reader);
        assert_eq!((account.expired, account.last.unwrap().seq), (expired, seq));
    }
    model.settle();
}

#[test]
fn one_that_backs_up_is_told_where_it_is() {
    let mut model = Model::new(4, 10_000);
    let slow = join(&mut model, Some(1_000), false);
    for _ in 0..10 {
        model.publish(&[1]);
    }
    assert!(model.receipts_dropped > 0);
    while model.readers[slow].open {
        model.wake();
    }
    let account = model.account(slow);
    assert!(account.expired && account.dropped == 0);
    assert!(
        account.last.unwrap().seq < 10,
        "it resumes after what it has"
    );
    model.settle();
}

#[test]
fn an_event_that_was_cut_is_whole_before_the_end() {
    let mut model = Model::new(8, 1 << 20);
    let slow = join(&mut model, Some(1_000), false);
    model.publish(&[3 * MAX_CHUNK]);
    model.readers[slow].stream.take();
    while model.readers[slow].open {
        model.wake();
    }
    let account = model.account(slow);
    assert!(account.expired && account.last.unwrap().seq == 1);
    model.settle();
}

#[test]
fn who_has_left_is_not_waited_for_and_who_is_late_ends_at_once() {
    let mut model = Model::new(8, 10_000);
    let far = join(&mut model, Some(u64::MAX / 2), true);
    let gone = join(&mut model, Some(10), true);
    model.leave(gone);
    assert!(model.hub.next_poll() > Some(model.now + 10));
    let late = join(&mut model, Some(0), true);
    model.poll();
    assert!(!model.readers[late].open && model.readers[far].open);
    model.settle();
}
