//! An authorized request to a channel, and the endpoints that read.

use std::borrow::Cow;

use web_sys::Response;

use super::channel_request::ChannelRequest;
use crate::auth::Grant;
use crate::http::credentials;
use crate::http::object::request::ObjectRequest;
use crate::http::query;
use crate::http::response::Failure;
use crate::http::subscribe::EventsQuery;

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

    pub(super) fn query_without_token(&self) -> Cow<'a, str> {
        query::without(self.request.query, credentials::PARAMETER)
    }
}
