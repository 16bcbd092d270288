//! Runs the commands of a channel: first their writes to the storage, then their changes of the log. Free of
//! JavaScript: the trait [`Steps`] stands for the runtime.
//!
//! There are two tasks. The first runs the commands in the order in which they were submitted. It commits publishes in
//! groups; the publishes that arrive during a commit form the next group. The second appends the committed publishes to
//! the log in the same order, and may have to wait until streams keep up. Commits never wait for appends.

mod commands;
mod in_flight;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use futures_channel::oneshot;

pub use self::commands::{Command, Outcome, PublishKey, Submission};
use self::commands::{CommandQueue, Next};
use self::in_flight::InFlightKeys;
pub use self::plan::{Commit, CommitPlan, PlannedPublish, Position};
use super::storage::idempotency::Fingerprint;
use crate::http::problem::Problem;
use crate::isolate::exclusive::Exclusive;
use sse_hub::DeleteReceipt;

/// The steps of the pipeline that need the channel's state or the runtime.
pub trait Steps {
    /// Whether the object is about to be aborted.
    fn is_aborting(&self) -> bool;

    /// Aborts the object soon. No further command is run.
    fn abort(&self, reason: &str);

    /// Writes a group of publishes to the storage. If this fails, nothing of the group is stored.
    fn commit(&self, group: &[Submission]) -> Result<Commit, Problem>;

    /// Waits until everything that was written is durable. If this fails, it is unknown what is stored.
    async fn make_durable(&self) -> Result<(), Problem>;

    /// Starts a task that calls [`Pipeline::append_all`].
    fn start_appending(&self);

    /// Appends a committed publish to the log. Returns its receipt.
    async fn append(&self, committed: &Committed) -> Outcome;

    /// Delivers the appended events to the streams, at once or with the next flush.
    fn deliver(&self);

    /// Before the channel is deleted: writes the events in the log to the streams that keep up.
    async fn prepare_deletion(&self);

    /// Writes the deletion of the channel to the storage, and suspends all reads until
    /// [`end_streams`](Self::end_streams): the storage already belongs to the next epoch, but the streams do not.
    fn store_deletion(&self) -> Result<(), Problem>;

    /// Empties the log, and ends all streams.
    fn end_streams(&self) -> Result<DeleteReceipt, Problem>;

    /// Removes the stored data if it is not needed any more.
    async fn clear_if_quiet(&self) -> Result<(), Problem>;
}

/// A publish that is stored, but not in the log yet.
pub struct Committed {
    /// The publish.
    pub submission: Submission,
    /// Its id, and the receipt that is stored.
    pub plan: PlannedPublish,
}

#[derive(Default)]
struct Queues {
    commands: CommandQueue,
    committed: VecDeque<Committed>,
    /// Whether a task is appending.
    is_appending: bool,
    /// It is notified when no publish is left to append.
    when_appended: Option<oneshot::Sender<()>>,
    in_flight: InFlightKeys,
    /// Whether a sync has failed. Memory and storage may then differ, and the object is about to be aborted.
    has_failed: bool,
}

/// The commands of a channel that are waiting or in flight.
#[derive(Default)]
pub struct Pipeline(Exclusive<Queues>);

impl Pipeline {
    /// Adds a command. Returns whether the caller has to start a task that calls [`run_commands`](Self::run_commands).
    #[must_use]
    pub fn submit(&self, command: Command) -> bool {
        let must_start = self.0.with(|queues| {
            if let Command::Publish(Submission { key: Some(key), .. }) = &command {
                queues.in_flight.begin(key);
            }
            queues.commands.push(command)
        });
        must_start.unwrap_or_default()
    }

    /// Whether a task is running commands.
    pub fn is_running(&self) -> bool {
        let is_running = self.0.with(|queues| queues.commands.is_running());
        is_running.unwrap_or_default()
    }

    /// Returns a receiver of the outcome of the publish in flight with this key, or `None` if no publish in flight has
    /// the key. Fails with [`Problem::IdempotencyKeyReused`] if that publish is another one, and with
    /// [`Problem::ChannelUnavailable`] after a failed sync.
    pub fn repeat(
        &self,
        key: &str,
        fingerprint: &Fingerprint,
    ) -> Result<Option<oneshot::Receiver<Outcome>>, Problem> {
        let repeated = self.0.with(|queues| {
            if queues.has_failed {
                // The stored receipts in memory may not be in the storage.
                return Err(Problem::ChannelUnavailable);
            }
            queues.in_flight.repeat(key, fingerprint)
        });
        repeated.ok_or(Problem::Internal)?
    }

