//! Publishers: what they send is committed, then appended, then they have their receipt.
//!
//! Two tasks, one behind the other. The first takes what has come in and commits it; what comes in meanwhile is the next
//! group. The second appends what is committed, in order, and waits for streams to keep up where it must; commits never
//! wait for that.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use futures_channel::oneshot;
use wasm_bindgen_futures::spawn_local;
use web_sys::Response;

use super::Shared;
use super::storage::KeyedPublish;
use super::storage::database::StorageError;
use super::storage::idempotency::{self, Fingerprint, Published};
use crate::http::problem::Problem;
use crate::http::response::{self, Failure, Responder};
use crate::isolate::commit_log;
use sse_hub::sse::{Batch, EventId, MAX_ENCODED_EVENT};
use sse_hub::{EndReceipt, Millis, Receipt};

/// The most bytes that are committed together, unless one publish has more: a row's worth, as each is copied on its way.
const GROUP_BYTES: usize = MAX_ENCODED_EVENT;

/// How soon a watchdog looks again, in milliseconds: after a second.
const WATCH: Millis = 1_000;

/// A receipt as JSON, or why there is none.
pub(super) type Outcome = Result<String, Problem>;

/// A publish on its way.
pub struct Submission {
    /// The Worker's number for it; see [`commit_log`].
    number: u64,
    /// Its events.
    pub batch: Batch,
    /// Its `Idempotency-Key`, with what it stands for.
    pub key: Option<(String, Fingerprint)>,
    receipt: oneshot::Sender<Outcome>,
}

/// What is done one after the other.
pub enum Command {
    /// See [`Shared::publish`].
    Publish(Submission),
    /// See [`Shared::request_end`].
    End(oneshot::Sender<Result<EndReceipt, Problem>>),
    /// See [`Shared::request_clear`].
    ClearIfQuiet(oneshot::Sender<Result<(), Problem>>),
}

/// A publish with a key that has no receipt yet.
pub(super) struct InFlight {
    pub(super) fingerprint: Fingerprint,
    /// Those who repeated it meanwhile.
    pub(super) repeats: Vec<oneshot::Sender<Outcome>>,
}

/// What publishers wait for.
#[derive(Default)]
pub struct Inbox {
    /// In the order in which it came.
    commands: RefCell<VecDeque<Command>>,
    /// Whether a task is working the commands off.
    working: Cell<bool>,
    /// Committed, with the receipt that was stored where there is a key.
    pub(super) committed: RefCell<VecDeque<(Submission, String)>>,
    /// Whether a task is appending what is committed.
    pub(super) appending: Cell<bool>,
    /// Told when it has nothing left to append.
    pub(super) appended: RefCell<Option<oneshot::Sender<()>>>,
    pub(super) in_flight: RefCell<HashMap<String, InFlight>>,
}

impl Inbox {
    /// Forgets everything: nobody waits for it any more.
    pub(super) fn clear(&self) {
        self.commands.borrow_mut().clear();
        self.committed.borrow_mut().clear();
        self.in_flight.borrow_mut().clear();
    }
}

impl Shared {
    /// Submits events, and answers with their receipt once they are stored and in the log. With a `key` that was used
    /// before, answers with the receipt of that time.
    pub(super) async fn publish(
        self: &Rc<Self>,
        number: u64,
        batch: Batch,
        key: Option<String>,
        responder: &Responder,
    ) -> Result<Response, Failure> {
        let key = key.map(|key| (key, idempotency::fingerprint(&batch.wire)));
        if let Some((key, fingerprint)) = &key {
            if let Some(receipt) = self.repeated(key, fingerprint).await? {
                return Ok(responder.replayed(&receipt)?);
            }
            let in_flight = InFlight {
                fingerprint: *fingerprint,
                repeats: Vec::new(),
            };
            let mut all = self.inbox.in_flight.borrow_mut();
            all.insert(key.clone(), in_flight);
        }
        let (receipt, outcome) = oneshot::channel();
        self.enqueue(Command::Publish(Submission {
            number,
            batch,
            key,
            receipt,
        }));
        let receipt = outcome.await.map_err(|_| Problem::Internal)??;
        Ok(responder.json_text(&receipt)?)
    }

    /// Has something done after what was ordered before.
    pub(super) fn enqueue(self: &Rc<Self>, order: Command) {
        self.inbox.commands.borrow_mut().push_back(order);
        if !self.inbox.working.replace(true) {
            spawn_local(self.clone().run_commands());
            self.watch();
        }
    }

    /// Sets the watchdog while there is something in flight, if it is not set yet.
    pub(super) fn watch(&self) {
        if self.inbox.working.get() {
            let now = self.clock.now();
            self.set(&self.watchdog, Some(now.saturating_add(WATCH)));
        }
    }

    /// Does what was ordered until there is nothing left. Publishes that came while something else was done are done
    /// together.
    async fn run_commands(self: Rc<Self>) {
        loop {
            if self.database.is_aborting() {
                // What is in memory is no longer what is stored. The object ends with what is left to do.
                return;
            }
            let next = self.inbox.commands.borrow_mut().pop_front();
            match next {
                None => break,
                Some(Command::Publish(first)) => {
                    let group = self.take_group(first);
                    self.commit(group).await;
                }
                // Nobody waits for these where the client has gone; they are done all the same.
                Some(Command::End(done)) => {
                    let _ = done.send(self.end_channel().await);
                }
                Some(Command::ClearIfQuiet(done)) => {
                    let cleared = self.clear_if_quiet().await;
                    let _ = done.send(cleared.map_err(|error| self.storage_failed(&error)));
                }
            }
        }
        self.inbox.working.set(false);
    }

