//! The wire format of Server-Sent Events: what the hub writes, and what a publisher may send.
//!
//! Source: WHATWG HTML, section 9.2, "Server-sent events". The module is pure: no Worker type, no clock, no I/O.
//!
//! - [`EventId`], [`Epoch`]: the ids `<epoch>-<seq>`.
//! - [`write_event`] and [`Batch`]: encoded events, without their ids.
//! - [`parse()`]: the reverse, for publish bodies.
//! - [`check_type`]: which event types a publisher may use.
//! - [`Notice`], [`Missing`], [`open_notice`], [`end_notice`], [`expired_notice`]: the events that the hub itself
//!   sends.
//! - [`opening`], [`continuation`], [`HEARTBEAT`], [`retry_field`], [`error_notice`], [`error_stream`]: the parts of a
//!   stream that are no events of the channel.
//! - [`Positions`], [`CombinedId`]: the ids `<channel>/<epoch>-<seq>;<positions>` of streams of several channels.
//! - [`IdRewriter`]: replaces the ids of one channel by combined ids, in the bytes of a feed.

mod batch;
mod combined_id;
mod epoch;
mod event_type;
mod id;
mod id_rewriter;
mod notice;
mod parse;
#[cfg(test)]
mod proptests;
mod stream;

pub use self::batch::{Batch, MAX_ENCODED_EVENT, events, write_event};
pub use self::combined_id::{ChannelIndex, ChannelListError, CombinedId, MAX_CHANNELS, Positions};
pub use self::epoch::{EPOCH_CHARS, Epoch};
pub use self::event_type::{MAX_TYPE_CHARS, RESERVED_PREFIX, TypeError, check_type};
pub use self::id::{EventId, MAX_ID_LINE, UnknownId, write_id};
pub(crate) use self::id::{with_id, without_id};
pub use self::id_rewriter::IdRewriter;
pub use self::notice::{Missing, Notice, end_notice, expired_notice, open_notice};
pub use self::parse::{ParsedEvent, parse};
pub use self::stream::{
    HEARTBEAT, MEDIA_TYPE, continuation, error_notice, error_stream, opening, retry_field,
};
