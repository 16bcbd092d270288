//! Random sequences of steps: feeds break, messages are late, objects sleep and are replaced, clients do not read.

use proptest::prelude::*;

use super::model::{LIMITS, Model, Subscription};
use super::steps::{Step, steps, steps_with_large_events, steps_with_sleep};
use crate::ReplayFrom;
use crate::held::HeldLimits;

/// One to three channels, with and without a history.
fn histories() -> impl Strategy<Value = Vec<Option<u64>>> {
    let history = prop_oneof![1 => Just(None), 1 => Just(Some(4)), 3 => Just(Some(200))];
    prop::collection::vec(history, 1..=3)
}

fn run(histories: &[Option<u64>], buffer_events: usize, steps: Vec<Step>) {
    run_and_drain(Model::new(histories, buffer_events), steps);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn held_streams_have_no_hole_and_nothing_twice(
        histories in histories(), steps in steps(0..20_usize)
    ) {
        run(&histories, 8, steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn held_streams_of_large_events_stay_within_their_windows(
        histories in histories(),
        steps in steps(prop_oneof![0..200_usize, 20_000..64_000_usize, 64_000..140_000_usize])
    ) {
        run(&histories, 40, steps);
    }
}

/// A model with streams of all its channels, which hold 1,000 events each.
fn with_streams(channels: usize, streams: usize) -> Model {
    let mut model = Model::new(&vec![Some(1_000); channels], 100);
    for _ in 0..streams {
        let starts = (0..channels).map(|object| (object, ReplayFrom::Now));
        let subscription = Subscription {
            starts: starts.collect(),
            catch_up: false,
            keeps_up: false,
            limits: HeldLimits {
                stall: None,
                ..LIMITS
            },
            seed: 0,
        };
        model.subscribe(subscription, None);
    }
    model
}

fn run_and_drain(mut model: Model, steps: Vec<Step>) {
    for step in steps {
        model.run(step);
    }
    model.drain();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_worker_holds_a_bounded_number_of_bytes_however_often_objects_sleep(
        channels in 1..3_usize, streams in 1..3_usize, steps in steps_with_sleep()
    ) {
        run_and_drain(with_streams(channels, streams), steps);
    }

    #[test]
    fn feeds_that_break_while_other_channels_are_in_an_event_lose_and_repeat_nothing(
        channels in 2..4_usize, steps in steps_with_large_events()
    ) {
        run_and_drain(with_streams(channels, 1), steps);
    }
}
