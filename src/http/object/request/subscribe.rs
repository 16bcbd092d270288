//! The request for a stream, or for the feed of a stream.

use std::borrow::Cow;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::http::subscribe::LAST_EVENT_ID_HEADER;
use sse_hub::Millis;

/// The header with the time at which a stream ends, in milliseconds since 1970.
const EXPIRES_HEADER: &str = "Sse-Broadcaster-Expires";

/// The header with the subject of the token of a stream, percent-encoded.
const SUBJECT_HEADER: &str = "Sse-Broadcaster-Subject";

/// The header with a [`FeedRequest`]. The version of the protocol of feeds comes first.
const FEED_HEADER: &str = "Sse-Broadcaster-Feed";

/// The version of the protocol of feeds. An object that does not know it answers with a response of its own.
const FEED_VERSION: &str = "1";

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

impl<'a> SubscribeRequest<'a> {
    /// The same request, which borrows nothing.
    pub fn into_owned(self) -> SubscribeRequest<'static> {
        SubscribeRequest {
            query: self.query.into_owned().into(),
            ..self
        }
    }

    /// The query and the headers.
    pub(super) fn into_parts(self) -> (Cow<'a, str>, Vec<(&'static str, String)>) {
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
    pub(super) fn decode(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::object::request::ObjectRequest;

    #[test]
    fn an_object_answers_a_request_for_a_feed_of_an_unknown_version_with_a_stream() {
        for other in ["", "1", "1 ", "1 maybe", "2 optional", "optional"] {
            assert_eq!(FeedRequest::decode(other), None, "{other}");
        }
    }

    #[test]
    fn a_stream_whose_end_cannot_be_read_is_not_decoded() {
        for time in ["", "soon", "-1", "1.5"] {
            let header = |name: &str| (name == EXPIRES_HEADER).then(|| time.to_owned());
            let url = "https://hub/channels/foo";
            assert_eq!(ObjectRequest::decode("GET", url, header), None, "{time:?}");
        }
    }
}
