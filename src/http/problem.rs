//! Everything that can go wrong with a request.

pub mod document;
mod kind;

use crate::auth::Denied;
use crate::environment::SettingError;
use crate::http::{channel_id, idempotency_key};
use crate::isolate::storage_failure::StorageFailure;
use sse_hub::sse::{MAX_TYPE_CHARS, TypeError};

/// A failure that the response describes, as RFC 9457 `application/problem+json`. Its `Display` is the problem's
/// `detail`, which says what was wrong and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The header `Host` is not a host, or there are several of them.
    #[error(
        "The header Host cannot be used: it has to be one host name, IPv4 address, or IPv6 address in brackets, with or without a port up to 65535. Send the host of the hub's own URL, once."
    )]
    InvalidHost,
    /// The request line does not name a path.
    #[error(
        "The request line names no path. After the method there must be a path that begins with \"/\", or the whole URL; \"*\" goes with OPTIONS only."
    )]
    InvalidTarget,
    /// Nothing has this path.
    #[error(
        "There is nothing at this path. Channels are at /channels/{{id}}, and below that are {}.",
        crate::http::route::actions_of_channels()
    )]
    NotFound,
    /// The path does not take this method.
    #[error(
        "This path does not take {method}. It takes {allow}.{}",
        crate::http::route::paths_for(method)
    )]
    MethodNotAllowed {
        /// The method of the request.
        method: String,
        /// The value of the `Allow` header.
        allow: String,
    },
    /// There is no token, or none that permits this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The channel got more publishes than are allowed.
    #[error(
        "The channel takes {max} publishes a second (PUBLISH_PER_SECOND). Try again in a second, or send several events in one batch."
    )]
    TooManyPublishes {
        /// The number of publishes per second that are allowed.
        max: u64,
    },
    /// There were more requests from one address than the platform lets through.
    #[error("There are too many requests from this address ({binding}). Try again later.")]
    TooManyRequests {
        /// The binding that counts them.
        binding: &'static str,
    },
    /// The channel id is too long, or has characters that an id cannot have.
    #[error("The channel id in the path {}", channel_id::rule())]
    InvalidChannelId,
    /// The path does not name channels that one request can have.
    #[error(transparent)]
    InvalidChannelIds(#[from] channel_id::ListError),
    /// The request takes one channel, and its path names several.
    #[error(
        "This request takes one channel, and its path names {count}. Send one request for each channel."
    )]
    OneChannelOnly {
        /// The number of channels in the path.
        count: usize,
    },
    /// The parameter `event`, or an `event:` line of a batch, is not an event type.
    #[error(
        "The event type {place} cannot be used: {error}. A type is up to {MAX_TYPE_CHARS} characters on one line, does not begin with \"hub.\", and has no space at either end."
    )]
    InvalidEventType {
        /// Where the type is.
        place: String,
        /// What is wrong with the type.
        error: TypeError,
    },
    /// A parameter of the query has a wrong value, or has no meaning here.
    #[error("{0}")]
    InvalidQuery(String),
    /// The idempotency key is too long, or has characters that a key cannot have.
    #[error(
        "The {place} cannot be used: it has to be 1 to {max} printable ASCII characters, without a space at either end.",
        max = idempotency_key::MAX_CHARS
    )]
    InvalidIdempotencyKey {
        /// Where the key is.
        place: &'static str,
    },
    /// The header and the query have different idempotency keys.
    #[error(
        "The header {header} and the parameter \"{parameter}\" are different. Send one of them, or the same key in both.",
        header = idempotency_key::HEADER,
        parameter = idempotency_key::PARAMETER
    )]
    DifferentIdempotencyKeys,
    /// The idempotency key was used before, for other events, or for the same events without or with an end.
    #[error(
        "The idempotency key was used before, for another publish. Repeat a publish unchanged, and give each new publish a key of its own."
    )]
    IdempotencyKeyReused,
    /// The body is not valid UTF-8.
    #[error(
        "The body is not valid UTF-8: byte {at} is wrong. Send text; encode binary data, for example as base64."
    )]
    InvalidUtf8 {
        /// The number of bytes before the wrong one.
        at: usize,
    },
    /// The connection ended before the body was complete.
    #[error("The body could not be read to its end. Send it again.")]
    BrokenBody,
    /// The batch has no event.
    #[error(
        "The body is of type text/event-stream but holds no event. An event has at least one \"data:\" line; for a single event, send its data as any other type."
    )]
    EmptyBatch,
    /// The batch has more events than a batch may have.
    #[error("The batch holds {events} events; at most {max} go into one (MAX_BATCH_EVENTS).")]
    TooManyEvents {
        /// The number of events.
        events: usize,
        /// The number of events that are allowed.
        max: usize,
    },
    /// The body is too large.
    #[error("The body is larger than {max} bytes ({setting}). Send less at once.")]
    BodyTooLarge {
        /// The number of bytes that are allowed.
        max: usize,
        /// The setting that limits them.
        setting: &'static str,
    },
    /// The body took too long to arrive.
    #[error(
        "The body did not arrive within {seconds} s (BODY_SECONDS). Send it faster, or less at once."
    )]
    BodyTooSlow {
        /// The time that is allowed.
        seconds: u64,
    },
    /// The bodies that are being handled use all memory that is allowed for them.
    #[error(
        "The hub has no memory for another publish at the moment: this channel, or all channels together, use as much as they may (MEMORY_BYTES). Nothing was published. Try again in a second."
    )]
    MemoryFull,
    /// An event of the batch is too large.
    #[error(
        "Event {number} of the batch has {bytes} bytes of data; an event may have {max} (MAX_EVENT_BYTES)."
    )]
    EventTooLarge {
        /// The number of the event, counted from 1.
        number: usize,
        /// The size of its data.
        bytes: usize,
        /// The size that is allowed.
        max: usize,
    },
    /// The publish does not fit into the buffer of a stream. Encoded for the stream, every line takes some more bytes.
    #[error(
        "Encoded for the stream this takes {bytes} bytes; a stream's buffer holds {max} (BUFFER_BYTES). Send less, or fewer lines, at once."
    )]
    EncodedTooLarge {
        /// The size of the encoded publish.
        bytes: usize,
        /// The size of the buffer.
        max: usize,
    },
    /// An encoded event does not fit into a row of the history.
    #[error(
        "Encoded for the stream an event takes {bytes} bytes; it may take {max}. Send less, or fewer lines, in one event.",
        max = sse_hub::sse::MAX_ENCODED_EVENT
    )]
    EncodedEventTooLarge {
        /// The size of the encoded event.
        bytes: usize,
    },
    /// The request body is compressed.
    #[error("The body is encoded as {encoding}. Send it without a Content-Encoding.")]
    UnsupportedEncoding {
        /// The value of the header.
        encoding: String,
    },
    /// The request body is text in another charset than UTF-8.
    #[error(
        "The header Content-Type names the charset \"{charset}\". Send the body in UTF-8, with \"charset=utf-8\" or without a charset."
    )]
    UnsupportedCharset {
        /// The charset.
        charset: String,
    },
    /// The channel has as many streams as it may have.
    #[error(
        "The channel has {max} open streams, as many as it may (MAX_SUBSCRIBERS). Try again later."
    )]
    ChannelFull {
        /// The number of streams that are allowed.
        max: usize,
    },
    /// The storage could not be read or written. If this was a publish, nothing was published.
    #[error("{0}")]
    StorageFailed(StorageFailure),
    /// Too many channels are open, or are being opened.
    #[error(
        "The server is opening many channels at the moment, or has {max} open (MAX_OPEN_CHANNELS). Channels that are in use are not affected. Try again in some seconds."
    )]
    TooManyOpenChannels {
        /// The number of open channels that are allowed.
        max: usize,
    },
    /// The channel's object could not be reached, or its response was lost.
    #[error(
        "The channel could not be reached, or its response was lost. Try again. A publish may have been stored nevertheless; if it has an Idempotency-Key, it is not published twice."
    )]
    ChannelUnavailable,
    /// A setting is wrong.
    #[error("{}", wrong_setting(.0, "deploy"))]
    InvalidSetting(#[from] SettingError),
    /// The server is stopping. Nothing was published.
    #[error("The server is stopping. Nothing was published. Try again in some seconds.")]
    Stopping,
    /// An error that should not occur. The log describes it.
    #[error("Something went wrong inside the server. Its log says what.")]
    Internal,
}

/// Says that a setting is wrong, and to do `action` again when it is corrected.
pub fn wrong_setting(error: &SettingError, action: &str) -> String {
    format!("The server's settings are wrong: {error}. Correct the setting and {action} again.")
}
