//! An authorized request to a channel, and the endpoints that read.

use std::borrow::Cow;

use web_sys::Response;

use super::channel_request::ChannelRequest;
use crate::auth::Grant;
use crate::http::credentials;
use crate::http::object::request::{ObjectRequest, SubscribeRequest};
use crate::http::query;
use crate::http::response::Failure;
use crate::http::subscribe::{EventsQuery, LAST_EVENT_ID_HEADER, Subscription};
use crate::logging::printable;

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

    /// Opens a stream.
    pub async fn subscribe(&self) -> Result<Response, Failure> {
        self.open_or_check(false).await
    }

    /// Answers with the status and the headers of a stream.
    pub async fn check_subscribe(&self) -> Result<Response, Failure> {
        self.open_or_check(true).await
    }

    async fn open_or_check(&self, only_check: bool) -> Result<Response, Failure> {
        // This checks the query. Any value of the header Last-Event-ID is valid, and the object reads it.
        Subscription::read(None, self.request.query)?;
        let request = SubscribeRequest {
            only_check,
            query: self.query_without_token(),
            last_event_id: self.request.header(LAST_EVENT_ID_HEADER),
            accept: self.request.header("Accept"),
            expires: self.grant.expires(),
            subject: self.grant.subject().map(printable),
        };
        self.call_to_read(ObjectRequest::Subscribe(request)).await
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
