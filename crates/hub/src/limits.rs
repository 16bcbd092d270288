//! The limits of one hub.

use crate::Millis;

/// The limits of one hub. Each field has the meaning of the setting that its comment names.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `BUFFER_EVENTS`: the most events that the log holds.
    pub buffer_events: usize,
    /// `BUFFER_BYTES`: the most bytes that the log holds.
    pub buffer_bytes: usize,
    /// `HEARTBEAT_SECONDS`, in milliseconds: the longest time in which nothing is written to a stream.
    pub heartbeat: Millis,
    /// `STALL_SECONDS`, in milliseconds: how long a stream may take nothing before it is ended. `None` means forever.
    pub stall: Option<Millis>,
    /// `FLUSH_MAX_MS`: the longest time that an event waits for the flush that writes it.
    pub flush_max: Millis,
    /// Whether the object may sleep while feeds are open. Without a history it must not, because the next event would
    /// begin another epoch.
    pub may_sleep: bool,
}
