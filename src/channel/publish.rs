//! Publishes: from the request of the Worker to the receipt.

use std::rc::Rc;

use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Request, Response};

use super::pipeline::{Command, PublishKey, Submission};
use super::shared::Shared;
use crate::http::object::request::PublishRequest;
use crate::http::problem::Problem;
use crate::http::response::{Failure, Responder};
use sse_hub::Millis;
use sse_hub::sse::Batch;

/// The period of the watchdog, in milliseconds: one second.
const WATCH: Millis = 1_000;

impl Shared {
    /// Publishes the events in the body of `request`, ends the channel if the publish does, and answers with the
    /// receipt once everything is stored and in the log. If an earlier publish had the same key, answers with the
    /// receipt of that publish instead.
    pub async fn publish(
        self: &Rc<Self>,
        request: &Request,
        publish: PublishRequest,
        responder: &Responder,
    ) -> Result<Response, Failure> {
        self.check_rate()?;
        let _admission = self.admit_body(&publish)?;
        let batch = read_batch(request, &publish).await?;
        let ends = publish.ends;
        let key = publish.key.map(|key| PublishKey::new(key, &batch, ends));
        if let Some(key) = &key
            && let Some(receipt) = self.earlier_receipt(key).await?
        {
            return Ok(responder.replayed(&receipt)?);
        }
        if publish.only_replay {
            // The storage takes no more data.
            return Err(Problem::ChannelUnavailable.into());
        }
        let (submission, outcome) = Submission::new(publish.number, batch, ends, key);
        self.submit(Command::Publish(submission));
        let receipt = outcome.await.map_err(|_| Problem::Internal)??;
        Ok(responder.json_text(&receipt)?)
    }

    /// Returns the receipt of an earlier publish with this key, or `None` if there was none. If that publish is in
    /// flight, waits for its receipt. Fails with [`Problem::IdempotencyKeyReused`] if that publish had other events.
    async fn earlier_receipt(&self, key: &PublishKey) -> Result<Option<String>, Problem> {
        let PublishKey { key, fingerprint } = key;
        // A publish in flight comes first, because its stored receipt may still be corrected.
        if let Some(outcome) = self.pipeline.repeat(key, fingerprint)? {
            return Ok(Some(outcome.await.map_err(|_| Problem::Internal)??));
        }
        let now = self.clock.now();
        let receipt = self.with(|state| {
            let Some(record) = state.store.key_record(key, now) else {
                return Ok(None);
            };
            if record.fingerprint != *fingerprint {
                return Err(Problem::IdempotencyKeyReused);
            }
            Ok(Some(record.receipt.clone()))
        });
        receipt.ok_or(Problem::Internal)?
    }

    /// Queues a command. It runs after all earlier ones.
    pub fn submit(self: &Rc<Self>, command: Command) {
        if self.pipeline.submit(command) {
            let shared = self.clone();
            spawn_local(async move { shared.pipeline.run_commands(&shared).await });
            self.watch();
        }
    }

    /// Sets the watchdog while commands are in flight, if it is not set yet.
    pub fn watch(&self) {
        if self.pipeline.is_running() {
            let now = self.clock.now();
            self.set(&self.watchdog, Some(now.saturating_add(WATCH)));
        }
    }
}

/// Reads the events of a publish, which the Worker has encoded. Fails if the body does not have the announced size, or
/// has no events although the publish does not end the channel.
async fn read_batch(request: &Request, publish: &PublishRequest) -> Result<Batch, Failure> {
    let body = JsFuture::from(request.text().map_err(worker::Error::from)?).await;
    let body = body.map_err(worker::Error::from)?.as_string();
    let wire = body.filter(|wire| wire.len() == publish.bytes);
    let batch = Batch::from_wire(wire.ok_or(Problem::Internal)?);
    if batch.events == 0 && !publish.ends {
        return Err(Problem::Internal.into());
    }
    Ok(batch)
}
