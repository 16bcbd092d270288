//! The state of a channel: its hub and its store, which change together. Free of JavaScript, like both of them.

use super::pipeline::{Commit, CommitPlan, Committed, Position, Submission};
use super::storage::error::StorageError;
use super::storage::{ClearResult, Store, engine::Sql};
use sse_hub::sse::{Batch, Epoch, EventId};
use sse_hub::{DeleteReceipt, Hub, Limits, Millis, Output, Stream};

/// The hub and the store of one channel.
pub struct ChannelState<S, D> {
    /// The log and the streams.
    pub hub: Hub<S>,
    /// The stored data. It is ahead of the hub by the publishes that are committed, but not appended yet.
    pub store: Store<D>,
}

/// A commit that has failed. Nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A receipt could not be serialized.
    #[error(transparent)]
    Receipt(#[from] serde_json::Error),
}

/// The result of an append.
pub struct Appended {
    /// The receipt as JSON.
    pub receipt: Result<String, serde_json::Error>,
    /// Whether the receipt under the publish's key is the same. The publish has succeeded even if this has failed.
    pub stored: Result<(), StorageError>,
}

impl<S: Stream, D: Sql> ChannelState<S, D> {
    /// The state of `channel`, which has no streams yet.
    pub fn new(channel: &str, store: Store<D>, limits: &Limits, now: Millis) -> Self {
        let mut hub = Hub::new(channel, store.next_id(), limits);
        if store.is_ended(now) {
            hub.end(now);
        }
        Self { hub, store }
    }

    /// Writes a group of publishes to the storage. Passes the number and the last id of each of them to `record`
    /// before.
    pub fn commit(
        &mut self,
        group: &[Submission],
        now: Millis,
        record: impl Fn(u64, EventId),
    ) -> Result<Commit, CommitError> {
        let position = Position {
            next: self.store.next_id(),
            next_key_number: self.store.next_key_number(),
            subscribers: self.hub.subscribers(),
        };
        let CommitPlan { publishes, keys } = CommitPlan::new(group, position, now)?;
        for (submission, planned) in group.iter().zip(&publishes) {
            record(submission.number, planned.last);
        }
        let batches: Vec<&Batch> = group.iter().map(|submission| &submission.batch).collect();
        let ends = group.last().is_some_and(|submission| submission.ends);
        let wrote = self.store.commit(&batches, keys, ends, now)?;
        Ok(Commit { publishes, wrote })
    }

    /// Appends a committed publish to the log, and ends the channel if the publish does. If its receipt differs from
    /// the one that is stored under its key, replaces that one. The answer leaves the object only when the replacement
    /// is durable, too.
    pub fn append(&mut self, committed: &Committed, now: Millis) -> Appended {
        let Committed { submission, plan } = committed;
        let receipt = self.hub.append(&submission.batch, now);
        debug_assert_eq!(receipt.id, plan.last, "publishes are appended as committed");
        if submission.ends {
            self.hub.end(now);
        }
        let receipt = serde_json::to_string(&receipt);
        let stored = match (&submission.key, &receipt) {
            (Some(key), Ok(receipt)) if plan.receipt.as_ref() != Some(receipt) => {
                self.store.correct_receipt(&key.key, receipt)
            }
            _ => Ok(()),
        };
        Appended { receipt, stored }
    }

    /// Deletes the stored data, and begins the epoch `fresh`, or a later one.
    pub fn store_deletion(&mut self, fresh: Epoch) -> Result<(), StorageError> {
        self.store.delete(fresh)
    }

    /// Empties the log, and ends all streams, after the deletion of the channel was stored.
    pub fn end_streams(&mut self) -> (DeleteReceipt, Output<S>) {
        self.hub.delete(self.store.next_id())
    }

    /// See [`Store::clear_if_quiet`]. A channel that has ended is open again when its data is cleared.
    pub fn clear_if_quiet(&mut self, now: Millis) -> Result<ClearResult, StorageError> {
        let has_subscribers = self.hub.subscribers() > 0;
        let result = self.store.clear_if_quiet(now, has_subscribers)?;
        if !matches!(result, ClearResult::NotYet(_)) {
            self.hub.reopen();
        }
        Ok(result)
    }
}
