//! Random commands in random interleavings, with syncs that take time and writes that fail.

use std::collections::HashMap;

use futures_channel::oneshot;
use proptest::prelude::*;
use sse_hub::History;
use sse_hub::sse::{self, EventId};

use super::harness::*;
use super::object::SyncMode;
use crate::channel::pipeline::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish(usize),
    PublishWithKey(u8),
    End(bool),
    Delete,
    ClearIfQuiet,
    Join,
    Wait,
    Run,
    SyncsWait(bool),
    AppendsWait(bool),
    DiskIsFull(bool),
    SyncFails,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => prop_oneof![4 => 1..100_usize, 1 => 300_000..700_000_usize].prop_map(Step::Publish),
        6 => (0..6_u8).prop_map(Step::PublishWithKey),
        1 => any::<bool>().prop_map(Step::End),
        1 => Just(Step::Delete),
        1 => Just(Step::ClearIfQuiet),
        1 => Just(Step::Join),
        1 => Just(Step::Wait),
        6 => Just(Step::Run),
        3 => any::<bool>().prop_map(Step::SyncsWait),
        3 => any::<bool>().prop_map(Step::AppendsWait),
        2 => any::<bool>().prop_map(Step::DiskIsFull),
    ]
}

/// A publish that was submitted, in order.
struct Published {
    /// The data of its event. A publish that only ends the channel has none.
    data: Option<String>,
    key: Option<u8>,
    outcome: oneshot::Receiver<Outcome>,
}

struct Run {
    test: Test,
    published: Vec<Published>,
    /// The repeats that got the outcome of a publish in flight.
    repeats: Vec<(u8, oneshot::Receiver<Outcome>)>,
    /// The repeats that got a stored receipt.
    replayed: Vec<(u8, String)>,
    deletions: Vec<oneshot::Receiver<Result<DeleteReceipt, Problem>>>,
}

impl Run {
    fn new() -> Self {
        Self {
            test: Test::new(),
            published: Vec::new(),
            repeats: Vec::new(),
            replayed: Vec::new(),
            deletions: Vec::new(),
        }
    }

    fn take(&mut self, step: Step) {
        let test = &mut self.test;
        match step {
            Step::Publish(size) => {
                let data = format!("{}{}", self.published.len(), "x".repeat(size));
                let outcome = test.publish(&data);
                self.published.push(Published {
                    data: Some(data),
                    key: None,
                    outcome,
                });
            }
            Step::PublishWithKey(key) => {
                let (name, data) = (format!("key {key}"), format!("keyed {key}"));
                let fingerprint = PublishKey::new(name.clone(), &batch(&data), false).fingerprint;
                let in_flight = test.object.pipeline.repeat(&name, &fingerprint);
                match (in_flight, test.stored_receipt(&name)) {
                    (Err(problem), _) => {
                        assert_eq!(problem, Problem::ChannelUnavailable);
                        assert!(test.object.aborted.get());
                    }
                    (Ok(Some(outcome)), _) => self.repeats.push((key, outcome)),
                    (Ok(None), Some(receipt)) => self.replayed.push((key, receipt)),
                    (Ok(None), None) => {
                        let outcome = test.publish_with_key(&name, &data).unwrap();
                        self.published.push(Published {
                            data: Some(data),
                            key: Some(key),
                            outcome,
                        });
                    }
                }
            }
            Step::End(with_event) => {
                let data = with_event.then(|| format!("{}end", self.published.len()));
                self.published.push(Published {
                    outcome: test.end(data.as_deref()),
                    data,
                    key: None,
                });
            }
            Step::Delete => self.deletions.push(test.delete()),
            Step::ClearIfQuiet => drop(test.clear_if_quiet()),
            Step::Join => test.join(),
            Step::Wait => test.object.now.set(test.object.now.get() + 1_000),
            Step::Run => test.run(),
            Step::SyncsWait(true) => test.object.sync.set(SyncMode::Waits),
            Step::SyncsWait(false) => {
                test.object.sync.set(SyncMode::Succeeds);
                test.finish_syncs();
            }
            Step::AppendsWait(true) => test.object.appends_wait.set(true),
            Step::AppendsWait(false) => test.finish_appends(),
            Step::DiskIsFull(true) => test.object.database.fill_disk(),
            Step::DiskIsFull(false) => test.object.database.free_disk(),
            Step::SyncFails => test.object.sync.set(SyncMode::Fails),
        }
    }

