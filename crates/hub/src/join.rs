//! How a stream joins a hub.

use crate::{Carrier, Millis};

/// How a stream joins a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinOptions {
    /// The sequence number of its first event: see [`StartPosition`](crate::StartPosition).
    pub next_seq: u64,
    /// Whether the channel has a history. If it has one, a stream that starts in the past reads the events that have
    /// left the log from the history, until it is level with the head once.
    pub history: bool,
    /// Whether the stream reads the history whenever it falls behind the log, so that it never drops events. It has no
    /// effect without a history.
    pub catch_up: bool,
    /// The time at which the stream is ended, if there is one. The Worker ends the streams that it holds.
    pub expires: Option<Millis>,
    /// What carries the stream to its client.
    pub carrier: Carrier,
}
