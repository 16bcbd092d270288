//! The random steps of the model, and how they are run.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;

use super::model::{LIMITS, Model, Subscription};
use crate::held::HeldLimits;
use crate::{Millis, ReplayFrom};

/// A step. Each index chooses one of the existing objects, streams or feeds.
#[derive(Clone, Debug)]
pub enum Step {
    Publish(Index, Vec<usize>),
    Subscribe {
        starts: Vec<(Index, ReplayFrom)>,
        catch_up: bool,
        keeps_up: bool,
        limits: HeldLimits,
        fails: Option<usize>,
    },
    Resume {
        session: Index,
        list: Vec<Index>,
        keeps_up: bool,
    },
    Leave(Index),
    Stop(Index),
    /// The client takes at most this number of bytes.
    Take(Index, usize),
    ToWorker(Index, Index, usize),
    ToObject(Index, Index),
    Answer {
        session: Index,
        feed: Index,
        fails: bool,
    },
    Break(Index, Index),
    Turn,
    Wait(Millis),
    Sleep(Index, Vec<usize>),
    Restart(Index),
    FailOnce(Index),
    Hold(Index, u64),
    End(Index),
    Delete(Index),
}

fn index() -> impl Strategy<Value = Index> {
    any::<Index>()
}

fn starts() -> impl Strategy<Value = Vec<(Index, ReplayFrom)>> {
    let from = prop_oneof![
        4 => Just(ReplayFrom::Now),
        1 => (0..20_u64).prop_map(ReplayFrom::Last),
        1 => Just(ReplayFrom::Oldest),
        1 => Just(ReplayFrom::Unknown),
    ];
    prop::collection::vec((index(), from), 1..=3)
}

fn limits() -> impl Strategy<Value = HeldLimits> {
    let max_messages = prop::option::weighted(0.2, 1..60_u64);
    let expires = prop::option::weighted(0.2, 0..100_000_u64);
    let stall = prop_oneof![3 => Just(Some(60_000)), 1 => Just(None)];
    (max_messages, expires, stall).prop_map(|(max_messages, expires, stall)| HeldLimits {
        max_messages,
        expires,
        stall,
        ..LIMITS
    })
}

/// Steps of all kinds. The data of the events have the sizes `sizes`.
pub fn steps(sizes: impl Strategy<Value = usize> + 'static) -> impl Strategy<Value = Vec<Step>> {
    let subscribe = (
        starts(),
        any::<bool>(),
        any::<bool>(),
        limits(),
        prop::option::weighted(0.2, 0..3_usize),
    );
    let step = prop_oneof![
        24 => (index(), prop::collection::vec(sizes, 1..=4)).prop_map(|(object, sizes)| Step::Publish(object, sizes)),
        8 => subscribe.prop_map(|(starts, catch_up, keeps_up, limits, fails)| {
            Step::Subscribe { starts, catch_up, keeps_up, limits, fails }
        }),
        5 => (index(), prop::collection::vec(index(), 1..=3), any::<bool>())
            .prop_map(|(session, list, keeps_up)| Step::Resume { session, list, keeps_up }),
        1 => index().prop_map(Step::Leave),
        1 => index().prop_map(Step::Stop),
        10 => (index(), prop_oneof![1..200_usize, Just(usize::MAX)]).prop_map(|(it, bytes)| Step::Take(it, bytes)),
        24 => (index(), index(), 1..6_usize).prop_map(|(it, feed, count)| Step::ToWorker(it, feed, count)),
        10 => (index(), index()).prop_map(|(object, feed)| Step::ToObject(object, feed)),
        10 => (index(), index(), prop::bool::weighted(0.2))
            .prop_map(|(session, feed, fails)| Step::Answer { session, feed, fails }),
        8 => (index(), index()).prop_map(|(it, feed)| Step::Break(it, feed)),
        4 => Just(Step::Turn),
        12 => (0..300_u64).prop_map(Step::Wait),
        5 => (300..40_000_u64).prop_map(Step::Wait),
        8 => (index(), prop::collection::vec(0..4_usize, 0..3)).prop_map(|(it, taken)| Step::Sleep(it, taken)),
        3 => index().prop_map(Step::Restart),
        2 => index().prop_map(Step::FailOnce),
        2 => (index(), 0..60_u64).prop_map(|(object, events)| Step::Hold(object, events)),
        2 => index().prop_map(Step::End),
        1 => index().prop_map(Step::Delete),
    ];
    prop::collection::vec(step, 1..150)
}

/// Steps of a channel whose object often sleeps, and whose clients take everything or nothing.
pub fn steps_with_sleep() -> impl Strategy<Value = Vec<Step>> {
    let sizes = prop_oneof![0..2_000_usize, 30_000..65_000_usize];
    let step = prop_oneof![
        8 => (index(), prop::collection::vec(sizes, 1..=3))
            .prop_map(|(object, sizes)| Step::Publish(object, sizes)),
        3 => index().prop_map(|it| Step::Take(it, usize::MAX)),
        6 => (index(), index()).prop_map(|(it, feed)| Step::ToWorker(it, feed, 5)),
        3 => (index(), index()).prop_map(|(object, feed)| Step::ToObject(object, feed)),
        2 => (0..2_000_u64).prop_map(Step::Wait),
        8 => (index(), prop::collection::vec(0..2_usize, 0..2))
            .prop_map(|(it, taken)| Step::Sleep(it, taken)),
    ];
    prop::collection::vec(step, 10..80)
}

