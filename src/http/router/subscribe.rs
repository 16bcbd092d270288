//! The endpoints that open a stream of one channel, or only check that one could be opened.

use web_sys::{Response, WebSocket};

use super::authorized::Authorized;
use crate::http::held::{self, Answer, Feed, FeedSource};
use crate::http::object::request::{FeedRequest, ObjectRequest, SubscribeRequest};
use crate::http::response::Failure;
use crate::http::subscribe::{LAST_EVENT_ID_HEADER, Parameters};
use crate::logging::printable;
use crate::settings::HoldStreams;
use sse_hub::held::HeldLimits;
use sse_hub::sse::EventId;

impl<'a> Authorized<'a> {
    /// Opens a stream.
    pub async fn subscribe(&self) -> Result<Response, Failure> {
        let mut request = self.subscribe_request()?;
        if self.request.settings.hold_streams == HoldStreams::Object {
            return self.call_to_read(ObjectRequest::Subscribe(request)).await;
        }
        request.feed = Some(FeedRequest::Optional);
        let call = ObjectRequest::Subscribe(request.clone());
        let response = self.call_to_read(call).await?;
        match Answer::of(response) {
            Answer::Feed(Feed::Opened(socket, start)) => self.hold(request, socket, start),
            Answer::Feed(Feed::Ended(_)) => Ok(self.request.responder.no_content()?),
            Answer::Response(response) => Ok(response),
        }
    }

    /// Holds the stream, whose feed is open and continues after `start`.
    fn hold(
        &self,
        request: SubscribeRequest<'_>,
        socket: WebSocket,
        start: EventId,
    ) -> Result<Response, Failure> {
        let source = self.feed_source(request);
        let context = self.request.context;
        let body = held::open_one(source, socket, start, self.held_limits(), context)?;
        Ok(self.request.responder.event_stream(Some(&body))?)
    }

    /// What is needed to ask the object again for the feed of `request`.
    pub(super) fn feed_source(&self, request: SubscribeRequest<'_>) -> FeedSource {
        FeedSource {
            env: self.request.env.clone(),
            grant: self.grant.clone(),
            request: request.into_owned(),
            max_open_channels: self.request.settings.max_open_channels,
        }
    }

    /// The limits of the stream if the Worker holds it.
    pub(super) fn held_limits(&self) -> HeldLimits {
        let settings = self.request.settings;
        HeldLimits {
            heartbeat: settings.limits.heartbeat,
            stall: settings.limits.stall,
            max_messages: settings.held_stream_messages,
            expires: self.grant.expires(),
        }
    }

    /// Answers with the status and the headers of a stream.
    pub async fn check_subscribe(&self) -> Result<Response, Failure> {
        let mut request = self.subscribe_request()?;
        request.only_check = true;
        self.call_to_read(ObjectRequest::Subscribe(request)).await
    }

    /// The client's request for a stream. Checks the query. Any value of the header Last-Event-ID is valid, and the
    /// object reads it.
    fn subscribe_request(&self) -> Result<SubscribeRequest<'a>, Failure> {
        Parameters::read(self.request.query)?;
        Ok(SubscribeRequest {
            query: self.query_without_token(),
            last_event_id: self.request.header(LAST_EVENT_ID_HEADER),
            accept: self.request.header("Accept"),
            ..self.new_subscribe_request()
        })
    }

    /// A request for a stream that starts at the next event.
    pub(super) fn new_subscribe_request(&self) -> SubscribeRequest<'a> {
        SubscribeRequest {
            expires: self.grant.expires(),
            subject: self.grant.subject().map(printable),
            ..SubscribeRequest::default()
        }
    }
}
