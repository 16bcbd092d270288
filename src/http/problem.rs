//! What can go wrong, as RFC 9457 `application/problem+json`.

use serde::Serialize;

use crate::auth::Denied;
use crate::environment::SettingError;
use crate::isolate::storage_failure::StorageFailure;
use sse_hub::sse::{MAX_TYPE_CHARS, TypeError};

/// Every failure that a client can be told of. Its `Display` is the problem's `detail`: what was wrong and what would
/// be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A `Host` that is no host, or more than one of them.
    #[error(
        "The header Host cannot be used: it has to be one host name, IPv4 address, or IPv6 address in brackets, with or without a port up to 65535. Send the host of the hub's own URL, once."
    )]
    InvalidHost,
    /// A request line that does not name a path.
    #[error(
        "The request line names no path. After the method there must be a path that begins with \"/\", or the whole URL; \"*\" goes with OPTIONS only."
    )]
    InvalidTarget,
    /// The path names nothing.
    #[error(
        "There is nothing at this path. Channels are at /channels/{{id}}, and below that are /broadcast, /events and /stats."
    )]
    NotFound,
    /// The path is there, but not for this method.
    #[error("This path does not take {method}. It takes {allow}.")]
    MethodNotAllowed {
        /// The method of the request.
        method: String,
        /// The value of the `Allow` header.
        allow: &'static str,
    },
    /// No token, or none that permits this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// More publishes to a channel than are allowed.
    #[error(
        "The channel takes {max} publishes a second (PUBLISH_PER_SECOND). Try again in a second, or send events together."
    )]
    TooManyPublishes {
        /// How many it takes.
        max: u64,
    },
    /// More requests from one address than the platform lets through.
    #[error("There are too many requests from this address ({binding}). Try again later.")]
    TooManyRequests {
        /// The binding that counts them.
        binding: &'static str,
    },
    /// A channel id with characters or of a length that ids cannot have.
    #[error(
        "The channel id in the path has to be 1 to {max} characters of A-Z a-z 0-9 . _ ~ : @ -, after percent-decoding, and not . or ..",
        max = crate::http::route::MAX_ID_CHARS
    )]
    InvalidChannelId,
    /// The `event` parameter, or an `event:` field in a batch.
    #[error(
        "The event type {place} cannot be used: {error}. A type is up to {MAX_TYPE_CHARS} characters on one line and does not begin with \"hub.\"."
    )]
    InvalidEventType {
        /// Where it stood.
        place: String,
        /// What is wrong with it.
        error: TypeError,
    },
    /// A parameter of the query that has no meaning here, or one that it cannot have.
    #[error("{0}")]
    InvalidQuery(String),
    /// An `Idempotency-Key` that cannot be one.
    #[error(
        "The Idempotency-Key cannot be used: it has to be 1 to {max} printable ASCII characters.",
        max = crate::http::publish::MAX_KEY_CHARS
    )]
    InvalidIdempotencyKey,
    /// The same key with something else.
    #[error(
        "The Idempotency-Key was used before, for other events. Repeat a publish as it was; give each new one a key of its own."
    )]
    IdempotencyKeyReused,
    /// The body is no text.
    #[error(
        "The body is not valid UTF-8: byte {at} is wrong. Send text; encode binary data, for example as base64."
    )]
    InvalidUtf8 {
        /// How many bytes before it were right.
        at: usize,
    },
    /// The body ended before it was complete, or broke off.
    #[error("The body could not be read to its end. Send it again.")]
    BrokenBody,
    /// A batch without any event in it.
    #[error(
        "The body is of type text/event-stream but holds no event. An event has at least one \"data:\" line; for a single event, send its data as any other type."
    )]
    EmptyBatch,
    /// More events in a batch than a batch may have.
    #[error("The batch holds {events} events; at most {max} go into one (MAX_BATCH_EVENTS).")]
    TooManyEvents {
        /// How many there were.
        events: usize,
        /// How many there may be.
        max: usize,
    },
    /// The body is larger than it may be.
    #[error("The body is larger than {max} bytes ({setting}). Send less at once.")]
    BodyTooLarge {
        /// How many bytes it may have.
        max: usize,
        /// The setting that says so.
        setting: &'static str,
    },
    /// The body took too long to arrive.
    #[error(
        "The body did not arrive within {seconds} s (BODY_SECONDS). Send it faster, or less at once."
    )]
    BodyTooSlow {
        /// How long it may take.
        seconds: u64,
    },
    /// There is no room for the body in the memory that the hub may use.
    #[error(
        "The hub has no memory for another publish at the moment, to this channel or to any (MEMORY_BYTES). Nothing was published. Try again in a second."
    )]
    MemoryFull,
    /// One event of a batch is larger than it may be.
    #[error(
        "Event {number} of the batch has {bytes} bytes of data; an event may have {max} (MAX_EVENT_BYTES)."
    )]
    EventTooLarge {
        /// Which event, counted from 1.
        number: usize,
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        max: usize,
    },
    /// What was sent fits the limits, but not once it is encoded: every line costs a few bytes more.
    #[error(
        "Encoded for the stream this takes {bytes} bytes; a stream's buffer holds {max} (BUFFER_BYTES). Send less, or fewer lines, at once."
    )]
    EncodedTooLarge {
        /// What it takes.
        bytes: usize,
        /// What there is.
        max: usize,
    },
    /// One event takes more than there is room for in a row of the history.
    #[error(
        "Encoded for the stream an event takes {bytes} bytes; it may take {max}. Send less, or fewer lines, in one event.",
        max = sse_hub::sse::MAX_ENCODED_EVENT
    )]
    EncodedEventTooLarge {
        /// What it takes.
        bytes: usize,
    },
    /// The request body is compressed.
    #[error("The body is encoded as {encoding}. Send it without a Content-Encoding.")]
    UnsupportedEncoding {
        /// The value of the header.
        encoding: String,
    },
    /// As many streams as a channel may have.
    #[error(
        "The channel has {max} open streams, as many as it may (MAX_SUBSCRIBERS). Try again later."
    )]
    ChannelFull {
        /// How many it may have.
        max: usize,
    },
    /// The storage could not be read, or what was published could not be stored. It was not published then.
    #[error("{0}")]
    StorageFailed(StorageFailure),
    /// More channels are used at once than the server can hold open, or are opened at once than it can open.
    #[error(
        "The server is opening many channels just now, or has {max} open (MAX_OPEN_CHANNELS). Channels that are in use go on. Try again in some seconds."
    )]
    TooManyOpenChannels {
        /// How many may be open.
        max: usize,
    },
    /// The channel's object could not be reached, or broke off.
    #[error(
        "The channel could not be reached just now, or broke off. Try again; a publish that was stored all the same is not published twice where it has an Idempotency-Key."
    )]
    ChannelUnavailable,
    /// A setting that nothing can run with.
    #[error("The server's settings are wrong: {0}. Set it right and deploy again.")]
    InvalidSetting(#[from] SettingError),
    /// Anything that should not have happened. What it was is in the log.
    #[error("Something went wrong inside the server. Its log says what.")]
    Internal,
}

