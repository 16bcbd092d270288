//! How a client subscribes to channels.

use super::{Feed, Session, Subscription};
use crate::held::tests::model::object::{Object, Wanted};
use crate::held::tests::model::reader::Reader;
use crate::held::{Action, FeedAnswer, HeldChannel, HeldStream};
use crate::sse::{EventId, Positions};
use crate::{Millis, ReplayFrom};

impl Session {
    /// Subscribes. The request with the number `fails` fails. Returns `None` if the answer is not a stream.
    pub fn open(
        subscription: &Subscription,
        objects: &mut [Object],
        fails: Option<usize>,
        now: Millis,
    ) -> Option<Self> {
        let starts = &subscription.starts;
        let wanted = starts.iter().map(|(_, from)| Wanted {
            from: from.clone(),
            catch_up: subscription.catch_up,
            continued: false,
        });
        let wanted: Vec<Wanted> = wanted.collect();
        let list: Vec<usize> = starts.iter().map(|(object, _)| *object).collect();
        let requests = list.iter().zip(&wanted).enumerate();
        let answers = requests.map(|(number, (object, wanted))| {
            if fails == Some(number) {
                (FeedAnswer::Failed("{}".into()), None)
            } else {
                objects[*object].answer(wanted, now)
            }
        });
        let (answers, wires): (Vec<_>, Vec<_>) = answers.unzip();
        let is_open = |answer: &FeedAnswer| matches!(answer, FeedAnswer::Opened(_));
        if !answers.iter().any(is_open) {
            return None;
        }
        let names: Vec<&'static str> = list.iter().map(|object| objects[*object].name).collect();
        let after = wanted.iter().map(|wanted| match wanted.from {
            ReplayFrom::After(id) => Some(id),
            _ => None,
        });
        let after: Vec<Option<EventId>> = after.collect();
        let (held, actions) = match (names.as_slice(), &answers[0]) {
            ([name], FeedAnswer::Opened(start)) => {
                let Subscription { limits, seed, .. } = subscription.clone();
                HeldStream::of_one(name, *start, "{}".into(), limits, seed, now)
            }
            _ => several(subscription, &names, &after, answers, now),
        };
        let feeds = wires.into_iter().map(|wire| Feed {
            wire,
            ..Feed::default()
        });
        let mut session = Self {
            held,
            list,
            wanted,
            feeds: feeds.collect(),
            reader: Reader::new(names.clone(), after.clone()),
            taken: Reader::new(names, after),
            waiting: Vec::new(),
            timer_at: Millis::MAX,
            keeps_up: subscription.keeps_up,
            has_ended: false,
            checks: Vec::new(),
        };
        session.perform(actions, None, now);
        Some(session)
    }
}

/// A stream of several channels, which continues after the positions in `after` that are known.
fn several(
    subscription: &Subscription,
    names: &[&'static str],
    after: &[Option<EventId>],
    answers: Vec<FeedAnswer>,
    now: Millis,
) -> (HeldStream, Vec<Action>) {
    let mut positions = Positions::new(names.iter().copied()).unwrap();
    let indices: Vec<_> = positions.channels().map(|(index, _)| index).collect();
    for (index, after) in indices.iter().zip(after) {
        if let Some(after) = after {
            positions.set(*index, *after);
        }
    }
    let channels = names.iter().zip(answers).map(|(name, answer)| HeldChannel {
        id: (*name).to_owned(),
        answer,
        unavailable: "{}".into(),
    });
    let Subscription { limits, seed, .. } = subscription.clone();
    HeldStream::of_several(channels.collect(), positions, limits, seed, now)
}
