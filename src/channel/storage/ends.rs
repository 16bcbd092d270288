//! The end of a channel, and the removal of data that is not needed any more.

use super::Store;
use super::engine::{Sql, Statement};
use super::error::StorageError;
use super::idempotency::IdempotencyKeys;
use super::retention::Retention;
use super::sql::{DROP_KEYS, EVEN, ODD};
use sse_hub::Millis;
use sse_hub::sse::EventId;

/// How long a channel that was ended answers its subscribers with 204, so that they do not reconnect, in milliseconds:
/// one hour.
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
    /// Removes history and keys, begins another epoch, and stores for [`STAYS_ENDED`] that the channel was ended. If
    /// this fails, neither the storage nor this value has changed.
    pub fn end(&mut self, now: Millis) -> Result<(), StorageError> {
        let ended_until = Some(now.saturating_add(STAYS_ENDED));
        let before = (self.next, self.unpublished_since);
        self.begin_next_epoch(now);
        let mut statements = Vec::from(self.insert_channel_row(now, ended_until));
        statements.extend(drop_history_and_keys());
        if let Err(error) = self.database.write(statements) {
            (self.next, self.unpublished_since) = before;
            return Err(error);
        }
        self.forget_history_and_keys();
        self.channel_row_inserted(now, ended_until);
        Ok(())
    }

    /// Begins an epoch that is later than the current one, even if the clock stands still or was set back.
    pub(super) fn begin_next_epoch(&mut self, now: Millis) {
        let epoch = now.max(self.next.epoch.saturating_add(1));
        self.next = EventId { epoch, seq: 1 };
        self.unpublished_since = epoch;
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
            let is_empty = self.retention.newest().is_none() && self.keys.until().is_none();
            if !is_empty {
                let mut statements = vec![self.channel_row(now, None)];
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
        if let Some(until) = self.ended_until {
            if !self.keeps_history() {
                return until;
            }
            // The row stays for as long as the deleted events would have been kept, so that subscribers get a gap
            // notice.
            let ended_at = until.saturating_sub(STAYS_ENDED);
            return until.max(ended_at.saturating_add(self.history.age));
        }
        let newest = self.retention.newest().map(|row| row.time);
        let quiet_since = newest.max(self.row_written_at).unwrap_or_default();
        let history = quiet_since.saturating_add(self.history.age);
        history.max(self.keys.until().unwrap_or_default())
    }
}

fn drop_history_and_keys() -> impl Iterator<Item = Statement> {
    let drops = [EVEN.drop, ODD.drop, DROP_KEYS];
    drops.into_iter().map(|drop| (drop, Vec::new()))
}