    /// Drops all commands and sends no outcomes, because the object was reset.
    pub fn clear(&self) {
        let dropped = self.0.with(|queues| {
            let commands = queues.commands.take();
            let committed = std::mem::take(&mut queues.committed);
            let in_flight = std::mem::take(&mut queues.in_flight);
            (commands, committed, in_flight)
        });
        drop(dropped);
    }

    /// Runs commands until none is left.
    pub async fn run_commands(&self, steps: &impl Steps) {
        // Once the object is about to be aborted, its memory and its storage may differ, so no command is run any more.
        while !steps.is_aborting() {
            let next = self.0.with(|queues| queues.commands.next());
            // A receiver is gone if its client has disconnected. The command is run anyway.
            match next.flatten() {
                None => return,
                Some(Next::Commit(group)) => self.commit(group, steps).await,
                Some(Next::Delete(done)) => {
                    let _ = done.send(self.delete(steps).await);
                }
                Some(Next::ClearIfQuiet(done)) => {
                    let _ = done.send(steps.clear_if_quiet().await);
                }
            }
        }
    }

    async fn commit(&self, group: Vec<Submission>, steps: &impl Steps) {
        let commit = match steps.commit(&group) {
            Ok(commit) => commit,
            Err(problem) => return self.fail(group, &problem),
        };
        if commit.wrote && steps.make_durable().await.is_err() {
            // The Worker must not report that nothing was published: some of the group may be stored.
            self.fail(group, &Problem::ChannelUnavailable);
            return self.abort("the published events could not be stored", steps);
        }
        let planned = group.into_iter().zip(commit.publishes);
        let must_start = self.0.with(|queues| {
            let committed = planned.map(|(submission, plan)| Committed { submission, plan });
            queues.committed.extend(committed);
            !std::mem::replace(&mut queues.is_appending, true)
        });
        if must_start.unwrap_or_default() {
            steps.start_appending();
        }
    }

    /// Aborts the object after a failed sync.
    fn abort(&self, reason: &str, steps: &impl Steps) {
        self.0.with(|queues| queues.has_failed = true);
        steps.abort(reason);
    }

    fn fail(&self, group: Vec<Submission>, problem: &Problem) {
        for submission in group {
            self.complete(submission, Err(problem.clone()));
        }
    }

    /// Sends the outcome to the publisher, and to the clients that have repeated the publish.
    fn complete(&self, submission: Submission, outcome: Outcome) {
        if let Some(key) = &submission.key {
            let repeats = self.0.with(|queues| queues.in_flight.complete(&key.key));
            for repeat in repeats.unwrap_or_default() {
                let _ = repeat.send(outcome.clone());
            }
        }
        submission.complete(outcome);
    }

    /// Appends committed publishes until none is left.
    pub async fn append_all(&self, steps: &impl Steps) {
        while let Some(committed) = self.next_committed() {
            let outcome = steps.append(&committed).await;
            self.complete(committed.submission, outcome);
            steps.deliver();
        }
    }

    /// Takes the next publish to append. If there is none, the task that appends has to stop.
    fn next_committed(&self) -> Option<Committed> {
        let (next, when_appended) = self.0.with(|queues| {
            let next = queues.committed.pop_front();
            queues.is_appending = next.is_some();
            let is_done = next.is_none();
            (next, is_done.then(|| queues.when_appended.take()).flatten())
        })?;
        if let Some(when_appended) = when_appended {
            let _ = when_appended.send(());
        }
        next
    }

    /// Waits until all committed publishes are appended.
    async fn until_appended(&self) {
        let appended = self.0.with(|queues| {
            queues.is_appending.then(|| {
                let (sender, appended) = oneshot::channel();
                queues.when_appended = Some(sender);
                appended
            })
        });
        if let Some(appended) = appended.flatten() {
            let _ = appended.await;
        }
    }

    async fn delete(&self, steps: &impl Steps) -> Result<DeleteReceipt, Problem> {
        self.until_appended().await;
        steps.prepare_deletion().await;
        steps.store_deletion()?;
        if let Err(problem) = steps.make_durable().await {
            self.abort("the deletion of the channel could not be stored", steps);
            return Err(problem);
        }
        steps.end_streams()
    }
}
