//! An object without a runtime: the channel's state, its pipeline, and a sync that the test controls.

use std::cell::Cell;
use std::rc::Rc;

use futures_channel::oneshot;
use futures_executor::{LocalPool, LocalSpawner};
use futures_util::task::LocalSpawnExt;

use crate::channel::pipeline::*;
use crate::channel::state::{CommitError, State};
use crate::channel::storage::error::StorageError;
use crate::channel::storage::sqlite::Sqlite;
use crate::channel::storage::{Quiet, Store};
use crate::isolate::storage_failure::StorageFailure;
use crate::settings::{HistoryLimits, IdempotencyLimits};
use sse_hub::sse::{Batch, EventId};
use sse_hub::{JoinOptions, Limits, Millis, Stream};

pub const START: Millis = 10_000;

const HISTORY: HistoryLimits = HistoryLimits {
    events: 100_000,
    age: 1_000,
    bytes: 100_000_000,
};

const KEYS: IdempotencyLimits = IdempotencyLimits {
    age: 1_000,
    keys: 1_000,
};

/// A stream that takes everything at once.
#[derive(Clone, Debug)]
pub struct ReadyStream;

impl Stream for ReadyStream {
    fn is_ready(&self) -> bool {
        true
    }
}

/// What a sync of the storage does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    Succeeds,
    Fails,
    /// It succeeds after [`Test::finish_syncs`].
    Waits,
}

pub struct Object {
    pub state: Exclusive<State<ReadyStream, Sqlite>>,
    pub pipeline: Pipeline,
    pub database: Rc<Sqlite>,
    pub now: Cell<Millis>,
    pub sync: Cell<Sync>,
    syncs: Exclusive<Vec<oneshot::Sender<()>>>,
    /// While this is set, appends wait, as for a stream that has to keep up.
    pub appends_wait: Cell<bool>,
    appends: Exclusive<Vec<oneshot::Sender<()>>>,
    pub aborted: Cell<bool>,
    /// The next event after those that a sync has made durable.
    durable: Cell<EventId>,
    /// The steps, in order.
    log: Exclusive<Vec<String>>,
    spawner: LocalSpawner,
}

impl Object {
    fn note(&self, step: String) {
        self.log.with(|log| log.push(step)).unwrap();
    }

    pub fn next_id(&self) -> EventId {
        self.state.with(|state| state.store.next_id()).unwrap()
    }
}

fn failed(error: &StorageError) -> Problem {
    Problem::StorageFailed(StorageFailure::from_message(&error.to_string()))
}

impl Steps for Rc<Object> {
    fn is_aborting(&self) -> bool {
        self.aborted.get()
    }

    fn abort(&self, _reason: &str) {
        self.note("abort".to_owned());
        self.aborted.set(true);
    }

    fn commit(&self, group: &[Submission]) -> Result<Commit, Problem> {
        assert!(!self.aborted.get(), "an aborted object stores nothing");
        let numbers: Vec<u64> = group.iter().map(|submission| submission.number).collect();
        let now = self.now.get();
        let commit = self.state.with(|state| state.commit(group, now, |_, _| ()));
        self.note(format!("commit {numbers:?}"));
        commit.unwrap().map_err(|error| match error {
            CommitError::Storage(error) => failed(&error),
            CommitError::Receipt(_) => Problem::Internal,
        })
    }

    async fn make_durable(&self) -> Result<(), Problem> {
        let written = self.next_id();
        if self.sync.get() == Sync::Waits {
            let (sender, done) = oneshot::channel();
            self.syncs.with(|syncs| syncs.push(sender)).unwrap();
            done.await.unwrap();
        }
        if self.sync.get() == Sync::Fails {
            return Err(failed(&StorageError::Failed("no sync".to_owned())));
        }
        self.durable.set(written);
        Ok(())
    }

    fn start_appending(&self) {
        let object = self.clone();
        let task = async move { object.pipeline.append_all(&object).await };
        self.spawner.spawn_local(task).unwrap();
    }

    async fn append(&self, committed: &Committed) -> Outcome {
        if self.appends_wait.get() {
            let (sender, done) = oneshot::channel();
            self.appends.with(|appends| appends.push(sender)).unwrap();
            done.await.unwrap();
        }
        let last = committed.plan.last;
        assert!(
            last.epoch == self.durable.get().epoch && last.seq < self.durable.get().seq,
            "an event is appended only when it is durable"
        );
        self.note(format!("append {}", committed.submission.number));
        let now = self.now.get();
        let appended = self
            .state
            .with(|state| state.append(committed, now))
            .unwrap();
        appended.stored.unwrap();
        Ok(appended.receipt.unwrap())
    }

    fn deliver(&self) {}

    async fn prepare_end(&self) {
        self.note("prepare end".to_owned());
    }

    fn store_end(&self) -> Result<(), Problem> {
        let now = self.now.get();
        let ended = self.state.with(|state| state.store.end(now)).unwrap();
        self.note("store end".to_owned());
        ended.map_err(|error| failed(&error))
    }

    fn end_streams(&self) -> Result<EndReceipt, Problem> {
        assert_eq!(self.durable.get(), self.next_id(), "the end is durable");
        self.note("end streams".to_owned());
        Ok(self.state.with(State::end_streams).unwrap().0)
    }