/// The members of the JSON object.
#[derive(Serialize)]
struct Members<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: String,
}

impl Problem {
    /// Status, last part of the `type`, and title.
    fn kind(&self) -> (u16, &'static str, &'static str) {
        match self {
            Self::InvalidHost => (400, "invalid-host", "Invalid host"),
            Self::InvalidTarget => (400, "invalid-target", "Invalid request target"),
            Self::NotFound => (404, "not-found", "Not found"),
            Self::MethodNotAllowed { .. } => (405, "method-not-allowed", "Method not allowed"),
            Self::Denied(Denied::Missing(_)) => (401, "missing-token", "Token missing"),
            Self::Denied(Denied::Invalid(_)) => (401, "invalid-token", "Invalid token"),
            Self::Denied(Denied::Forbidden(_)) => (403, "forbidden", "Forbidden"),
            Self::TooManyPublishes { .. } => (429, "too-many-publishes", "Too many publishes"),
            Self::TooManyRequests { .. } => (429, "too-many-requests", "Too many requests"),
            Self::InvalidChannelId => (400, "invalid-channel-id", "Invalid channel id"),
            Self::InvalidEventType { .. } => (400, "invalid-event-type", "Invalid event type"),
            Self::InvalidQuery(_) => (400, "invalid-query", "Invalid query"),
            Self::InvalidIdempotencyKey => {
                (400, "invalid-idempotency-key", "Invalid idempotency key")
            }
            Self::IdempotencyKeyReused => (422, "idempotency-key-reused", "Idempotency key reused"),
            Self::InvalidUtf8 { .. } => (400, "invalid-utf-8", "Body is not UTF-8"),
            Self::BrokenBody => (400, "broken-body", "Body broke off"),
            Self::EmptyBatch => (400, "empty-batch", "Batch without events"),
            Self::TooManyEvents { .. } => (413, "too-many-events", "Too many events"),
            Self::BodyTooLarge { .. } => (413, "body-too-large", "Body too large"),
            Self::BodyTooSlow { .. } => (408, "body-too-slow", "Body too slow"),
            Self::TooManyOpenChannels { .. } => {
                (503, "too-many-open-channels", "Too many open channels")
            }
            Self::MemoryFull => (503, "memory-full", "Memory full"),
            Self::EventTooLarge { .. } => (413, "event-too-large", "Event too large"),
            Self::EncodedTooLarge { .. } | Self::EncodedEventTooLarge { .. } => {
                (413, "encoded-too-large", "Too large once encoded")
            }
            Self::UnsupportedEncoding { .. } => {
                (415, "unsupported-encoding", "Unsupported content encoding")
            }
            Self::ChannelFull { .. } => (503, "channel-full", "Channel full"),
            Self::StorageFailed(_) => (503, "storage-failed", "Storage failed"),
            Self::ChannelUnavailable => (503, "channel-unavailable", "Channel unavailable"),
            Self::InvalidSetting(_) => (500, "invalid-setting", "Invalid setting"),
            Self::Internal => (500, "internal-error", "Internal error"),
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.kind().0
    }

    /// Whether the same request can succeed later, so that a client should come back.
    pub fn passes(&self) -> bool {
        matches!(self.status(), 429 | 503)
    }

    /// When that may be, as the value of `Retry-After` in seconds.
    pub fn retry_after(&self) -> Option<&'static str> {
        match self {
            Self::TooManyPublishes { .. } | Self::MemoryFull => Some("1"),
            // The shortest time that the platform counts over.
            Self::TooManyRequests { .. } => Some("10"),
            _ => self.passes().then_some("5"),
        }
    }

