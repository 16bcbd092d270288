//! The protocol between the Worker and the object of a channel. Pure.
//!
//! The Worker encodes an [`ObjectRequest`] as a request of its own, and the object decodes it. Nothing that a client
//! sends reaches an object unread. For some minutes after a deploy, the Worker and an object may run different
//! versions, so each version has to decode what the previous version encodes, and the reverse.

use std::borrow::Cow;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::http::idempotency_key;
use crate::http::method::Method;
use crate::http::subscribe::LAST_EVENT_ID_HEADER;
use crate::http::url;
use sse_hub::Millis;

/// The header with the time at which a stream ends, in milliseconds since 1970.
const EXPIRES_HEADER: &str = "Sse-Broadcaster-Expires";

/// The header with the subject of the token of a stream, percent-encoded.
const SUBJECT_HEADER: &str = "Sse-Broadcaster-Subject";

/// The header with a [`FeedRequest`]. The version of the protocol of feeds comes first.
const FEED_HEADER: &str = "Sse-Broadcaster-Feed";

/// The version of the protocol of feeds. An object that does not know it answers with a response of its own.
const FEED_VERSION: &str = "1";

/// The method of [`ObjectRequest::ShutDown`] and [`ObjectRequest::Abort`]. The Worker never uses it to pass on a request
/// of a client.
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

/// Opens a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscribeRequest<'a> {
    /// The response has the status and the headers of a stream, but opens none.
    pub only_check: bool,
    /// The query of the client's request, without its token.
    pub query: Cow<'a, str>,
    /// The client's header `Last-Event-ID`.
    pub last_event_id: Option<String>,
    /// The client's header `Accept`, on which the form of a problem depends.
    pub accept: Option<String>,
    /// When the client's token expires.
    pub expires: Option<Millis>,
    /// The subject of the client's token, for the log.
    pub subject: Option<String>,
    /// The Worker can hold the stream.
    pub feed: Option<FeedRequest>,
}

/// The Worker asks for a feed instead of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedRequest {
    /// The object may answer with a response that it holds.
    Optional,
    /// The Worker can only use a feed.
    Required,
    /// The Worker continues a stream whose feed has broken. The client does not get another `hub.open`.
    Continued,
}

impl FeedRequest {
    const ALL: [Self; 3] = [Self::Optional, Self::Required, Self::Continued];

    fn word(self) -> &'static str {
        match self {
            Self::Optional => "optional",
            Self::Required => "required",
            Self::Continued => "continued",
        }
    }

    fn encode(self) -> String {
        format!("{FEED_VERSION} {}", self.word())
    }

    fn decode(text: &str) -> Option<Self> {
        let word = text.strip_prefix(FEED_VERSION)?.strip_prefix(' ')?;
        Self::ALL.into_iter().find(|known| known.word() == word)
    }
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

