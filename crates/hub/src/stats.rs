//! The counters of a channel.

use crate::sse::EventId;

/// The counters of a channel, since its hub was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// The id of the newest event.
    pub newest: EventId,
    /// The number of open streams.
    pub subscribers: usize,
    /// The number of open streams that are dropping: they have dropped events since they were last level with the head.
    pub busy: usize,
    /// The number of events published.
    pub published: u64,
    /// The number of deliveries dropped.
    pub dropped: u64,
    /// The number of streams opened.
    pub connected: u64,
}
