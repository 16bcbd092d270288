//! What a call of a held stream leaves for its caller to do.

use crate::feed::FeedMessage;
use crate::sse::EventId;

/// The number of a feed: the place of its channel in the list of the stream's channels, from 0 on.
pub type FeedNumber = usize;

/// A step that the caller performs. The steps have the order of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write these bytes to the client's stream.
    Write(Vec<u8>),
    /// Write the frame that was passed to [`HeldStream::note_frame`](super::HeldStream::note_frame) to the client's
    /// stream, without its header.
    PassOn,
    /// Send the message to the object of the feed.
    Send(FeedNumber, FeedMessage),
    /// Send [`FeedMessage::PING`] to the object of the feed.
    Ping(FeedNumber),
    /// Close the WebSocket of the feed, which is lost.
    Close(FeedNumber),
    /// Ask the object for a feed that continues after this position, or that starts as the client has asked if there is
    /// none.
    Open(FeedNumber, Option<EventId>),
    /// End the client's stream, and leave all feeds.
    End,
}
