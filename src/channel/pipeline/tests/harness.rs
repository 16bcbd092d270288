//! Submits commands to an object, and runs its tasks.

use std::rc::Rc;

use futures_channel::oneshot;
use futures_executor::LocalPool;
use futures_util::task::LocalSpawnExt;

use super::object::{Object, ReadyStream, START, load};
use crate::channel::pipeline::*;
use crate::channel::state::ChannelState;
use crate::channel::storage::Store;
use crate::channel::storage::sqlite::Sqlite;
use sse_hub::sse::{Batch, EventId};
use sse_hub::{Carrier, JoinOptions};

/// An object, and the tasks that run in it.
pub struct Test {
    pub object: Rc<Object>,
    pool: LocalPool,
    next_number: u64,
}

impl Test {
    pub fn new() -> Self {
        let pool = LocalPool::new();
        let object = Object::new(pool.spawner());
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
        let (submission, outcome) = Submission::new(self.next_number, batch(data), false, None);
        self.submit(Command::Publish(submission));
        outcome
    }

    /// Submits a publish with a key, or waits for the one in flight that has the key.
    pub fn publish_with_key(
        &mut self,
        key: &str,
        data: &str,
    ) -> Result<oneshot::Receiver<Outcome>, Problem> {
        let key = PublishKey::new(key.to_owned(), &batch(data), false);
        if let Some(outcome) = self.object.pipeline.repeat(&key.key, &key.fingerprint)? {
            return Ok(outcome);
        }
        self.next_number += 1;
        let (submission, outcome) =
            Submission::new(self.next_number, batch(data), false, Some(key));
        self.submit(Command::Publish(submission));
        Ok(outcome)
    }

    /// Submits a publish that ends the channel. Without data it has no events.
    pub fn end(&mut self, data: Option<&str>) -> oneshot::Receiver<Outcome> {
        self.next_number += 1;
        let batch = data.map_or_else(|| Batch::from_wire(String::new()), batch);
        let (submission, outcome) = Submission::new(self.next_number, batch, true, None);
        self.submit(Command::Publish(submission));
        outcome
    }

    pub fn delete(&mut self) -> oneshot::Receiver<Result<DeleteReceipt, Problem>> {
        let (sender, outcome) = oneshot::channel();
        self.submit(Command::Delete(sender));
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
        let join = |state: &mut ChannelState<ReadyStream, Sqlite>| {
            let conn = state.hub.next_conn_id();
            let options = JoinOptions {
                next_seq: state.hub.next_id().seq,
                history: true,
                catch_up: false,
                expires: None,
                carrier: Carrier::Response,
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
        let receipt = |state: &mut ChannelState<ReadyStream, Sqlite>| {
            let record = state.store.key_record(key, now)?;
            Some(record.receipt.clone())
        };
        self.object.state.with(receipt).unwrap()
    }

    /// The store that the next object will load.
    pub fn load(&self) -> Store<Sqlite> {
        load(&self.object.database, self.object.now.get())
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