    /// The publishes that come next, until they have [`GROUP_BYTES`].
    fn take_group(&self, first: Submission) -> Vec<Submission> {
        let mut commands = self.inbox.commands.borrow_mut();
        let mut bytes = first.batch.wire.len();
        let mut group = vec![first];
        while let Some(Command::Publish(next)) = commands.front() {
            bytes = bytes.saturating_add(next.batch.wire.len());
            if bytes > GROUP_BYTES {
                break;
            }
            if let Some(Command::Publish(next)) = commands.pop_front() {
                group.push(next);
            }
        }
        group
    }

    /// Commits a group, and hands it on to be appended. Where that fails, nothing of it is published.
    async fn commit(self: &Rc<Self>, group: Vec<Submission>) {
        let now = self.clock.now();
        let receipts = self.receipts(&group);
        let keyed = self.keyed(&group, &receipts, now);
        self.note_attempts(&group);
        let batches: Vec<&Batch> = group.iter().map(|submission| &submission.batch).collect();
        let committed = self.store.borrow_mut().commit(&batches, keyed, now);
        let durable = match committed {
            Ok(true) => self.make_durable().await,
            Ok(false) => Ok(()),
            Err(error) => {
                let problem = self.storage_failed(&error);
                for submission in group {
                    self.complete(submission, Err(problem.clone()));
                }
                return;
            }
        };
        if let Err(error) = durable {
            self.storage_failed(&error);
            for submission in group {
                // Some of it may have been stored.
                self.complete(submission, Err(Problem::ChannelUnavailable));
            }
            self.database
                .abort("what was published could not be stored");
            return;
        }
        let mut committed = self.inbox.committed.borrow_mut();
        committed.extend(group.into_iter().zip(receipts));
        if !self.inbox.appending.replace(true) {
            spawn_local(self.clone().append_all());
        }
    }

    /// Notes the ids that the publishes of a group are about to get.
    fn note_attempts(&self, group: &[Submission]) {
        let mut last = self.store.borrow().next_id();
        last.seq = last.seq.saturating_sub(1);
        for submission in group {
            last.seq = last.seq.saturating_add(submission.batch.events as u64);
            commit_log::record(submission.number, last);
        }
    }

    /// The receipts that the publishes of a group will have, if no stream drops anything for them and none comes or goes.
    fn receipts(&self, group: &[Submission]) -> Vec<String> {
        if group.iter().all(|submission| submission.key.is_none()) {
            return vec![String::new(); group.len()];
        }
        let subscribers = self.hub.borrow().subscribers();
        let next = self.store.borrow().next_id();
        let mut last = next.seq.saturating_sub(1);
        let receipt = |submission: &Submission| {
            let events = submission.batch.events;
            last = last.saturating_add(events as u64);
            let receipt = Receipt {
                id: EventId { seq: last, ..next },
                events,
                subscribers,
                dropped: 0,
            };
            receipt.to_json()
        };
        group.iter().map(receipt).collect()
    }

    fn keyed(&self, group: &[Submission], receipts: &[String], now: Millis) -> Vec<KeyedPublish> {
        let first = self.store.borrow().next_key();
        let keyed = group
            .iter()
            .zip(receipts)
            .filter_map(|(submission, receipt)| {
                let (key, fingerprint) = submission.key.clone()?;
                Some((key, fingerprint, receipt.clone()))
            });
        (first..)
            .zip(keyed)
            .map(|(number, (key, fingerprint, receipt))| KeyedPublish {
                key,
                published: Published {
                    fingerprint,
                    time: now,
                    receipt,
                    number,
                },
            })
            .collect()
    }

    /// Waits until what was written is durable, and will be cleared some day.
    pub(super) async fn make_durable(&self) -> Result<(), StorageError> {
        self.set_first_alarm().await?;
        self.database.sync().await
    }

    /// Sees to it that a channel of which something is stored is looked at when that may be too old. Later, one alarm
    /// leads to the next.
    pub(super) async fn set_first_alarm(&self) -> Result<(), StorageError> {
        if !self.store.borrow().needs_alarm {
            return Ok(());
        }
        let set_for = self.database.alarm().await?;
        let (now, until) = (self.clock.now(), self.store.borrow().needed_until());
        self.store.borrow_mut().needs_alarm = false;
        if set_for.is_some_and(|at| at <= until.saturating_add(self.alarm_spread())) {
            return Ok(());
        }
        let set = self.set_alarm(until.saturating_sub(now)).await;
        self.store.borrow_mut().needs_alarm |= set.is_err();
        set
    }

    /// Has the channel looked at after so many milliseconds, or a little later: channels that were used in the same moment
    /// are not all to be looked at in the same moment.
    pub(super) async fn set_alarm(&self, after: Millis) -> Result<(), StorageError> {
        let most = u32::try_from(self.alarm_spread()).unwrap_or(u32::MAX);
        let spread = Millis::from(response::random_between(0, most));
        self.database.set_alarm(after.saturating_add(spread)).await
    }

    /// The most that an alarm is late on purpose, in milliseconds: a tenth of how long the history is kept.
    fn alarm_spread(&self) -> Millis {
        self.settings.history.age / 10
    }

    /// Tells a publisher how it went, and whoever repeated it.
    pub(super) fn complete(&self, submission: Submission, outcome: Outcome) {
        if let Some((key, _)) = &submission.key {
            let in_flight = self.inbox.in_flight.borrow_mut().remove(key);
            for repeat in in_flight.into_iter().flat_map(|first| first.repeats) {
                let _ = repeat.send(outcome.clone());
            }
        }
        // Nobody waits for it where the publisher has gone; the events are published all the same.
        let _ = submission.receipt.send(outcome);
    }
}