impl<'a> SubscribeRequest<'a> {
    /// The same request, which borrows nothing.
    pub fn into_owned(self) -> SubscribeRequest<'static> {
        SubscribeRequest {
            query: self.query.into_owned().into(),
            ..self
        }
    }

    /// The query and the headers.
    fn into_parts(self) -> (Cow<'a, str>, Vec<(&'static str, String)>) {
        let encoded = |text: String| utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
        let headers = [
            ("Accept", self.accept),
            (LAST_EVENT_ID_HEADER, self.last_event_id),
            (EXPIRES_HEADER, self.expires.map(|time| time.to_string())),
            (SUBJECT_HEADER, self.subject.map(encoded)),
            (FEED_HEADER, self.feed.map(FeedRequest::encode)),
            ("Upgrade", self.feed.map(|_| "websocket".to_owned())),
        ];
        let headers = headers
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        (self.query, headers.collect())
    }

    /// Fails if the time at which the stream ends cannot be read: a stream must not outlive its token.
    fn decode(
        query: &'a str,
        only_check: bool,
        header: impl Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let expires = header(EXPIRES_HEADER).map(|time| time.parse());
        Some(Self {
            only_check,
            query: query.into(),
            last_event_id: header(LAST_EVENT_ID_HEADER),
            accept: header("Accept"),
            expires: expires.transpose().ok()?,
            subject: header(SUBJECT_HEADER).as_deref().map(decoded),
            feed: header(FEED_HEADER).as_deref().and_then(FeedRequest::decode),
        })
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
mod tests {
    use super::*;

    /// Decodes what was encoded.
    fn decode<'a>(encoded: &'a Encoded) -> Option<(&'a str, ObjectRequest<'a>)> {
        ObjectRequest::decode(encoded.method, &encoded.url, |name| {
            let found = encoded.headers.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone())
        })
    }

    #[test]
    fn the_object_decodes_what_the_worker_encodes() {
        let publish = |number, bytes, ends, only_replay, key: Option<&str>| {
            ObjectRequest::Publish(PublishRequest {
                number,
                bytes,
                ends,
                only_replay,
                key: key.map(str::to_owned),
            })
        };
        let feed = |feed| {
            ObjectRequest::Subscribe(SubscribeRequest {
                feed: Some(feed),
                ..SubscribeRequest::default()
            })
        };
        for request in [
            ObjectRequest::Subscribe(SubscribeRequest::default()),
            ObjectRequest::Subscribe(SubscribeRequest {
                only_check: true,
                query: "history=5&catch_up=1".into(),
                last_event_id: Some("38G3E9VRB4D2P-8".into()),
                accept: Some("text/event-stream".into()),
                expires: Some(1_795_354_163_077),
                subject: Some("alice & bob \u{e9}%".into()),
                feed: None,
            }),
            feed(FeedRequest::Optional),
            feed(FeedRequest::Required),
            feed(FeedRequest::Continued),
            publish(1, 0, false, false, None),
            publish(2, 0, true, false, None),
            publish(u64::MAX, 1 << 20, true, true, Some("order 4711")),
            ObjectRequest::ReadEvents {
                query: "after=x&limit=1".into(),
            },
            ObjectRequest::ReadEvents { query: "".into() },
            ObjectRequest::ReadStats,
            ObjectRequest::DeleteChannel,
            ObjectRequest::ShutDown,
            ObjectRequest::Abort,
        ] {
            let encoded = request.clone().encode("a.B_c~1:2@x-y");
            assert_eq!(decode(&encoded), Some(("a.B_c~1:2@x-y", request)));
        }
    }

    #[test]
    fn an_object_answers_a_request_for_a_feed_of_an_unknown_version_with_a_stream() {
        for other in ["", "1", "1 ", "1 maybe", "2 optional", "optional"] {
            assert_eq!(FeedRequest::decode(other), None, "{other}");
        }
    }

    #[test]
    fn a_publish_without_a_key_has_no_header() {
        let publish = PublishRequest {
            number: 7,
            bytes: 9,
            ends: false,
            only_replay: false,
            key: None,
        };
        let expected = Encoded {
            method: "POST",
            url: "https://hub/channels/foo/broadcast?7.9.0".into(),
            headers: Vec::new(),
        };
        assert_eq!(ObjectRequest::Publish(publish).encode("foo"), expected);
    }

    #[test]
    fn a_stream_whose_end_cannot_be_read_is_not_decoded() {
        for time in ["", "soon", "-1", "1.5"] {
            let header = |name: &str| (name == EXPIRES_HEADER).then(|| time.to_owned());
            let url = "https://hub/channels/foo";
            assert_eq!(ObjectRequest::decode("GET", url, header), None, "{time:?}");
        }
    }

    #[test]
    fn other_requests_are_not_decoded() {
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/channels"),
            ("HEAD", "/channels/foo/stats"),
            ("POST", "/channels/foo"),
            ("POST", "/channels/foo/stats"),
            ("GET", "/channels/foo/other"),
            ("GET", "/channels/foo/stats/"),
            ("DELETE", "/channels/foo/events"),
            ("purge", "/channels/foo"),
            ("POST", "/channels/foo/broadcast"),
            ("POST", "/channels/foo/broadcast?1.2"),
            ("POST", "/channels/foo/end"),
            ("POST", "/channels/foo/other?1.2.0"),
            ("POST", "/channels/foo/broadcast?1.2.3"),
            ("POST", "/channels/foo/broadcast?1.2.0."),
            ("POST", "/channels/foo/broadcast?1.x.0"),
            ("POST", "/channels/foo/broadcast?event=a"),
        ] {
            let url = format!("https://hub{path}");
            let decoded = ObjectRequest::decode(method, &url, |_| None);
            assert_eq!(decoded, None, "{method} {path}");
        }
    }
}
