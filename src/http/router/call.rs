//! Calls to the channel's object, with retries.

use web_sys::Response;

use super::authorized::Authorized;
use crate::http::gate;
use crate::http::object::request::{ObjectRequest, PublishRequest};
use crate::http::object::{Call, CallError};
use crate::http::problem::Problem;
use crate::http::response::Failure;
use crate::isolate::storage_failure::{self, StorageFailure};
use crate::logging::{Level, Line};

/// Whether a call that fails may be sent a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It may, because it changes nothing or has an `Idempotency-Key`.
    Allowed,
    /// It may only if the object had not begun the first one.
    OnlyIfNotBegun,
}

impl Authorized<'_> {
    /// Sends the object a request that changes nothing.
    pub(super) async fn call_to_read(
        &self,
        request: ObjectRequest<'_>,
    ) -> Result<Response, Failure> {
        let call = self.prepare(request)?;
        let error = match self.send(&call, Retry::Allowed).await? {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let problem = self.explain(&error, 0).await?;
        if matches!(problem, Problem::StorageFailed(StorageFailure::Full(_))) {
            // The database may open now, in the space of the reserve file.
            if let Ok(response) = self.send(&call, Retry::OnlyIfNotBegun).await? {
                return Ok(response);
            }
        }
        Err(problem.into())
    }

    /// A call of this request to the channel's object.
    pub(super) fn prepare(&self, request: ObjectRequest) -> Result<Call, Failure> {
        self.new_call(request, None)
    }

    /// Like [`prepare`](Self::prepare), for a publish of the encoded events in `wire`.
    pub(super) fn prepare_publish(
        &self,
        publish: PublishRequest,
        wire: &str,
    ) -> Result<Call, Failure> {
        self.new_call(ObjectRequest::Publish(publish), Some(wire))
    }

    fn new_call(&self, request: ObjectRequest, body: Option<&str>) -> Result<Call, Failure> {
        let origin = self.request.responder.allowed_origin();
        Ok(Call::new(&self.grant, request, origin, body)?)
    }

    /// Calls the object. If that fails and `retry` allows it, calls the object once more, because it may just have been
    /// replaced. Does not repeat the call if the object is overloaded or has no space.
    pub(super) async fn send(
        &self,
        call: &Call,
        retry: Retry,
    ) -> Result<Result<Response, CallError>, Failure> {
        let error = match self.send_and_log(call, 1).await? {
            Ok(response) => return Ok(Ok(response)),
            Err(error) => error,
        };
        let may_retry = retry == Retry::Allowed || error.was_not_begun;
        if !may_retry || error.is_overloaded || storage_failure::is_out_of_space(&error.message) {
            return Ok(Err(error));
        }
        match self.send_and_log(call, 2).await {
            // This refusal says that nothing was published, but the first call may have published something.
            Err(Failure::Problem(Problem::TooManyOpenChannels { .. })) => Ok(Err(error)),
            result => result,
        }
    }

    async fn send_and_log(
        &self,
        call: &Call,
        attempt: u32,
    ) -> Result<Result<Response, CallError>, Failure> {
        let result = self.send_once(call).await?;
        if let Err(error) = &result {
            Level::Warn.log(|| {
                Line::new("channel failed")
                    .field("id", self.channel())
                    .field("attempt", attempt)
                    .error(&error.message)
            });
        }
        Ok(result)
    }

    /// Waits until the object may be opened, and calls it.
    pub(super) async fn send_once(
        &self,
        call: &Call,
    ) -> Result<Result<Response, CallError>, Failure> {
        let request = &self.request;
        let max_open = request.settings.max_open_channels;
        let has_left = || request.request.signal().aborted();
        let passed = gate::pass(self.channel(), max_open, has_left).await?;
        let result = call.send(request.env, &self.grant).await;
        gate::leave(self.channel(), passed);
        Ok(result?)
    }
}
