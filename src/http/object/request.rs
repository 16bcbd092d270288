//! The protocol between the Worker and the object of a channel. Pure.
//!
//! The Worker encodes an [`ObjectRequest`] as a request of its own, and the object decodes it. Nothing that a client
//! sends reaches an object unread. For some minutes after a deploy, the Worker and an object may run different
//! versions, so each version has to decode what the previous version encodes, and the reverse.

mod subscribe;

use std::borrow::Cow;

pub use self::subscribe::{FeedRequest, SubscribeRequest};
use crate::http::idempotency_key;
use crate::http::method::Method;
use crate::http::url;

/// The method of [`ObjectRequest::ShutDown`] and [`ObjectRequest::Abort`]. The Worker never uses it to pass on a
/// request of a client.
const OPERATOR_METHOD: &str = "PURGE";

/// What the Worker asks of a channel's object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectRequest<'a> {
    /// Open a stream, or only check that one could be opened.
    Subscribe(SubscribeRequest<'a>),
    /// Publish the events in the body, and maybe end the channel.
    Publish(PublishRequest),
    /// Read a page of the history.
    ReadEvents {
        /// The query of the client's request, without its token.
        query: Cow<'a, str>,
    },
    /// Read the counters.
    ReadStats,
    /// Delete the channel.
    DeleteChannel,
    /// End all streams, because the server stops.
    ShutDown,
    /// Abort the object, so that the next call makes a new one.
    Abort,
}

/// Publishes events, which are the body of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishRequest {
    /// The Worker's number of the publish; see [`crate::isolate::commit_log`].
    pub number: u64,
    /// The size of the body, which the object has to know before it reads it.
    pub bytes: usize,
    /// Whether the channel ends after the events. Then there may be none.
    pub ends: bool,
    /// The object may only answer with the receipt of an earlier publish, because the storage takes no more data.
    pub only_replay: bool,
    /// The `Idempotency-Key`.
    pub key: Option<String>,
}

/// A request for an object that is ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The method.
    pub method: &'static str,
    /// The URL.
    pub url: String,
    /// The headers.
    pub headers: Vec<(&'static str, String)>,
}

impl<'a> ObjectRequest<'a> {
    /// Encodes the request for the object of `channel`.
    pub fn encode(self, channel: &str) -> Encoded {
        let mut headers = Vec::new();
        let (method, action, query) = match self {
            Self::Subscribe(request) => {
                let method = if request.only_check { "HEAD" } else { "GET" };
                let (query, all) = request.into_parts();
                headers = all;
                (method, "", query)
            }
            Self::Publish(request) => {
                let query = request.to_query();
                headers.extend(request.key.map(|key| (idempotency_key::HEADER, key)));
                let action = if request.ends { "/end" } else { "/broadcast" };
                ("POST", action, query.into())
            }
            Self::ReadEvents { query } => ("GET", "/events", query),
            Self::ReadStats => ("GET", "/stats", "".into()),
            Self::DeleteChannel => ("DELETE", "", "".into()),
            Self::ShutDown => (OPERATOR_METHOD, "/streams", "".into()),
            Self::Abort => (OPERATOR_METHOD, "", "".into()),
        };
        let mark = if query.is_empty() { "" } else { "?" };
        Encoded {
            method,
            url: format!("https://hub/channels/{channel}{action}{mark}{query}"),
            headers,
        }
    }

    /// Decodes a request that the Worker has encoded. `header` returns the value of a header. Returns the channel, too.
    pub fn decode(
        method: &str,
        url: &'a str,
        header: impl Fn(&str) -> Option<String>,
    ) -> Option<(&'a str, Self)> {
        let path = url::path_of(url).strip_prefix("/channels/")?;
        let (channel, action) = path.split_once('/').unwrap_or((path, ""));
        let query = url::query_of(url);
        let request = match (Method::parse(method), action) {
            (Method::Get | Method::Head, "") => {
                let only_check = Method::parse(method) == Method::Head;
                Self::Subscribe(SubscribeRequest::decode(query, only_check, header)?)
            }
            (Method::Post, "broadcast" | "end") => {
                let key = header(idempotency_key::HEADER);
                Self::Publish(PublishRequest::decode(query, action == "end", key)?)
            }
            (Method::Get, "events") => Self::ReadEvents {
                query: query.into(),
            },
            (Method::Get, "stats") => Self::ReadStats,
            (Method::Delete, "") => Self::DeleteChannel,
            (Method::Other(OPERATOR_METHOD), "streams") => Self::ShutDown,
            (Method::Other(OPERATOR_METHOD), "") => Self::Abort,
            _ => return None,
        };
        Some((channel, request))
    }
}

impl PublishRequest {
    fn to_query(&self) -> String {
        let only_replay = u8::from(self.only_replay);
        format!("{}.{}.{only_replay}", self.number, self.bytes)
    }

    fn decode(query: &str, ends: bool, key: Option<String>) -> Option<Self> {
        let mut parts = query.split('.');
        let request = Self {
            number: parts.next()?.parse().ok()?,
            bytes: parts.next()?.parse().ok()?,
            ends,
            only_replay: match parts.next()? {
                "0" => false,
                "1" => true,
                _ => return None,
            },
            key,
        };
        parts.next().is_none().then_some(request)
    }
}

#[cfg(test)]
mod tests;
