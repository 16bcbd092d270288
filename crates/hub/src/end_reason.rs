//! Why the hub ends a stream.

/// Why the hub ends a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The channel has ended or was deleted.
    ChannelEnded,
    /// The token of the client has expired.
    Expired,
    /// The stream has taken nothing for too long.
    Stalled,
    /// The history cannot be read for the stream.
    Unreadable,
    /// The stream keeps a partial event in memory, and memory is short.
    MemoryShort,
    /// The channel has become quiet, and a Worker can hold the stream instead of the object.
    Quiet,
    /// The server is stopping.
    Stopping,
}
