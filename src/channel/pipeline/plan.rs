//! Plans a commit: the ids of the events, and the receipts that are stored under idempotency keys.

use super::{PublishKey, Submission};
use crate::channel::storage::NewKey;
use crate::channel::storage::idempotency::KeyRecord;
use sse_hub::sse::EventId;
use sse_hub::{Millis, Receipt};

/// The state of a channel before a commit.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// The id of the next event.
    pub next: EventId,
    /// The number of the next idempotency key.
    pub next_key_number: u64,
    /// The number of open streams.
    pub subscribers: usize,
}

/// One publish of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPublish {
    /// The id of the last event.
    pub last: EventId,
    /// The receipt that is stored, if the publish has a key. It is correct unless a stream drops events for the
    /// publish, or comes or goes before it is appended.
    pub receipt: Option<String>,
}

/// A group that was written to the storage.
#[derive(Debug)]
pub struct Commit {
    /// The publishes of the group.
    pub publishes: Vec<PlannedPublish>,
    /// Whether anything was written, so that the commit has to be made durable.
    pub wrote: bool,
}

/// The plan for the commit of a group.
#[derive(Debug)]
pub struct CommitPlan {
    /// The publishes of the group.
    pub publishes: Vec<PlannedPublish>,
    /// The keys of those that have one.
    pub keys: Vec<NewKey>,
}

impl CommitPlan {
    /// Plans the commit of `group` at `now`. Fails if a receipt cannot be serialized.
    pub fn new(
        group: &[Submission],
        position: Position,
        now: Millis,
    ) -> Result<Self, serde_json::Error> {
        let mut plan = Self {
            publishes: Vec::with_capacity(group.len()),
            keys: Vec::new(),
        };
        let mut key_number = position.next_key_number;
        let mut last = EventId {
            seq: position.next.seq.saturating_sub(1),
            ..position.next
        };
        for submission in group {
            let events = submission.batch.events;
            debug_assert!(
                events > 0 || submission.ends,
                "the Worker publishes no empty batch"
            );
            last.seq = last.seq.saturating_add(events as u64);
            let mut planned = PlannedPublish {
                last,
                receipt: None,
            };
            if let Some(PublishKey { key, fingerprint }) = submission.key.clone() {
                let receipt = serde_json::to_string(&Receipt {
                    id: last,
                    events,
                    subscribers: position.subscribers,
                    dropped: 0,
                })?;
                planned.receipt = Some(receipt.clone());
                plan.keys.push(NewKey {
                    key,
                    record: KeyRecord {
                        fingerprint,
                        time: now,
                        receipt,
                        number: key_number,
                    },
                });
                key_number = key_number.saturating_add(1);
            }
            plan.publishes.push(planned);
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use sse_hub::sse::{Batch, Epoch};

    const EPOCH: Epoch = Epoch::new(7, 0);
    const NEXT: EventId = EventId {
        epoch: EPOCH,
        seq: 10,
    };

    fn position() -> Position {
        Position {
            next: NEXT,
            next_key_number: 5,
            subscribers: 3,
        }
    }

    /// A publish of `events` events.
    fn publish(events: usize, key: Option<&str>) -> Submission {
        let batch = Batch::from_wire("data: x\n\n".repeat(events));
        let key = key.map(|key| PublishKey::new(key.to_owned(), &batch, false));
        Submission::new(1, batch, false, key).0
    }

    #[test]
    fn a_keyed_publish_is_stored_with_the_receipt_that_it_will_most_likely_get() {
        let group = [
            publish(2, None),
            publish(3, Some("a")),
            publish(1, Some("b")),
        ];
        let plan = CommitPlan::new(&group, position(), 99).unwrap();
        let receipt = |seq, events| {
            let receipt = Receipt {
                id: EventId { epoch: EPOCH, seq },
                events,
                subscribers: 3,
                dropped: 0,
            };
            serde_json::to_string(&receipt).unwrap()
        };
        let receipts: Vec<_> = plan
            .publishes
            .iter()
            .map(|publish| &publish.receipt)
            .collect();
        assert_eq!(
            receipts,
            [&None, &Some(receipt(14, 3)), &Some(receipt(15, 1))]
        );
        let keys: Vec<_> = plan
            .keys
            .iter()
            .map(|NewKey { key, record }| (key.as_str(), record.number, record.time))
            .collect();
        assert_eq!(keys, [("a", 5, 99), ("b", 6, 99)]);
        assert_eq!(plan.keys[0].record.receipt, receipt(14, 3));
        let events = "data: x\n\n".repeat(3);
        assert_eq!(
            plan.keys[0].record.fingerprint,
            crate::channel::storage::idempotency::fingerprint(&events, false)
        );
    }

    proptest! {
        #[test]
        fn ids_are_dense_and_keys_are_numbered_in_order(
            group in prop::collection::vec((1..50_usize, any::<bool>()), 1..20),
        ) {
            let submissions: Vec<_> = group
                .iter()
                .map(|(events, has_key)| publish(*events, has_key.then_some("k")))
                .collect();
            let plan = CommitPlan::new(&submissions, position(), 99).unwrap();
            let mut next = NEXT.seq;
            for ((events, has_key), planned) in group.iter().zip(&plan.publishes) {
                next += *events as u64;
                prop_assert_eq!(planned.last, EventId { seq: next - 1, ..NEXT });
                prop_assert_eq!(planned.receipt.is_some(), *has_key);
            }
            let numbers: Vec<u64> = plan.keys.iter().map(|key| key.record.number).collect();
            let expected: Vec<u64> = (5..5 + numbers.len() as u64).collect();
            prop_assert_eq!(numbers, expected);
        }
    }
}
