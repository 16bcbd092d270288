//! An object without a runtime: the channel's state, its pipeline, and a sync that the test controls.

use std::cell::Cell;
use std::rc::Rc;

use futures_channel::oneshot;
use futures_executor::LocalSpawner;
use futures_util::task::LocalSpawnExt;

use crate::channel::pipeline::*;
use crate::channel::state::{ChannelState, CommitError};
use crate::channel::storage::error::StorageError;
use crate::channel::storage::sqlite::Sqlite;
use crate::channel::storage::{ClearResult, Store};
use crate::isolate::storage_failure::StorageFailure;
use crate::settings::{HistoryLimits, IdempotencyLimits};
use sse_hub::sse::{Epoch, EventId};
use sse_hub::{Limits, Millis, Stream};

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
pub enum SyncMode {
    Succeeds,
    Fails,
    /// It succeeds after [`Test::finish_syncs`](super::harness::Test::finish_syncs).
    Waits,
}

pub struct Object {
    pub state: Exclusive<ChannelState<ReadyStream, Sqlite>>,
    pub pipeline: Pipeline,
    pub database: Rc<Sqlite>,
    pub now: Cell<Millis>,
    pub sync: Cell<SyncMode>,
    pub syncs: Exclusive<Vec<oneshot::Sender<()>>>,
    /// While this is set, appends wait, as for a stream that has to keep up.
    pub appends_wait: Cell<bool>,
    pub appends: Exclusive<Vec<oneshot::Sender<()>>>,
    pub aborted: Cell<bool>,
    /// The next event after those that a sync has made durable.
    durable: Cell<EventId>,
    /// The steps, in order.
    pub log: Exclusive<Vec<String>>,
    pub spawner: LocalSpawner,
}

/// The epoch that begins at `began`.
pub fn epoch(began: Millis) -> Epoch {
    Epoch::new(began, 0)
}

/// Loads the data in `database`.
pub fn load(database: &Rc<Sqlite>, now: Millis) -> Store<Sqlite> {
    Store::load(database.clone(), HISTORY, KEYS, epoch(now), now).unwrap()
}

impl Object {
    pub fn new(spawner: LocalSpawner) -> Self {
        let database = Rc::new(Sqlite::new());
        let store = load(&database, START);
        let limits = Limits {
            buffer_events: 256,
            buffer_bytes: 1 << 20,
            heartbeat: 15_000,
            stall: None,
            flush_max: 25,
            may_sleep: true,
        };
        Self {
            durable: Cell::new(store.next_id()),
            state: Exclusive::new(ChannelState::new("foo", store, &limits, START)),
            pipeline: Pipeline::default(),
            database,
            now: Cell::new(START),
            sync: Cell::new(SyncMode::Succeeds),
            syncs: Exclusive::default(),
            appends_wait: Cell::new(false),
            appends: Exclusive::default(),
            aborted: Cell::new(false),
            log: Exclusive::default(),
            spawner,
        }
    }

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
        if self.sync.get() == SyncMode::Waits {
            let (sender, done) = oneshot::channel();
            self.syncs.with(|syncs| syncs.push(sender)).unwrap();
            done.await.unwrap();
        }
        if self.sync.get() == SyncMode::Fails {
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

    async fn prepare_deletion(&self) {
        self.note("prepare deletion".to_owned());
    }

    fn store_deletion(&self) -> Result<(), Problem> {
        let fresh = epoch(self.now.get());
        let deleted = self.state.with(|state| state.store_deletion(fresh));
        self.note("store deletion".to_owned());
        deleted.unwrap().map_err(|error| failed(&error))
    }

    fn end_streams(&self) -> Result<DeleteReceipt, Problem> {
        assert_eq!(
            self.durable.get(),
            self.next_id(),
            "the deletion is durable"
        );
        self.note("end streams".to_owned());
        Ok(self.state.with(ChannelState::end_streams).unwrap().0)
    }

    async fn clear_if_quiet(&self) -> Result<(), Problem> {
        let now = self.now.get();
        let quiet = self.state.with(|state| state.clear_if_quiet(now)).unwrap();
        let quiet = quiet.map_err(|error| failed(&error))?;
        if quiet == ClearResult::RemoveAll {
            self.database.delete_all();
        }
        self.note(format!("clear: {}", quiet == ClearResult::RemoveAll));
        Ok(())
    }
}
