//! Changes of subscribers, for the log of the caller.

use crate::ConnId;

/// A change of a subscriber's state, for the caller to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The subscriber started to drop events.
    StartedDropping(ConnId),
    /// The subscriber is level with the head again. It had dropped this many events.
    CaughtUp(ConnId, u64),
}