/// Steps of several channels with large events, whose feeds often break in the middle of the events of other channels.
pub fn steps_with_large_events() -> impl Strategy<Value = Vec<Step>> {
    let sizes = prop_oneof![1 => 0..100_usize, 3 => 70_000..140_000_usize];
    let step = prop_oneof![
        8 => (index(), sizes).prop_map(|(object, size)| Step::Publish(object, vec![size])),
        16 => (index(), index()).prop_map(|(it, feed)| Step::ToWorker(it, feed, 1)),
        6 => index().prop_map(|it| Step::Take(it, usize::MAX)),
        4 => (index(), index()).prop_map(|(it, feed)| Step::Break(it, feed)),
        6 => (100..250_u64).prop_map(Step::Wait),
        8 => (index(), index())
            .prop_map(|(session, feed)| Step::Answer { session, feed, fails: false }),
    ];
    prop::collection::vec(step, 10..80)
}

/// Returns the channels of a list, without repetitions.
fn list_of(list: impl IntoIterator<Item = Index>, channels: usize) -> Vec<usize> {
    let mut known = BTreeSet::new();
    let list = list.into_iter().map(|index| index.index(channels));
    list.filter(|object| known.insert(*object)).collect()
}

impl Model {
    pub fn run(&mut self, step: Step) {
        let (objects, sessions) = (self.objects.len(), self.sessions.len());
        match step {
            Step::Publish(object, sizes) => self.publish(object.index(objects), &sizes),
            Step::Subscribe {
                starts,
                catch_up,
                keeps_up,
                mut limits,
                fails,
            } => {
                let list = list_of(starts.iter().map(|(index, _)| *index), objects);
                let starts = list
                    .into_iter()
                    .zip(starts.into_iter().map(|(_, from)| from));
                limits.expires = limits.expires.map(|lifetime| self.now + lifetime);
                let subscription = Subscription {
                    starts: starts.collect(),
                    catch_up,
                    keeps_up,
                    limits,
                    seed: 0,
                };
                self.subscribe(subscription, fails);
            }
            Step::Wait(ms) => self.wait(ms),
            Step::Turn => self.loop_turn(),
            Step::Sleep(object, taken) => {
                self.sleep(object.index(objects), &taken.into_iter().collect());
            }
            Step::Restart(object) => self.objects[object.index(objects)].restart(self.now),
            Step::FailOnce(object) => self.objects[object.index(objects)].history.fails = true,
            Step::Hold(object, events) => {
                let history = &mut self.objects[object.index(objects)].history;
                history.holds = history.holds.map(|_| events);
            }
            Step::End(object) => {
                self.objects[object.index(objects)].end(self.now);
                self.do_what_is_due();
            }
            Step::Delete(object) => self.delete(object.index(objects)),
            Step::ToObject(object, feed) => {
                let object = object.index(objects);
                let conns: Vec<_> = self.objects[object].feeds.keys().copied().collect();
                if !conns.is_empty() {
                    self.deliver_to_object(object, *feed.get(&conns));
                }
            }
            step if sessions > 0 => self.run_on_session(step),
            _ => {}
        }
        self.check();
    }

    fn run_on_session(&mut self, step: Step) {
        let (objects, sessions) = (self.objects.len(), self.sessions.len());
        let place = |model: &Self, session: Index, feed: Index| {
            let session = session.index(sessions);
            (session, feed.index(model.sessions[session].list.len()))
        };
        match step {
            Step::Resume {
                session,
                list,
                keeps_up,
            } => {
                let subscription = Subscription {
                    starts: Vec::new(),
                    catch_up: false,
                    keeps_up,
                    limits: LIMITS,
                    seed: 0,
                };
                let list = list_of(list, objects);
                self.resume(session.index(sessions), &list, subscription);
            }
            Step::Leave(session) => self.sessions[session.index(sessions)].leave(),
            Step::Stop(session) => self.sessions[session.index(sessions)].stop(self.now),
            Step::Take(session, bytes) => self.sessions[session.index(sessions)].take(bytes),
            Step::ToWorker(session, feed, count) => {
                let (session, feed) = place(self, session, feed);
                for _ in 0..count {
                    self.deliver_to_worker(session, feed);
                }
            }
            Step::Answer {
                session,
                feed,
                fails,
            } => {
                let (session, feed) = place(self, session, feed);
                self.advance_request(session, feed, fails);
            }
            Step::Break(session, feed) => {
                let (session, feed) = place(self, session, feed);
                self.sessions[session].break_feed(feed);
            }
            _ => panic!("the step does not concern a session"),
        }
    }
}
