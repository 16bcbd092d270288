//! What the hub needs to know of an open stream.

/// The number of a stream. The first stream of a hub has number 1.
pub type ConnId = u64;

/// A handle to an open stream.
///
/// The hub clones handles into [`Output`](crate::Output), so a clone should be cheap and should refer to the same
/// stream.
pub trait Stream: Clone {
    /// Whether the runtime has taken the last chunk that was written to the stream. Must not call the hub.
    fn is_ready(&self) -> bool;
}
