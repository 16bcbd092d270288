//! The endpoints that publish to one channel, and that end it.

use serde::Deserialize;
use web_sys::Response;

use super::authorized::Authorized;
use super::call::Retry;
use super::channel_request::ChannelRequest;
use crate::http::idempotency_key;
use crate::http::object::request::{ObjectRequest, PublishRequest};
use crate::http::problem::Problem;
use crate::http::publish::{self, AfterEvents, Received};
use crate::http::response::{self, Failure};
use crate::isolate::clock::now;
use crate::isolate::commit_log::{self, Progress};
use crate::isolate::disk::Disk;
use crate::isolate::disk_space;
use crate::logging::{Level, Line};

/// The id of the newest event, and whether the channel has ended, in the response to `GET /channels/{id}/stats`.
#[derive(Deserialize)]
struct Newest {
    epoch: String,
    seq: u64,
    ended: bool,
}

/// A publish whose request was read, and which can be sent to any number of channels. The memory of its events is
/// counted until this is dropped, after the response.
pub(super) struct Publish {
    pub(super) received: Received,
    pub(super) key: Option<String>,
    after: AfterEvents,
}

impl Publish {
    /// Reads the request. The memory is counted for `channel`.
    pub(super) async fn read(
        request: &ChannelRequest<'_>,
        channel: &str,
        after: AfterEvents,
    ) -> Result<Self, Problem> {
        let key = request.header(idempotency_key::HEADER);
        let key = publish::idempotency_key(key, request.query)?;
        let (query, settings) = (request.query, request.settings);
        let received = publish::read(request.request, query, channel, settings, after).await?;
        Ok(Self {
            received,
            key,
            after,
        })
    }
}

impl Authorized<'_> {
    /// Publishes the events in the body, and ends the channel if `after` says so.
    pub async fn publish(&self, after: AfterEvents) -> Result<Response, Failure> {
        let publish = Publish::read(&self.request, self.channel(), after).await?;
        // The token may have expired while the body was being read, so check it again.
        self.grant.check(now()).map_err(Problem::from)?;
        self.send_and_log_publish(&publish).await
    }

    /// Calls the object to publish the events, and logs them if that succeeds.
    pub(super) async fn send_and_log_publish(
        &self,
        publish: &Publish,
    ) -> Result<Response, Failure> {
        let batch = &publish.received.batch;
        let key = publish.key.clone();
        let response = self.send_publish(&batch.wire, publish.after, key).await?;
        if Level::Debug.is_enabled()
            && response.status() == 200
            && !response::is_replayed(&response)
        {
            for payload in publish::payloads(batch) {
                Level::Debug.log(|| Line::payload(self.channel(), &payload));
            }
        }
        Ok(response)
    }

    /// Calls the object to publish the encoded events in `wire`.
    async fn send_publish(
        &self,
        wire: &str,
        after: AfterEvents,
        key: Option<String>,
    ) -> Result<Response, Failure> {
        let number = commit_log::next_number();
        let has_key = key.is_some();
        let room = disk_space::wait_for_room(self.request.env, wire.len()).await;
        let publish = PublishRequest {
            number,
            bytes: wire.len(),
            ends: after == AfterEvents::End,
            only_replay: room.is_err(),
            key,
        };
        let call = self.prepare_publish(publish, wire)?;
        if let Err(full) = room {
            // A repeated publish still gets the receipt that was stored for its key.
            if has_key {
                let result = self.send(&call, Retry::OnlyIfNotBegun).await?;
                if let Some(response) = result.ok().filter(|response| response.status() != 503) {
                    return Ok(response);
                }
            }
            return Err(Problem::StorageFailed(full).into());
        }
        // If a response was lost, its events may have been stored. Only a key makes it safe to send them again.
        let retry = if has_key {
            Retry::Allowed
        } else {
            Retry::OnlyIfNotBegun
        };
        let error = match self.send(&call, retry).await? {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let failure = match self.explain(&error, wire.len()).await? {
            Problem::StorageFailed(failure) => failure,
            problem => return Err(problem.into()),
        };
        // "Storage failed" tells the publisher that nothing was stored, so make sure of it.
        match self.was_stored(number, after).await? {
            Some(false) => Err(Problem::StorageFailed(failure).into()),
            Some(true) if has_key => {
                let result = self.send(&call, Retry::OnlyIfNotBegun).await?;
                result.map_err(|_| Problem::ChannelUnavailable.into())
            }
            Some(true) | None => Err(Problem::ChannelUnavailable.into()),
        }
    }

    /// Whether a publish whose response was lost is stored. Returns `None` if the Worker cannot find out.
    async fn was_stored(&self, number: u64, after: AfterEvents) -> Result<Option<bool>, Failure> {
        if Disk::open(self.request.env).is_none() {
            // The object may have an instance of its own, and have noted its commits there.
            return Ok(None);
        }
        let id = match commit_log::progress(number) {
            Progress::NotCommitted => return Ok(Some(false)),
            Progress::Committed(id) if self.request.settings.history.events > 0 => id,
            Progress::Committed(_) | Progress::Forgotten => return Ok(None),
        };
        let call = self.prepare(ObjectRequest::ReadStats)?;
        let Ok(response) = self.send_once(&call).await? else {
            return Ok(None);
        };
        let text = worker::Response::from(response).text().await?;
        let newest: Option<Newest> = serde_json::from_str(&text).ok();
        let Some(newest) = newest else {
            return Ok(None);
        };
        let has_events = newest.epoch == id.epoch.to_string() && newest.seq >= id.seq;
        Ok(match after {
            AfterEvents::End if has_events && !newest.ended => None,
            AfterEvents::GoOn | AfterEvents::End => Some(has_events),
        })
    }
}
