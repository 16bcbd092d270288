//! The steps of the pipeline in the object: they change the channel's state and call the runtime.

use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;

use super::pipeline::{Commit, Committed, Outcome, Steps, Submission};
use super::shared::Shared;
use super::state::CommitError;
use crate::http::problem::Problem;
use crate::isolate::commit_log;
use sse_hub::{DeleteReceipt, Hub};

impl Steps for Rc<Shared> {
    fn is_aborting(&self) -> bool {
        self.database.is_aborting()
    }

    fn abort(&self, reason: &str) {
        self.database.abort(reason);
    }

    fn commit(&self, group: &[Submission]) -> Result<Commit, Problem> {
        let now = self.clock.now();
        let commit = self.with(|state| state.commit(group, now, commit_log::record));
        match commit.ok_or(Problem::Internal)? {
            Ok(commit) => Ok(commit),
            Err(CommitError::Storage(error)) => Err(self.storage_failed(&error)),
            Err(CommitError::Receipt(_)) => Err(Problem::Internal),
        }
    }

    async fn make_durable(&self) -> Result<(), Problem> {
        let durable = self.set_alarm_and_sync().await;
        durable.map_err(|error| self.storage_failed(&error))
    }

    fn start_appending(&self) {
        let shared = self.clone();
        spawn_local(async move { shared.pipeline.append_all(&shared).await });
    }

    async fn append(&self, committed: &Committed) -> Outcome {
        self.evict_log().await;
        let batch = &committed.submission.batch;
        self.let_streams_keep_up(|hub, now| hub.readiness_to_append(batch, now))
            .await;
        let now = self.clock.now();
        let appended = self
            .with(|state| state.append(committed, now))
            .ok_or(Problem::Internal)?;
        self.memory.used_at.set(now);
        self.activity.note_publish(now);
        self.count_log();
        self.free_memory();
        if let Err(error) = appended.stored {
            self.storage_failed(&error);
        }
        appended.receipt.map_err(|_| Problem::Internal)
    }

    fn deliver(&self) {
        let is_flushing = self.with(|state| state.hub.is_flushing());
        if is_flushing.unwrap_or_default() {
            // The flush in progress continues in the next loop turn.
            self.set_timer();
        } else {
            self.poll();
        }
    }

    async fn prepare_deletion(&self) {
        self.let_streams_keep_up(Hub::readiness_to_empty).await;
    }

    fn store_deletion(&self) -> Result<(), Problem> {
        let fresh = self.clock.fresh_epoch();
        let deleted = self.with(|state| state.store_deletion(fresh));
        let deleted = deleted.ok_or(Problem::Internal)?;
        deleted.map_err(|error| self.storage_failed(&error))?;
        self.deleting.set(true);
        Ok(())
    }

    fn end_streams(&self) -> Result<DeleteReceipt, Problem> {
        self.deleting.set(false);
        let ended = self.with(|state| state.end_streams());
        let (receipt, output) = ended.ok_or(Problem::Internal)?;
        self.count_log();
        self.perform(output);
        self.set_timer();
        Ok(receipt)
    }

    async fn clear_if_quiet(&self) -> Result<(), Problem> {
        let cleared = self.clear_or_set_alarm().await;
        cleared.map_err(|error| self.storage_failed(&error))
    }
}