    /// Lets all commands come to their end.
    fn finish(&mut self) {
        if self.test.object.sync.get() == SyncMode::Waits {
            self.test.object.sync.set(SyncMode::Succeeds);
        }
        for _ in 0..10 {
            self.test.finish_syncs();
            self.test.finish_appends();
        }
    }
}

/// Checks the outcomes: ids are dense and in the order of the submissions, and everything that has a receipt since the
/// last deletion is stored, with the right events.
fn check(mut run: Run) -> Result<(), TestCaseError> {
    run.finish();
    let aborted = run.test.object.aborted.get();
    let mut receipts: Vec<(EventId, String)> = Vec::new();
    let mut by_key: HashMap<u8, Vec<Outcome>> = HashMap::new();
    for Published { data, key, outcome } in run.published {
        let outcome = now_or_never(outcome);
        prop_assert!(
            outcome.is_some() || aborted,
            "no outcome for {:?}",
            data.map(|data| data.len())
        );
        let Some(outcome) = outcome else { continue };
        if let (Ok(_), Some(data)) = (&outcome, data) {
            receipts.push((id(&outcome), data));
        }
        if let Some(key) = key {
            by_key.entry(key).or_default().push(outcome);
        }
    }
    for (key, repeat) in run.repeats {
        let repeat = now_or_never(repeat);
        prop_assert!(repeat.is_some() || aborted);
        let firsts = by_key.get(&key).cloned().unwrap_or_default();
        prop_assert!(repeat.is_none_or(|repeat| firsts.contains(&repeat)));
    }
    for (key, receipt) in run.replayed {
        let firsts = by_key.get(&key).cloned().unwrap_or_default();
        prop_assert!(
            firsts.contains(&Ok(receipt)),
            "a replay is the receipt of the first publish"
        );
    }
    for neighbours in receipts.windows(2) {
        let ((before, _), (after, _)) = (&neighbours[0], &neighbours[1]);
        let is_next = before.epoch == after.epoch && before.seq + 1 == after.seq;
        let is_first = before.epoch < after.epoch && after.seq == 1;
        prop_assert!(is_next || is_first || aborted, "{before} -> {after}");
    }
    let mut store = run.test.load();
    let next = store.next_id();
    let tail = store.tail(run.test.object.now.get()).unwrap().unwrap();
    for (id, data) in receipts {
        if id.epoch == next.epoch && id.seq < tail {
            continue;
        }
        if id.epoch == next.epoch {
            prop_assert!(id.seq < next.seq);
            let page = store.page(id.seq).unwrap();
            let skipped = usize::try_from(id.seq - page.first).unwrap();
            prop_assert_eq!(&sse::parse(&page.wire)[skipped].data, &data);
        } else {
            prop_assert!(
                id.epoch < next.epoch,
                "{id} is of a later epoch than the store"
            );
        }
    }
    if !aborted {
        let hub_next = run.test.object.state.with(|state| state.hub.next_id());
        prop_assert_eq!(hub_next, Some(run.test.object.next_id()));
        prop_assert!(!run.test.object.pipeline.is_running());
        prop_assert!(
            run.deletions
                .into_iter()
                .all(|deletion| now_or_never(deletion).is_some())
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_publish_with_a_receipt_is_stored_in_order_whatever_waits_or_fails(
        steps in prop::collection::vec(step(), 1..60),
        sync_fails in any::<bool>(),
        more in prop::collection::vec(step(), 0..10),
    ) {
        let mut run = Run::new();
        for step in steps {
            run.take(step);
        }
        if sync_fails {
            run.take(Step::SyncFails);
            for step in more {
                run.take(step);
            }
        }
        check(run)?;
    }
}
