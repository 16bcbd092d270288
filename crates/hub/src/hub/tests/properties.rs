//! The rules of `README.md`, "What a subscriber may rely on", tried against every interleaving that proptest finds.

use proptest::prelude::*;
use proptest::sample::Index;

use super::model::Model;
use crate::ReplayFrom;
use crate::hub::flush_cycle::GROUP;
use crate::hub::*;

#[derive(Clone, Debug)]
enum Step {
    Publish(Vec<usize>),
    /// As a publish, but not appended before the next one.
    Store(Vec<usize>),
    Take(Index),
    Turn,
    Wait(Millis),
    Join {
        since: ReplayFrom,
        keeps_up: bool,
        catch_up: bool,
    },
    Reconnect {
        reader: Index,
        keeps_up: bool,
        catch_up: bool,
    },
    Leave(Index),
    /// For how long those may listen who join from now on.
    Lifetime(Option<Millis>),
    /// From now on the history holds so many events.
    Hold(u64),
    /// The next page cannot be read from it.
    FailOnce,
    /// Memory is short.
    Evict(Evict),
    Restart,
    End,
}

fn since() -> impl Strategy<Value = ReplayFrom> {
    prop_oneof![
        4 => Just(ReplayFrom::Now),
        1 => (0..40_u64).prop_map(ReplayFrom::Last),
        1 => Just(ReplayFrom::Oldest),
        1 => Just(ReplayFrom::Unknown),
    ]
}

fn steps(
    sizes: impl Strategy<Value = usize> + Clone + 'static,
) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        32 => prop::collection::vec(sizes.clone(), 1..=8).prop_map(Step::Publish),
        6 => prop::collection::vec(sizes, 1..=8).prop_map(Step::Store),
        16 => any::<Index>().prop_map(Step::Take),
        8 => Just(Step::Turn),
        12 => (0..40_u64).prop_map(Step::Wait),
        4 => (400..30_000_u64).prop_map(Step::Wait),
        8 => (since(), any::<bool>(), any::<bool>())
            .prop_map(|(since, keeps_up, catch_up)| Step::Join { since, keeps_up, catch_up }),
        6 => (any::<Index>(), any::<bool>(), any::<bool>())
            .prop_map(|(reader, keeps_up, catch_up)| Step::Reconnect { reader, keeps_up, catch_up }),
        4 => any::<Index>().prop_map(Step::Leave),
        3 => (0..60_u64).prop_map(Step::Hold),
        1 => Just(Step::FailOnce),
        2 => Just(Step::Evict(Evict::Unneeded)),
        1 => Just(Step::Evict(Evict::All)),
        1 => Just(Step::Restart),
        1 => Just(Step::End),
        3 => prop::option::of(0..2_000_u64).prop_map(Step::Lifetime),
    ];
    prop::collection::vec(step, 1..120)
}

/// `group`: how many streams a flush serves at once.
fn run(mut model: Model, group: usize, steps: Vec<Step>) {
    model.group = group;
    model.hub.flushes.set_group_size(group);
    for step in steps {
        let readers = model.readers.len();
        match step {
            Step::Publish(sizes) => model.publish(&sizes),
            Step::Store(sizes) => model.store(&sizes),
            Step::FailOnce => model.history.fails = true,
            Step::Take(index) if readers > 0 => index.get(&model.readers).stream.take(),
            Step::Leave(index) if readers > 0 => model.leave(index.index(readers)),
            Step::Reconnect {
                reader,
                keeps_up,
                catch_up,
            } if readers > 0 => model.reconnect(reader.index(readers), keeps_up, catch_up),
            Step::Take(_) | Step::Leave(_) | Step::Reconnect { .. } => {}
            Step::Turn => model.turn(),
            Step::Wait(ms) => {
                model.turn();
                model.now += ms;
                model.poll();
            }
            Step::Join {
                since,
                keeps_up,
                catch_up,
            } => model.join_since(since, keeps_up, catch_up),
            Step::Hold(events) => {
                model.history.holds = model.history.holds.map(|_| events);
            }
            Step::Evict(which) => model.evict(which),
            Step::Restart => model.restart(),
            Step::End => model.end(),
            Step::Lifetime(lifetime) => model.lifetime = lifetime,
        }
        model.check();
    }
    model.settle();
}

/// None, one that holds less than the log, or more.
fn held() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![Just(None), Just(Some(4)), Just(Some(200))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn small_events_bounded_by_count(group in 1..5_usize, held in held(), steps in steps(0..20_usize)) {
        run(Model::with_history(8, 100_000, held), group, steps);
    }

    #[test]
    fn small_events_bounded_by_bytes(group in 1..5_usize, held in held(), steps in steps(0..200_usize)) {
        run(Model::with_history(1_000, 2_000, held), group, steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Events around the size of a chunk, which have to be cut.
    #[test]
    fn large_events(held in held(), steps in steps(prop_oneof![0..200_usize, 60_000..140_000_usize])) {
        run(Model::with_history(20, 400_000, held), GROUP, steps);
    }
}
