//! The calls from the Worker to a channel's object, and what the failure of one means.
//!
//! Where an object cannot store something, or its database cannot be opened, the runtime gives the object up, and the
//! Worker hears of it.

use std::time::Duration;

use serde::Deserialize;
use wasm_bindgen::JsValue;
use web_sys::{RequestInit, Response};
use worker::Delay;

use super::{ATTEMPTS, Channel, now};
use crate::http::credentials;
use crate::http::object::{self, PublishQuery};
use crate::http::problem::Problem;
use crate::http::query;
use crate::http::response::Failure;
use crate::http::route::Action;
use crate::isolate::attempts::{self, Attempt};
use crate::isolate::disk::{self, Disk, Location, Room};
use crate::isolate::opening::{self, Turn, Waiting};
use crate::isolate::storage_failure::{self, StorageFailure};
use crate::logging::{Level, Line};
use sse_hub::Millis;

/// How soon a call that waits for its object to be opened asks again.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// A request to the channel's object.
pub(super) struct Call {
    url: String,
    init: RequestInit,
}

/// Why an object did not answer.
pub(super) struct Rejection {
    message: String,
    is_overloaded: bool,
    /// The object had not begun the call.
    was_not_begun: bool,
}

/// What is read of the answer to `GET /channels/{id}/stats`.
#[derive(Deserialize)]
struct Position {
    epoch: String,
    seq: u64,
}

