//! The end of a channel: deleted by somebody, or gone quiet.

use std::rc::Rc;

use futures_channel::oneshot;
use web_sys::Response;

use super::Shared;
use super::publish::Command;
use super::storage::Quiet;
use super::storage::database::StorageError;
use crate::http::problem::Problem;
use crate::http::response::{Failure, Responder};
use sse_hub::{EndReceipt, Hub};

impl Shared {
    /// Ends the channel, and answers how that went.
    pub(super) async fn request_end(
        self: &Rc<Self>,
        responder: &Responder,
    ) -> Result<Response, Failure> {
        let (sender, receipt) = oneshot::channel();
        self.enqueue(Command::End(sender));
        let receipt = receipt.await.map_err(|_| Problem::Internal)??;
        Ok(responder.json(&receipt)?)
    }

    /// Removes what is stored, if nobody needs it any more. Otherwise sets the alarm anew.
    pub(super) async fn request_clear(self: &Rc<Self>) -> Result<(), Problem> {
        let (sender, done) = oneshot::channel();
        self.enqueue(Command::ClearIfQuiet(sender));
        done.await.map_err(|_| Problem::Internal)?
    }

    /// Clears what is stored, and tells and ends all streams.
    pub(super) async fn end_channel(self: &Rc<Self>) -> Result<EndReceipt, Problem> {
        self.let_all_be_appended().await;
        self.let_streams_keep_up(Hub::readiness_to_empty).await;
        let now = self.clock.now();
        let ended = {
            let mut store = self.store.borrow_mut();
            store.end(now)
        };
        ended.map_err(|error| self.storage_failed(&error))?;
        // Nobody is to read a history that is not that of the streams any more.
        self.ending.set(true);
        let durable = self.make_durable().await;
        self.ending.set(false);
        if let Err(error) = durable {
            let problem = self.storage_failed(&error);
            self.database.abort("the channel's end could not be stored");
            return Err(problem);
        }
        let next = self.store.borrow().next_id();
        let (receipt, work) = self.hub.borrow_mut().end(next);
        self.count_log();
        self.perform(work);
        self.set_timer();
        Ok(receipt)
    }

    /// See [`request_clear`](Self::request_clear).
    pub(super) async fn clear_if_quiet(&self) -> Result<(), StorageError> {
        let listening = self.hub.borrow().subscribers() > 0;
        let quiet = {
            let mut store = self.store.borrow_mut();
            store.clear_if_quiet(self.clock.now(), listening)?
        };
        match quiet {
            Quiet::NotYet(left) | Quiet::Cleared(left) => self.set_alarm(left).await,
            Quiet::Over => self.database.delete_all().await,
        }
    }
}
