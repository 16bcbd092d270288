//! Whether the server is stopping, and how many requests in flight change a channel. Only `npm run serve` stops the
//! Worker in an orderly way.

use std::cell::Cell;

/// The state of the stop.
#[derive(Debug, Default)]
struct Stop {
    is_stopping: Cell<bool>,
    changes: Cell<usize>,
}

thread_local! {
    static STOP: Stop = Stop::default();
}

/// Notes that the server is stopping: from now on, requests to channels are refused. This cannot be undone.
pub fn begin() {
    STOP.with(|stop| stop.is_stopping.set(true));
}

/// Whether the server is stopping.
pub fn is_stopping() -> bool {
    STOP.with(|stop| stop.is_stopping.get())
}

/// The number of requests in flight that change a channel.
pub fn changes_in_flight() -> usize {
    STOP.with(|stop| stop.changes.get())
}

/// A request that changes a channel. It is counted until this value is dropped.
#[derive(Debug)]
pub struct ChangeInFlight(());

impl ChangeInFlight {
    /// Counts a request.
    pub fn begin() -> Self {
        STOP.with(|stop| stop.changes.set(stop.changes.get().saturating_add(1)));
        Self(())
    }
}

impl Drop for ChangeInFlight {
    fn drop(&mut self) {
        STOP.with(|stop| stop.changes.set(stop.changes.get().saturating_sub(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_in_flight_until_it_is_dropped() {
        let first = ChangeInFlight::begin();
        let second = ChangeInFlight::begin();
        assert_eq!(changes_in_flight(), 2);
        drop(first);
        assert_eq!(changes_in_flight(), 1);
        drop(second);
        assert_eq!(changes_in_flight(), 0);
    }
}