impl Channel<'_> {
    /// Asks the object for something that it reads.
    pub(super) async fn read(&self, headers: &[(&str, String)]) -> Result<Response, Failure> {
        let query = query::without(self.query, credentials::PARAMETER);
        let call = self.prepare(self.action, &query, "GET", headers, None)?;
        let rejection = match self.send(&call, ATTEMPTS).await? {
            Ok(answer) => return Ok(answer),
            Err(rejection) => rejection,
        };
        let problem = self.problem(&rejection, 0).await?;
        if matches!(problem, Problem::StorageFailed(StorageFailure::Full(_))) {
            // Its database may open in the space that the reserve has left.
            if let Ok(answer) = self.send(&call, 1).await? {
                return Ok(answer);
            }
        }
        Err(problem.into())
    }

    /// Has the object publish something.
    pub(super) async fn publish(
        &self,
        attempts: u32,
        headers: &[(&str, String)],
        wire: &str,
    ) -> Result<Response, Failure> {
        let number = attempts::begin();
        let has_key = !headers.is_empty();
        let refused = disk::admit(self.env, wire.len()).await.err();
        let query = PublishQuery {
            number,
            bytes: wire.len(),
            only_replay: refused.is_some(),
        };
        let call = self.prepare(
            Action::Broadcast,
            &query.to_text(),
            "POST",
            headers,
            Some(wire),
        )?;
        if let Some(problem) = refused {
            // A repeat gets the receipt that is stored already.
            if has_key {
                let answer = self.send(&call, 1).await?;
                if let Some(answer) = answer.ok().filter(|answer| answer.status() != 503) {
                    return Ok(answer);
                }
            }
            return Err(problem.into());
        }
        let rejection = match self.send(&call, attempts).await? {
            Ok(answer) => return Ok(answer),
            Err(rejection) => rejection,
        };
        let problem = self.problem(&rejection, wire.len()).await?;
        if !matches!(problem, Problem::StorageFailed(_)) {
            return Err(problem.into());
        }
        match self.was_stored(number).await? {
            Some(false) => Err(problem.into()),
            Some(true) if has_key => {
                let answer = self.send(&call, 1).await?;
                answer.map_err(|_| Problem::ChannelUnavailable.into())
            }
            Some(true) | None => Err(Problem::ChannelUnavailable.into()),
        }
    }

    /// The problem to report after a failed call that had `bytes` to store.
    pub(super) async fn problem(
        &self,
        rejection: &Rejection,
        bytes: usize,
    ) -> Result<Problem, Failure> {
        let message = &rejection.message;
        if rejection.is_overloaded {
            return Ok(Problem::ChannelUnavailable);
        }
        let failure = StorageFailure::from_message(message);
        let disk = Disk::open(self.env);
        match &failure {
            StorageFailure::Full(reason) => {
                disk::set_full(reason, bytes as u64);
                if let Some(disk) = disk {
                    disk::release_reserve(&disk).await;
                }
                return Ok(Problem::StorageFailed(failure));
            }
            StorageFailure::Broken(_) => return self.broken(failure, message),
            StorageFailure::Other(_) => {}
        }
        // The runtime does not say what went wrong. Find out where that is possible.
        let Some(disk) = disk.filter(|_| storage_failure::is_internal(message)) else {
            return Ok(Problem::ChannelUnavailable);
        };
        match disk::test_room(&disk, bytes as u64).await {
            Room::Enough => {}
            Room::Unknown => return Ok(Problem::ChannelUnavailable),
            Room::TooLittle => {
                let reason = "a test file could not be written".to_owned();
                disk::set_full(&reason, bytes as u64);
                disk::release_reserve(&disk).await;
                return Ok(Problem::StorageFailed(StorageFailure::Full(reason)));
            }
        }
        let look = self.prepare(Action::Stats, "", "GET", &[], None)?;
        match self.send_once(&look).await? {
            Err(again) if storage_failure::is_internal(&again.message) => {
                let reason = "it cannot be opened".to_owned();
                self.broken(StorageFailure::Broken(reason), &again.message)
            }
            _ => Ok(Problem::ChannelUnavailable),
        }
    }

    /// Notes in the log that the channel's database is broken.
    fn broken(&self, failure: StorageFailure, error: &str) -> Result<Problem, Failure> {
        let object = object::object_id(self.env, self.id)?;
        Level::Error.log(|| {
            let line = Line::new("database cannot be used");
            let location = Location::of(self.env, self.id, object);
            location.name_in(line).error(&error)
        });
        Ok(Problem::StorageFailed(failure))
    }

    /// Whether a publish whose answer was lost is stored, where that can be known.
    async fn was_stored(&self, number: u64) -> Result<Option<bool>, Failure> {
        if Disk::open(self.env).is_none() {
            // The objects may have memory of their own.
            return Ok(None);
        }
        let id = match attempts::find(number) {
            Attempt::NotCommitted => return Ok(Some(false)),
            Attempt::Committed(id) if self.settings.history.events > 0 => id,
            Attempt::Committed(_) | Attempt::Forgotten => return Ok(None),
        };
        let look = self.prepare(Action::Stats, "", "GET", &[], None)?;
        let Ok(answer) = self.send_once(&look).await? else {
            return Ok(None);
        };
        let text = worker::Response::from(answer).text().await?;
        let position: Option<Position> = serde_json::from_str(&text).ok();
        Ok(position.map(|position| position.epoch == id.epoch_text() && position.seq >= id.seq))
    }

    /// A request for the object that has nothing of the client's but what is given here.
    pub(super) fn prepare(
        &self,
        action: Action,
        query: &str,
        method: &str,
        headers: &[(&str, String)],
        body: Option<&str>,
    ) -> Result<Call, Failure> {
        let init = RequestInit::new();
        init.set_method(method);
        if let Some(headers) = self.object_headers(headers)? {
            init.set_headers(&headers.0);
        }
        if let Some(body) = body {
            init.set_body(&JsValue::from_str(body));
        }
        let url = object::url(self.id, action, query);
        Ok(Call { url, init })
    }

    /// Calls the channel's object, and again with a fresh stub where that fails: the object may just have been replaced.
    /// One that has too much to do already, or cannot store what it got, is not asked again.
    pub(super) async fn send(
        &self,
        call: &Call,
        attempts: u32,
    ) -> Result<Result<Response, Rejection>, Failure> {
        let mut attempt = 1;
        loop {
            let rejection = match self.send_once(call).await? {
                Ok(answer) => return Ok(Ok(answer)),
                Err(rejection) => rejection,
            };
            Level::Warn.log(|| {
                Line::new("channel failed")
                    .field("id", self.id)
                    .field("attempt", attempt)
                    .error(&rejection.message)
            });
            let is_full = storage_failure::is_full(&rejection.message);
            let may_repeat = attempt < attempts || (rejection.was_not_begun && attempt < ATTEMPTS);
            if rejection.is_overloaded || is_full || !may_repeat {
                return Ok(Err(rejection));
            }
            attempt = attempt.saturating_add(1);
        }
    }

    pub(super) async fn send_once(
        &self,
        call: &Call,
    ) -> Result<Result<Response, Rejection>, Failure> {
        let opened_since = self.wait_for_turn().await?;
        let stub = object::stub(self.env, self.id)?;
        let answer = object::response(stub.fetch(&call.url, &call.init)).await;
        opening::called(self.id, opened_since, now());
        Ok(answer.map_err(|error| Rejection {
            is_overloaded: object::is_overloaded(&error),
            was_not_begun: object::was_not_begun(&error),
            message: worker::Error::from(error).to_string(),
        }))
    }

    /// Waits until the object may be called. Returns since when this call opens it, if it does. Fails with
    /// [`Problem::TooManyOpenChannels`].
    async fn wait_for_turn(&self) -> Result<Option<Millis>, Problem> {
        let Some(max_open) = self.settings.max_open_channels else {
            return Ok(None);
        };
        let came = now();
        let mut waiting = None;
        loop {
            let now = now();
            match opening::turn(self.id, max_open, came, now) {
                Turn::Go { opens } => return Ok(opens.then_some(now)),
                Turn::Refused => return Err(Problem::TooManyOpenChannels { max: max_open }),
                Turn::Wait => {
                    waiting.get_or_insert_with(|| Waiting::begin(came));
                    Delay::from(ASK_AGAIN).await;
                    // A client that has gone opens nothing.
                    if self.request.signal().aborted() {
                        return Err(Problem::ChannelUnavailable);
                    }
                }
            }
        }
    }

    /// `None` where there are none: most publishes have none, and to make them takes time.
    fn object_headers(&self, given: &[(&str, String)]) -> worker::Result<Option<worker::Headers>> {
        let origin = self.responder.allowed_origin();
        if given.is_empty() && origin.is_none() {
            return Ok(None);
        }
        let headers = worker::Headers::new();
        if let Some(origin) = origin {
            headers.set("Origin", origin)?;
        }
        for (name, value) in given {
            headers.set(name, value)?;
        }
        Ok(Some(headers))
    }
}
