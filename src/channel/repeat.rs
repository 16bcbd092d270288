//! Publishes that are sent again under the same key: they get the receipt of the first one.

use futures_channel::oneshot;
use web_sys::Response;

use super::Shared;
use super::storage::idempotency::{self, Fingerprint};
use crate::http::problem::Problem;
use crate::http::response::{Failure, Responder};
use sse_hub::sse::Batch;

impl Shared {
    /// Answers with the receipt of the publish that had this key before. Stores nothing: the storage is full.
    pub(super) async fn replay(
        &self,
        batch: &Batch,
        key: Option<String>,
        responder: &Responder,
    ) -> Result<Response, Failure> {
        if let Some(key) = key {
            let fingerprint = idempotency::fingerprint(&batch.wire);
            if let Some(receipt) = self.repeated(&key, &fingerprint).await? {
                return Ok(responder.replayed(&receipt)?);
            }
        }
        Err(Problem::ChannelUnavailable.into())
    }

    /// The receipt of the publish that had this key before, if one had, once it is there.
    pub(super) async fn repeated(
        &self,
        key: &str,
        fingerprint: &Fingerprint,
    ) -> Result<Option<String>, Problem> {
        let check = |first: &Fingerprint| {
            let same = first == fingerprint;
            same.then_some(()).ok_or(Problem::IdempotencyKeyReused)
        };
        // First, as what is stored of one under way is not its last word.
        let in_flight = match self.inbox.in_flight.borrow_mut().get_mut(key) {
            Some(first) => {
                check(&first.fingerprint)?;
                let (repeat, outcome) = oneshot::channel();
                first.repeats.push(repeat);
                Some(outcome)
            }
            None => None,
        };
        if let Some(outcome) = in_flight {
            return Ok(Some(outcome.await.map_err(|_| Problem::Internal)??));
        }
        let store = self.store.borrow();
        let Some(first) = store.published(key, self.clock.now()) else {
            return Ok(None);
        };
        check(&first.fingerprint)?;
        Ok(Some(first.receipt.clone()))
    }
}
