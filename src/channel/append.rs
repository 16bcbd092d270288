//! What is committed goes into the log, and its publishers get their receipts.

use std::rc::Rc;
use std::time::Duration;

use futures_channel::oneshot;
use worker::Delay;

use super::Shared;
use super::stream::EventStream;
use sse_hub::{Hub, Readiness};

impl Shared {
    /// Appends what is committed, in order, until there is nothing left.
    pub(super) async fn append_all(self: Rc<Self>) {
        loop {
            let next = self.inbox.committed.borrow_mut().pop_front();
            let Some((submission, stored)) = next else {
                break;
            };
            let batch = &submission.batch;
            self.give_back_log().await;
            self.let_streams_keep_up(|hub| hub.readiness_to_append(batch))
                .await;
            let receipt = self.hub.borrow_mut().append(batch, self.clock.now());
            let receipt = receipt.to_json();
            self.memory.used_at.set(self.clock.now());
            self.count_log();
            self.free_memory();
            if let Some((key, _)) = submission.key.as_ref().filter(|_| stored != receipt) {
                // The answer leaves the object when this is durable, too.
                let corrected = self.store.borrow_mut().correct_receipt(key, &receipt);
                if let Err(error) = corrected {
                    self.storage_failed(&error);
                }
            }
            self.complete(submission, Ok(receipt));
            // A flush under way goes on when the event loop has gone round.
            if self.hub.borrow().is_flushing() {
                self.set_timer();
            } else {
                self.poll();
            }
        }
        self.inbox.appending.set(false);
        if let Some(appended) = self.inbox.appended.take() {
            let _ = appended.send(());
        }
    }

    /// Waits until what is committed is appended.
    pub(super) async fn let_all_be_appended(&self) {
        if self.inbox.appending.get() {
            let (sender, appended) = oneshot::channel();
            self.inbox.appended.replace(Some(sender));
            let _ = appended.await;
        }
    }

    /// Before events leave the log that a stream which keeps up was not given yet: gives them to it, and lets the event
    /// loop go round for it to take them. Streams that back up are not waited for.
    pub(super) async fn let_streams_keep_up(
        &self,
        before: impl Fn(&mut Hub<EventStream>) -> Readiness,
    ) {
        // While the channel is ending, no stream may read the history.
        while !self.ending.get() {
            let step = before(&mut self.hub.borrow_mut());
            match step {
                Readiness::FlushFirst => self.flush(),
                Readiness::WaitForLoopTurn => {
                    self.hub.borrow_mut().begin_loop_turn();
                    Delay::from(Duration::ZERO).await;
                }
                Readiness::Ready => return,
            }
        }
    }
}
