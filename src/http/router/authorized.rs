//! An authorized request to a channel, and the endpoints that read.

use std::borrow::Cow;

use web_sys::{Response, WebSocket};

use super::channel_request::ChannelRequest;
use crate::auth::Grant;
use crate::http::credentials;
use crate::http::held::{self, Answer, FeedSource};
use crate::http::object::request::{FeedRequest, ObjectRequest, SubscribeRequest};
use crate::http::query;
use crate::http::response::Failure;
use crate::http::subscribe::{EventsQuery, LAST_EVENT_ID_HEADER, Subscription};
use crate::logging::printable;
use crate::settings::HoldStreams;
use sse_hub::held::{HeldFeed, HeldLimits};
use sse_hub::sse::EventId;

/// A request that is authorized. Only this type has the methods that call the channel's object.
pub struct Authorized<'a> {
    pub(super) request: ChannelRequest<'a>,
    /// The proof that the request is authorized.
    pub(super) grant: Grant,
}

impl<'a> Authorized<'a> {
    /// `grant` is the grant of `request`.
    pub(super) fn new(request: ChannelRequest<'a>, grant: Grant) -> Self {
        Self { request, grant }
    }

    /// The id of the channel.
    pub(super) fn channel(&self) -> &str {
        self.grant.channel()
    }

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
            Answer::Feed(socket, start) => self.hold(request, &socket, start),
            Answer::Ended(_) => Ok(self.request.responder.no_content()?),
            Answer::Response(response) => Ok(response),
        }
    }

    /// Holds the stream, whose feed is open and continues after `start`.
    fn hold(
        &self,
        request: SubscribeRequest<'_>,
        socket: &WebSocket,
        start: EventId,
    ) -> Result<Response, Failure> {
        let settings = self.request.settings;
        let source = FeedSource {
            env: self.request.env.clone(),
            grant: self.grant.clone(),
            request: request.into_owned(),
            max_open_channels: settings.max_open_channels,
        };
        let feed = HeldFeed::new(self.grant.channel(), start, source.unavailable());
        let limits = HeldLimits {
            heartbeat: settings.limits.heartbeat,
            stall: settings.limits.stall,
            max_messages: settings.held_stream_messages,
            expires: self.grant.expires(),
        };
        let body = held::open(source, feed, socket, limits, self.request.context)?;
        Ok(self.request.responder.event_stream(Some(&body))?)
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
        Subscription::read(None, self.request.query)?;
        Ok(SubscribeRequest {
            only_check: false,
            query: self.query_without_token(),
            last_event_id: self.request.header(LAST_EVENT_ID_HEADER),
            accept: self.request.header("Accept"),
            expires: self.grant.expires(),
            subject: self.grant.subject().map(printable),
            feed: None,
        })
    }

    /// Reads a page of the history.
    pub async fn read_events(&self) -> Result<Response, Failure> {
        EventsQuery::read(self.request.query)?;
        let query = self.query_without_token();
        self.call_to_read(ObjectRequest::ReadEvents { query }).await
    }

    /// Reads the counters.
    pub async fn read_stats(&self) -> Result<Response, Failure> {
        self.call_to_read(ObjectRequest::ReadStats).await
    }

    fn query_without_token(&self) -> Cow<'a, str> {
        query::without(self.request.query, credentials::PARAMETER)
    }
}
