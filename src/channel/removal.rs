//! The deletion of a channel, and the alarm at which the data of a quiet channel is removed.

use std::rc::Rc;

use futures_channel::oneshot;
use web_sys::Response;

use super::pipeline::Command;
use super::shared::Shared;
use super::storage::database::Database;
use super::storage::error::StorageError;
use super::storage::{ClearResult, Store};
use crate::http::problem::Problem;
use crate::http::response::{Failure, Responder};
use crate::isolate::random::random_between;
use crate::settings::Settings;
use sse_hub::Millis;

impl Shared {
    /// Deletes the channel, and answers with the receipt.
    pub async fn request_deletion(
        self: &Rc<Self>,
        responder: &Responder,
    ) -> Result<Response, Failure> {
        let (sender, receipt) = oneshot::channel();
        self.submit(Command::Delete(sender));
        let receipt = receipt.await.map_err(|_| Problem::Internal)??;
        Ok(responder.json(&receipt)?)
    }

    /// Removes the stored data if it is not needed any more. Otherwise sets the next alarm.
    pub async fn request_clear(self: &Rc<Self>) -> Result<(), Problem> {
        let (sender, done) = oneshot::channel();
        self.submit(Command::ClearIfQuiet(sender));
        done.await.map_err(|_| Problem::Internal)?
    }

    pub(super) async fn clear_or_set_alarm(&self) -> Result<(), StorageError> {
        let now = self.clock.now();
        let quiet = self.with(|state| state.clear_if_quiet(now));
        let result = quiet.ok_or_else(StorageError::in_use)??;
        finish_clear(result, &self.database, &self.settings).await
    }

    /// Sets an alarm that will clear the stored data, and waits until all writes are durable.
    pub(super) async fn set_alarm_and_sync(&self) -> Result<(), StorageError> {
        self.set_first_alarm().await?;
        self.database.sync().await
    }

    /// Sets an alarm for a channel that has just begun to store data, unless an alarm is already set that is early
    /// enough. Each alarm then sets the next one.
    async fn set_first_alarm(&self) -> Result<(), StorageError> {
        if self.with(|state| state.store.needs_alarm()) == Some(false) {
            return Ok(());
        }
        let set_for = self.database.alarm().await?;
        let now = self.clock.now();
        let until = self
            .with(|state| state.store.needed_until())
            .ok_or_else(StorageError::in_use)?;
        let latest = until.saturating_add(alarm_spread(&self.settings));
        if set_for.is_none_or(|at| at > latest) {
            set_alarm(&self.database, until.saturating_sub(now), &self.settings).await?;
        }
        self.with(|state| state.store.alarm_was_set());
        Ok(())
    }
}

/// Clears the stored data of an object that has served no request since it started. The name of its channel may be
/// unknown, because an alarm that was restored has none.
pub(super) async fn clear_unused(
    mut store: Store<Database>,
    database: &Database,
    settings: &Settings,
    now: Millis,
) -> Result<(), StorageError> {
    let result = store.clear_if_quiet(now, false)?;
    finish_clear(result, database, settings).await
}

/// Does what [`Store::clear_if_quiet`] leaves to its caller: removes everything, or sets the next alarm.
async fn finish_clear(
    result: ClearResult,
    database: &Database,
    settings: &Settings,
) -> Result<(), StorageError> {
    match result {
        ClearResult::NotYet(left) | ClearResult::Cleared(left) => {
            set_alarm(database, left, settings).await
        }
        ClearResult::RemoveAll => database.delete_all().await,
    }
}

/// Sets the alarm to a time in `after` milliseconds, plus a random delay, so that channels that were used at the same
/// moment do not all start at the same moment.
async fn set_alarm(
    database: &Database,
    after: Millis,
    settings: &Settings,
) -> Result<(), StorageError> {
    let most = u32::try_from(alarm_spread(settings)).unwrap_or(u32::MAX);
    let delay = Millis::from(random_between(0, most));
    database.set_alarm(after.saturating_add(delay)).await
}

/// The longest random delay of an alarm, in milliseconds: a tenth of `HISTORY_SECONDS`.
fn alarm_spread(settings: &Settings) -> Millis {
    settings.history.age / 10
}
