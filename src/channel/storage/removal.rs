//! The deletion of a channel, and the removal of data that is not needed any more.

use super::Store;
use super::engine::{Sql, Statement};
use super::error::StorageError;
use super::idempotency::IdempotencyKeys;
use super::retention::Retention;
use super::sql::{DROP_KEYS, EVEN, ODD};
use sse_hub::Millis;
use sse_hub::sse::{Epoch, EventId};

/// The shortest time for which a channel stays ended, in milliseconds: one hour. Its subscribers get 204, so that they
/// do not reconnect.
const STAYS_ENDED: Millis = 3_600_000;

/// The result of [`Store::clear_if_quiet`].
#[derive(Debug, PartialEq, Eq)]
pub enum ClearResult {
    /// The data is still needed, for this number of milliseconds at least.
    NotYet(Millis),
    /// History and keys are removed. The epoch stays, because the channel has subscribers; check again after this
    /// number of milliseconds.
    Cleared(Millis),
    /// Nothing is needed: the caller removes everything that is stored.
    RemoveAll,
}

impl<D: Sql> Store<D> {
    /// Removes history and keys, begins the epoch `fresh`, or a later one, and stores that the channel has ended. If
    /// this fails, neither the storage nor this value has changed.
    pub fn delete(&mut self, fresh: Epoch) -> Result<(), StorageError> {
        let now = fresh.began();
        let ended_until = Some(self.stays_ended_until(now));
        let before = (self.next, self.unpublished_since);
        self.begin_next_epoch(fresh);
        let mut statements = Vec::from(self.insert_channel_row(self.next, now, ended_until));
        statements.extend(drop_history_and_keys());
        if let Err(error) = self.database.write(statements) {
            (self.next, self.unpublished_since) = before;
            return Err(error);
        }
        self.forget_history_and_keys();
        self.channel_row_inserted(now, ended_until);
        Ok(())
    }

    /// Until when a channel that ends now stays ended, if nothing is published. This is as long as the history holds
    /// its last events, and an hour at least.
    pub(super) fn stays_ended_until(&self, now: Millis) -> Millis {
        now.saturating_add(STAYS_ENDED.max(self.history.age))
    }

    /// Begins the epoch `fresh`, or one after the current epoch if the clock stands still or was set back.
    pub(super) fn begin_next_epoch(&mut self, fresh: Epoch) {
        let epoch = fresh.after(self.next.epoch);
        self.next = EventId { epoch, seq: 1 };
        self.unpublished_since = epoch.began();
    }

    fn forget_history_and_keys(&mut self) {
        self.retention = Retention::new(self.history, self.next.seq);
        self.keys = IdempotencyKeys::new(self.idempotency);
        self.has_keys_table = false;
    }

    /// Removes the data of a channel in which nothing was published for so long that the history holds nothing any
    /// more.
    pub fn clear_if_quiet(
        &mut self,
        now: Millis,
        has_subscribers: bool,
    ) -> Result<ClearResult, StorageError> {
        let left = self.needed_until().saturating_sub(now);
        if left > 0 {
            return Ok(ClearResult::NotYet(left));
        }
        // Without the channel's row nothing is stored, and there is no epoch to keep.
        let keeps_epoch = has_subscribers && self.keeps_history() && self.row_written_at.is_some();
        if keeps_epoch {
            let is_empty = self.retention.newest().is_none()
                && self.keys.until().is_none()
                && self.ended_until.is_none();
            if !is_empty {
                let mut statements = vec![self.channel_row(self.next, now, None)];
                statements.extend(drop_history_and_keys());
                self.database.write(statements)?;
                self.forget_history_and_keys();
                self.ended_until = None;
            }
            self.row_written_at = Some(now);
            return Ok(ClearResult::Cleared(self.history.age));
        }
        self.forget_history_and_keys();
        self.row_written_at = None;
        self.ended_until = None;
        Ok(ClearResult::RemoveAll)
    }

    /// Until when the stored data may be needed, if nothing is added.
    pub fn needed_until(&self) -> Millis {
        let newest = self.retention.newest().map(|row| row.time);
        let quiet_since = newest.max(self.row_written_at).unwrap_or_default();
        let history = quiet_since.saturating_add(self.history.age);
        let others = self.keys.until().max(self.ended_until);
        history.max(others.unwrap_or_default())
    }
}

fn drop_history_and_keys() -> impl Iterator<Item = Statement> {
    let drops = [EVEN.drop, ODD.drop, DROP_KEYS];
    drops.into_iter().map(|drop| (drop, Vec::new()))
}
