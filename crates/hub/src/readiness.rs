//! What has to happen before the log removes events.

/// The next step of the caller before the log removes events. The log removes events for an append, for the deletion of
/// the channel, and to free memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Call [`Hub::flush`](crate::Hub::flush): a stream that would lose events is ready for them.
    FlushFirst,
    /// Call [`Hub::begin_loop_turn`](crate::Hub::begin_loop_turn) and let the event loop make one turn, in which
    /// responsive streams take the chunks that they were given.
    WaitForLoopTurn,
    /// Nothing: no stream would lose events, or only streams that do not keep up.
    Ready,
}
