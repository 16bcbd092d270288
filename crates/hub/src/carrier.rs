//! What carries a stream to its client.

use crate::Millis;
use crate::feed::Window;

/// How long publishers wait for a feed that is not ready, in milliseconds. An acknowledgement takes a round trip
/// between the object and the Worker, and the client reads in between.
pub const FEED_PATIENCE: Millis = 100;

/// What carries a stream to its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A response of the channel's object. The object writes heartbeats, and stays awake.
    Response,
    /// A feed to a Worker, which writes the heartbeats. The object may sleep while every feed is level and has an open
    /// window.
    Feed(Window),
}

impl Carrier {
    /// Whether the object has to look after the stream in regular ticks, although it is level.
    pub fn needs_ticks(&self) -> bool {
        match self {
            Self::Response => true,
            Self::Feed(window) => !window.is_open(),
        }
    }
}
