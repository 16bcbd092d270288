//! The queue of a channel's commands.

use std::collections::VecDeque;

use futures_channel::oneshot;

use crate::channel::storage::idempotency::{self, Fingerprint};
use crate::http::problem::Problem;
use sse_hub::DeleteReceipt;
use sse_hub::sse::{Batch, MAX_ENCODED_EVENT};

/// The most bytes that are committed together: as many as one row holds. A single publish may have more.
const GROUP_BYTES: usize = MAX_ENCODED_EVENT;

/// A receipt as JSON, or the problem to report.
pub type Outcome = Result<String, Problem>;

/// The idempotency key of a publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishKey {
    /// The key.
    pub key: String,
    /// The hash of the publish's events, and of whether it ends the channel.
    pub fingerprint: Fingerprint,
}

impl PublishKey {
    /// The key of a publish of `batch`, which may end the channel.
    pub fn new(key: String, batch: &Batch, ends: bool) -> Self {
        let fingerprint = idempotency::fingerprint(&batch.wire, ends);
        Self { key, fingerprint }
    }
}

/// A publish that waits for its outcome.
#[derive(Debug)]
pub struct Submission {
    /// The Worker's number for the publish; see [`commit_log`](crate::isolate::commit_log).
    pub number: u64,
    /// The events. There is at least one, unless the publish ends the channel.
    pub batch: Batch,
    /// Whether the channel ends after these events.
    pub ends: bool,
    /// The idempotency key, if the publish has one.
    pub key: Option<PublishKey>,
    outcome: oneshot::Sender<Outcome>,
}

impl Submission {
    /// A publish, and the receiver of its outcome.
    pub fn new(
        number: u64,
        batch: Batch,
        ends: bool,
        key: Option<PublishKey>,
    ) -> (Self, oneshot::Receiver<Outcome>) {
        let (sender, outcome) = oneshot::channel();
        let submission = Self {
            number,
            batch,
            ends,
            key,
            outcome: sender,
        };
        (submission, outcome)
    }

    /// Sends the outcome to the publisher, if it is still connected.
    pub(super) fn complete(self, outcome: Outcome) {
        let _ = self.outcome.send(outcome);
    }
}

/// A change of the channel. Commands are run one after the other.
#[derive(Debug)]
pub enum Command {
    /// Publishes events.
    Publish(Submission),
    /// Deletes the channel.
    Delete(oneshot::Sender<Result<DeleteReceipt, Problem>>),
    /// Removes the stored data if it is not needed any more.
    ClearIfQuiet(oneshot::Sender<Result<(), Problem>>),
}

/// The next command to run, with publishes as groups.
#[derive(Debug)]
pub(super) enum Next {
    /// These publishes, in one commit.
    Commit(Vec<Submission>),
    /// [`Command::Delete`].
    Delete(oneshot::Sender<Result<DeleteReceipt, Problem>>),
    /// [`Command::ClearIfQuiet`].
    ClearIfQuiet(oneshot::Sender<Result<(), Problem>>),
}

/// The commands that have not begun.
#[derive(Default)]
pub(super) struct CommandQueue {
    waiting: VecDeque<Command>,
    /// Whether a task is running commands.
    is_running: bool,
}

impl CommandQueue {
    /// Adds a command. Returns whether a task has to be started that runs it.
    pub fn push(&mut self, command: Command) -> bool {
        self.waiting.push_back(command);
        !std::mem::replace(&mut self.is_running, true)
    }

    /// Whether a task is running commands.
    pub fn is_running(&self) -> bool {
        self.is_running
    }

    /// Removes all commands.
    pub fn take(&mut self) -> VecDeque<Command> {
        std::mem::take(&mut self.waiting)
    }

