//! `GET /channels/{id}/stats`.

use serde::Serialize;
use web_sys::Response;

use super::shared::Shared;
use super::state::ChannelState;
use super::storage::HistoryStats;
use crate::http::problem::Problem;
use crate::http::response::{Failure, Responder};
use sse_hub::Millis;
use sse_hub::sse::Epoch;

/// The JSON of the answer.
#[derive(Serialize)]
struct StatsBody<'a> {
    channel: &'a str,
    epoch: Epoch,
    seq: u64,
    subscribers: usize,
    feeds: usize,
    busy: usize,
    published: u64,
    dropped: u64,
    connected: u64,
    awake_since: Millis,
    uptime_seconds: u64,
    ended: bool,
    history: Option<HistoryStats>,
}

impl Shared {
    pub(super) fn stats(&self, responder: &Responder) -> Result<Response, Failure> {
        let now = self.clock.now();
        let stats = self.with(|ChannelState { hub, store }| {
            let feeds = hub.subscribers().saturating_sub(hub.responses());
            (hub.stats(), feeds, hub.has_ended(), store.stats(now))
        });
        let (hub, feeds, ended, history) = stats.ok_or(Problem::Internal)?;
        let body = StatsBody {
            channel: self.id(),
            epoch: hub.newest.epoch,
            seq: hub.newest.seq,
            subscribers: hub.subscribers,
            feeds,
            busy: hub.busy,
            published: hub.published,
            dropped: hub.dropped,
            connected: hub.connected,
            awake_since: self.started,
            uptime_seconds: now.saturating_sub(self.started) / 1_000,
            ended,
            history: history.map_err(|error| self.storage_failed(&error))?,
        };
        Ok(responder.json(&body)?)
    }
}
