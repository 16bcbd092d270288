//! The rules of `docs/delivery.md`, "The seven rules", in random sequences of steps.

use proptest::prelude::*;
use proptest::sample::Index;

use super::model::Model;
use crate::hub::Evict;
use crate::hub::flush_cycle::GROUP;
use crate::{Millis, ReplayFrom};

#[derive(Clone, Debug)]
enum Step {
    Publish(Vec<usize>),
    /// Like `Publish`, but the batch is appended only with the next one.
    Store(Vec<usize>),
    Take(Index),
    LoopTurn,
    Wait(Millis),
    Join {
        from: ReplayFrom,
        keeps_up: bool,
        catch_up: bool,
    },
    Reconnect {
        client: Index,
        keeps_up: bool,
        catch_up: bool,
    },
    Leave(Index),
    /// How long the streams may be open that join from now on.
    Lifetime(Option<Millis>),
    /// Whether Workers hold the streams that join from now on.
    JoinFeeds(bool),
    HandOver,
    /// How many events the history holds from now on.
    Hold(u64),
    /// Makes the next read of the history fail.
    FailOnce,
    Evict(Evict),
    Restart,
    End,
    Delete,
}

fn replay_from() -> impl Strategy<Value = ReplayFrom> {
    prop_oneof![
        4 => Just(ReplayFrom::Now),
        1 => (0..40_u64).prop_map(ReplayFrom::Last),
        1 => Just(ReplayFrom::Oldest),
        1 => Just(ReplayFrom::Unknown),
    ]
}

/// Up to 120 steps. The data of the events have the sizes `sizes`.
fn steps(
    sizes: impl Strategy<Value = usize> + Clone + 'static,
) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        32 => prop::collection::vec(sizes.clone(), 1..=8).prop_map(Step::Publish),
        6 => prop::collection::vec(sizes, 1..=8).prop_map(Step::Store),
        16 => any::<Index>().prop_map(Step::Take),
        8 => Just(Step::LoopTurn),
        12 => (0..40_u64).prop_map(Step::Wait),
        4 => (400..30_000_u64).prop_map(Step::Wait),
        8 => (replay_from(), any::<bool>(), any::<bool>())
            .prop_map(|(from, keeps_up, catch_up)| Step::Join { from, keeps_up, catch_up }),
        6 => (any::<Index>(), any::<bool>(), any::<bool>())
            .prop_map(|(client, keeps_up, catch_up)| Step::Reconnect { client, keeps_up, catch_up }),
        4 => any::<Index>().prop_map(Step::Leave),
        3 => (0..60_u64).prop_map(Step::Hold),
        1 => Just(Step::FailOnce),
        2 => Just(Step::Evict(Evict::Unneeded)),
        1 => Just(Step::Evict(Evict::All)),
        1 => Just(Step::Restart),
        2 => Just(Step::End),
        1 => Just(Step::Delete),
        3 => prop::option::of(0..2_000_u64).prop_map(Step::Lifetime),
        4 => any::<bool>().prop_map(Step::JoinFeeds),
        1 => Just(Step::HandOver),
    ];
    prop::collection::vec(step, 1..120)
}

/// Runs the steps, and checks the model after each.
fn run(mut model: Model, group_size: usize, steps: Vec<Step>) {
    model.set_group_size(group_size);
    for step in steps {
        let clients = model.clients.len();
        match step {
            Step::Publish(sizes) => model.publish(&sizes),
            Step::Store(sizes) => model.store(&sizes),
            Step::FailOnce => model.history.fails = true,
            Step::Take(index) if clients > 0 => model.take(index.index(clients)),
            Step::Leave(index) if clients > 0 => model.leave(index.index(clients)),
            Step::Reconnect {
                client,
                keeps_up,
                catch_up,
            } if clients > 0 => model.reconnect(client.index(clients), keeps_up, catch_up),
            Step::Take(_) | Step::Leave(_) | Step::Reconnect { .. } => {}
            Step::LoopTurn => model.loop_turn(),
            Step::Wait(ms) => {
                model.loop_turn();
                model.now += ms;
                model.poll();
            }
            Step::Join {
                from,
                keeps_up,
                catch_up,
            } => model.join_from(from, keeps_up, catch_up),
            Step::Hold(events) => {
                model.history.holds = model.history.holds.map(|_| events);
            }
            Step::Evict(which) => model.evict(which),
            Step::Restart => model.restart(),
            Step::End => model.end(),
            Step::Delete => model.delete(),
            Step::JoinFeeds(joins) => model.joins_feeds = joins,
            Step::HandOver => model.hand_over(),
            Step::Lifetime(lifetime) => model.lifetime = lifetime,
        }
        model.check();
    }
    model.drain();
}

/// No history, a history that holds fewer events than the log, or one that holds more.
fn held() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![Just(None), Just(Some(4)), Just(Some(200))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_rules_hold_in_a_log_limited_by_events(
        group_size in 1..5_usize, held in held(), steps in steps(0..20_usize)
    ) {
        run(Model::with_history(8, 100_000, held), group_size, steps);
    }

    #[test]
    fn the_rules_hold_in_a_log_limited_by_bytes(
        group_size in 1..5_usize, held in held(), steps in steps(0..200_usize)
    ) {
        run(Model::with_history(1_000, 2_000, held), group_size, steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_rules_hold_for_events_around_the_size_of_a_chunk(
        held in held(),
        steps in steps(prop_oneof![0..200_usize, 60_000..140_000_usize])
    ) {
        run(Model::with_history(20, 400_000, held), GROUP, steps);
    }
}