    async fn clear_if_quiet(&self) -> Result<(), Problem> {
        let now = self.now.get();
        let quiet = self.state.with(|state| state.clear_if_quiet(now)).unwrap();
        let quiet = quiet.map_err(|error| failed(&error))?;
        if quiet == Quiet::Over {
            self.database.delete_all();
        }
        self.note(format!("clear: {}", quiet == Quiet::Over));
        Ok(())
    }
}

/// An object, and the tasks that run in it.
pub struct Test {
    pub object: Rc<Object>,
    pool: LocalPool,
    next_number: u64,
}

impl Test {
    pub fn new() -> Self {
        let pool = LocalPool::new();
        let database = Rc::new(Sqlite::new());
        let store = Store::load(database.clone(), HISTORY, KEYS, START).unwrap();
        let limits = Limits {
            buffer_events: 256,
            buffer_bytes: 1 << 20,
            heartbeat: 15_000,
            stall: None,
            flush_max: 25,
        };
        let object = Object {
            durable: Cell::new(store.next_id()),
            state: Exclusive::new(State::new(store, &limits)),
            pipeline: Pipeline::default(),
            database,
            now: Cell::new(START),
            sync: Cell::new(Sync::Succeeds),
            syncs: Exclusive::default(),
            appends_wait: Cell::new(false),
            appends: Exclusive::default(),
            aborted: Cell::new(false),
            log: Exclusive::default(),
            spawner: pool.spawner(),
        };
        Self {
            object: Rc::new(object),
            pool,
            next_number: 0,
        }
    }

    /// Submits a command, and does not run it yet.
    pub fn submit(&mut self, command: Command) {
        if self.object.pipeline.submit(command) {
            let object = self.object.clone();
            let task = async move { object.pipeline.run_commands(&object).await };
            self.object.spawner.spawn_local(task).unwrap();
        }
    }

    /// Submits a publish of one event.
    pub fn publish(&mut self, data: &str) -> oneshot::Receiver<Outcome> {
        self.next_number += 1;
        let (submission, outcome) = Submission::new(self.next_number, batch(data), None);
        self.submit(Command::Publish(submission));
        outcome
    }

    /// Submits a publish with a key, or waits for the one in flight that has the key.
    pub fn publish_with_key(
        &mut self,
        key: &str,
        data: &str,
    ) -> Result<oneshot::Receiver<Outcome>, Problem> {
        let key = PublishKey::new(key.to_owned(), &batch(data));
        if let Some(outcome) = self.object.pipeline.repeat(&key.key, &key.fingerprint)? {
            return Ok(outcome);
        }
        self.next_number += 1;
        let (submission, outcome) = Submission::new(self.next_number, batch(data), Some(key));
        self.submit(Command::Publish(submission));
        Ok(outcome)
    }

    pub fn end(&mut self) -> oneshot::Receiver<Result<EndReceipt, Problem>> {
        let (sender, outcome) = oneshot::channel();
        self.submit(Command::End(sender));
        outcome
    }

    pub fn clear_if_quiet(&mut self) -> oneshot::Receiver<Result<(), Problem>> {
        let (sender, outcome) = oneshot::channel();
        self.submit(Command::ClearIfQuiet(sender));
        outcome
    }

    /// Runs all tasks until none of them can go on.
    pub fn run(&mut self) {
        self.pool.run_until_stalled();
    }

    pub fn finish_syncs(&mut self) {
        for sync in self.object.syncs.with(std::mem::take).unwrap() {
            let _ = sync.send(());
        }
        self.run();
    }

    pub fn finish_appends(&mut self) {
        self.object.appends_wait.set(false);
        for append in self.object.appends.with(std::mem::take).unwrap() {
            let _ = append.send(());
        }
        self.run();
    }

    pub fn join(&self) {
        let join = |state: &mut State<ReadyStream, Sqlite>| {
            let conn = state.hub.next_conn_id();
            let options = JoinOptions {
                next_seq: state.hub.next_id().seq,
                history: true,
                catch_up: false,
                expires: None,
            };
            state.hub.join(conn, ReadyStream, &options, START);
        };
        self.object.state.with(join).unwrap();
    }

    /// Takes the steps that were made since this was called last.
    pub fn steps(&self) -> Vec<String> {
        self.object.log.with(std::mem::take).unwrap()
    }

    /// The receipt that is stored under `key`.
    pub fn stored_receipt(&self, key: &str) -> Option<String> {
        let now = self.object.now.get();
        let receipt = |state: &mut State<ReadyStream, Sqlite>| {
            let record = state.store.key_record(key, now)?;
            Some(record.receipt.clone())
        };
        self.object.state.with(receipt).unwrap()
    }

    /// The store that the next object will load.
    pub fn load(&self) -> Store<Sqlite> {
        let database = self.object.database.clone();
        Store::load(database, HISTORY, KEYS, self.object.now.get()).unwrap()
    }
}

pub fn batch(data: &str) -> Batch {
    Batch::from_wire(format!("data: {data}\n\n"))
}

/// The id in a receipt.
pub fn id(outcome: &Outcome) -> EventId {
    let receipt: serde_json::Value = serde_json::from_str(outcome.as_ref().unwrap()).unwrap();
    receipt["id"].as_str().unwrap().parse().unwrap()
}

/// The outcome, if it is there.
pub fn now_or_never<T>(mut outcome: oneshot::Receiver<T>) -> Option<T> {
    outcome.try_recv().ok().flatten()
}