    /// Takes the next command, or as many consecutive publishes as one commit takes. If there is no command, the task
    /// that runs the commands has to stop.
    pub fn next(&mut self) -> Option<Next> {
        let next = match self.waiting.pop_front() {
            Some(Command::Publish(first)) => Next::Commit(self.take_group(first)),
            Some(Command::Delete(done)) => Next::Delete(done),
            Some(Command::ClearIfQuiet(done)) => Next::ClearIfQuiet(done),
            None => {
                self.is_running = false;
                return None;
            }
        };
        Some(next)
    }

    fn take_group(&mut self, first: Submission) -> Vec<Submission> {
        let mut bytes = first.batch.wire.len();
        let mut group = vec![first];
        while let Some(Command::Publish(next)) = self.waiting.front() {
            bytes = bytes.saturating_add(next.batch.wire.len());
            if bytes > GROUP_BYTES {
                break;
            }
            if let Some(Command::Publish(next)) = self.waiting.pop_front() {
                group.push(next);
            }
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn publish(number: u64, bytes: usize) -> Command {
        let wire = format!("data: {}\n\n", "x".repeat(bytes - "data: \n\n".len()));
        let (submission, _) = Submission::new(number, Batch::from_wire(wire), false, None);
        Command::Publish(submission)
    }

    /// The numbers of the next group.
    fn group(queue: &mut CommandQueue) -> Vec<u64> {
        match queue.next() {
            Some(Next::Commit(group)) => group.iter().map(|submission| submission.number).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn publishes_are_grouped_up_to_the_size_of_a_row() {
        let mut queue = CommandQueue::default();
        for (number, bytes) in [(1, 500_000), (2, GROUP_BYTES - 500_000), (3, 10)] {
            queue.push(publish(number, bytes));
        }
        assert_eq!(group(&mut queue), [1, 2]);
        queue.push(publish(4, GROUP_BYTES + 1));
        queue.push(publish(5, 10));
        assert_eq!(group(&mut queue), [3]);
        assert_eq!(group(&mut queue), [4], "a large publish has its own commit");
        assert_eq!(group(&mut queue), [5]);
    }

    #[test]
    fn a_group_does_not_overtake_another_command() {
        let mut queue = CommandQueue::default();
        queue.push(publish(1, 10));
        queue.push(Command::Delete(oneshot::channel().0));
        queue.push(publish(2, 10));
        queue.push(Command::ClearIfQuiet(oneshot::channel().0));
        queue.push(publish(3, 10));
        assert_eq!(group(&mut queue), [1]);
        assert!(matches!(queue.next(), Some(Next::Delete(_))));
        assert_eq!(group(&mut queue), [2]);
        assert!(matches!(queue.next(), Some(Next::ClearIfQuiet(_))));
        assert_eq!(group(&mut queue), [3]);
    }

    #[test]
    fn one_task_runs_the_commands_until_none_is_left() {
        let mut queue = CommandQueue::default();
        assert!(queue.push(publish(1, 10)), "a task has to be started");
        assert!(!queue.push(publish(2, 10)), "it is running already");
        assert!(queue.next().is_some() && queue.is_running());
        assert!(queue.next().is_none() && !queue.is_running());
        assert!(queue.push(publish(3, 10)));
    }

    proptest! {
        #[test]
        fn every_publish_is_in_exactly_one_group_in_order_and_no_group_could_be_larger(
            sizes in prop::collection::vec(10..700_000_usize, 0..12),
        ) {
            let mut queue = CommandQueue::default();
            for (number, bytes) in sizes.iter().enumerate() {
                queue.push(publish(number as u64, *bytes));
            }
            let mut next = 0;
            while next < sizes.len() {
                let numbers = group(&mut queue);
                let end = next + numbers.len();
                let expected: Vec<u64> = (next as u64..end as u64).collect();
                prop_assert_eq!(numbers, expected);
                let bytes: usize = sizes[next..end].iter().sum();
                prop_assert!(bytes <= GROUP_BYTES || end - next == 1);
                if let Some(following) = sizes.get(end) {
                    prop_assert!(bytes + following > GROUP_BYTES);
                }
                next = end;
            }
            prop_assert!(queue.next().is_none());
        }
    }
}
