//! When what is stored of a channel is cleared.

use super::Store;
use super::database::StorageError;
use super::idempotency::Keys;
use super::retention::Retention;
use super::sql::{CREATE_CHANNEL, DROP_KEYS, EVEN, ODD};
use sse_hub::Millis;
use sse_hub::sse::EventId;

/// For how long a channel that was ended tells its readers not to come back, in milliseconds: an hour.
const STAYS_ENDED: Millis = 3_600_000;

/// What an alarm finds to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Quiet {
    /// The channel has not been quiet for long enough: so many milliseconds are left.
    NotYet(Millis),
    /// Its history is cleared. Its streams hold the rest; another look is due in so many milliseconds.
    Cleared(Millis),
    /// Nothing of it is needed: everything stored can be removed.
    Over,
}

impl Store {
    /// Clears everything that is stored, and keeps for [`STAYS_ENDED`] that the channel was ended. The next event begins
    /// another epoch.
    pub fn end(&mut self, now: Millis) -> Result<(), StorageError> {
        let ended_until = now.saturating_add(STAYS_ENDED);
        let before = (self.next, self.unpublished_since);
        self.begin_next_epoch(now);
        let mut statements = vec![
            (CREATE_CHANNEL, Vec::new()),
            self.channel_row(now, Some(ended_until)),
        ];
        statements.extend([EVEN.drop, ODD.drop, DROP_KEYS].map(|drop| (drop, Vec::new())));
        if let Err(error) = self.database.write(statements) {
            (self.next, self.unpublished_since) = before;
            return Err(error);
        }
        self.forget();
        self.born = Some(now);
        self.ended_until = Some(ended_until);
        self.needs_alarm = true;
        Ok(())
    }

    /// Begins an epoch later than any before, whatever the clock says.
    pub(super) fn begin_next_epoch(&mut self, now: Millis) {
        let epoch = now.max(self.next.epoch.saturating_add(1));
        self.next = EventId { epoch, seq: 1 };
        self.unpublished_since = epoch;
    }

    /// All that was held of history and keys is gone.
    fn forget(&mut self) {
        self.retention = Retention::new(self.history, self.next.seq);
        self.keys = Keys::new(self.idempotency);
        self.has_keys_table = false;
    }

    /// Clears what is stored, if the channel has been quiet for so long that nothing of it is held any more. While
    /// somebody is `listening`, the epoch and its numbers stay.
    pub fn clear_if_quiet(&mut self, now: Millis, listening: bool) -> Result<Quiet, StorageError> {
        let left = self.needed_until().saturating_sub(now);
        if left > 0 {
            return Ok(Quiet::NotYet(left));
        }
        // Without the channel's row nothing is stored, and there is no epoch to keep.
        if listening && self.keeps_history() && self.born.is_some() {
            if self.retention.newest().is_none() && self.keys.until().is_none() {
                self.born = Some(now);
                return Ok(Quiet::Cleared(self.history.age));
            }
            let mut statements = vec![self.channel_row(now, None)];
            statements.extend([EVEN.drop, ODD.drop, DROP_KEYS].map(|drop| (drop, Vec::new())));
            self.database.write(statements)?;
            self.forget();
            self.born = Some(now);
            self.ended_until = None;
            return Ok(Quiet::Cleared(self.history.age));
        }
        self.forget();
        self.born = None;
        self.ended_until = None;
        Ok(Quiet::Over)
    }

    /// Until when something that is stored may be needed, if nothing is added.
    pub fn needed_until(&self) -> Millis {
        if let Some(until) = self.ended_until {
            // The row stays for as long as the deleted events would have been kept, so that readers are told of the gap.
            let forgotten = until
                .saturating_sub(STAYS_ENDED)
                .saturating_add(self.history.age);
            return if self.keeps_history() {
                until.max(forgotten)
            } else {
                until
            };
        }
        let newest = self.retention.newest().map(|row| row.time);
        let quiet_since = newest.max(self.born).unwrap_or_default();
        let history = quiet_since.saturating_add(self.history.age);
        history.max(self.keys.until().unwrap_or_default())
    }
}