    /// The value of `WWW-Authenticate`, with the error codes of RFC 6750, section 3.1.
    pub fn challenge(&self) -> Option<&'static str> {
        match self.status() {
            401 => Some("Bearer error=\"invalid_token\""),
            403 => Some("Bearer error=\"insufficient_scope\""),
            _ => None,
        }
    }

    /// The problem as JSON, on one line.
    pub fn to_json(&self) -> String {
        let (status, kind, title) = self.kind();
        let members = Members {
            r#type: format!("urn:sse-broadcaster:problem:{kind}"),
            title,
            status,
            detail: self.to_string(),
        };
        // Strings and a number always serialize.
        serde_json::to_string(&members).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_of_json_with_all_members() {
        let problem = Problem::MethodNotAllowed {
            method: "\"\n".into(),
            allow: "GET",
        };
        let json = problem.to_json();
        assert!(!json.contains('\n'));
        let members: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            members["type"],
            "urn:sse-broadcaster:problem:method-not-allowed"
        );
        assert_eq!(members["title"], "Method not allowed");
        assert_eq!(members["status"], 405);
        assert_eq!(
            members["detail"],
            "This path does not take \"\n. It takes GET."
        );
    }

    #[test]
    fn only_what_passes_is_worth_a_retry() {
        assert!(Problem::ChannelFull { max: 1 }.passes());
        assert!(Problem::ChannelUnavailable.passes());
        assert!(Problem::TooManyPublishes { max: 1 }.passes());
        assert!(!Problem::Internal.passes());
        assert!(!Problem::InvalidChannelId.passes());
    }
}
