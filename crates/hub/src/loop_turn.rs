//! Turns of the caller's event loop.

/// The number of a turn of the event loop. The hub counts only the turns that the caller reports with
/// [`Hub::begin_loop_turn`](crate::Hub::begin_loop_turn).
///
/// A stream can take a chunk only in a later loop turn than the one in which the chunk was written. So a stream that
/// was written to in this loop turn and is not ready is not known to be slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoopTurn(u64);

impl LoopTurn {
    /// Returns the turn after this one.
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}
