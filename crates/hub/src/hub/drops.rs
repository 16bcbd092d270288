//! Counts the deliveries that are dropped.

use crate::cursor::MissedEvents;

/// Counts the deliveries that are dropped when events leave the log.
///
/// A subscriber that drops events keeps its position. Until it gets its notice it is lagging, and it drops each further
/// event that leaves the log. So the number of lagging subscribers is enough to count these drops.
#[derive(Debug)]
pub struct DropAccounting {
    /// The number of lagging subscribers.
    lagging: u64,
    /// A lower bound of the cursors that are in the log. Because of it, most appends need not look at each subscriber.
    cursor_lower_bound: u64,
    /// The number of deliveries dropped so far.
    total: u64,
    /// How many of them no receipt has counted yet.
    unreported: u64,
}

impl DropAccounting {
    /// For a log without events, whose next event has the number `head`.
    pub fn new(head: u64) -> Self {
        Self {
            lagging: 0,
            cursor_lower_bound: head,
            total: 0,
            unreported: 0,
        }
    }

    /// Returns the number of deliveries dropped so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Returns the number of lagging subscribers.
    pub fn lagging(&self) -> u64 {
        self.lagging
    }

    /// Notes that a cursor is in the log.
    pub fn note_cursor(&mut self, next_seq: u64) {
        self.cursor_lower_bound = self.cursor_lower_bound.min(next_seq);
    }

    /// Forgets all cursors in the log: [`note_cursor`](Self::note_cursor) follows for each. `head` is the largest
    /// cursor possible.
    pub fn forget_cursors(&mut self, head: u64) {
        self.cursor_lower_bound = head;
    }

    /// Whether a cursor may be in the log before `tail`.
    pub fn may_have_cursor_before(&self, tail: u64) -> bool {
        self.cursor_lower_bound < tail
    }

    /// Notes that a subscriber starts to lag because it drops `events` events, and counts these.
    pub fn start_lagging(&mut self, events: u64) {
        self.lagging = self.lagging.saturating_add(1);
        self.count(events);
    }

    /// Notes that a chunk moved a cursor from event `from` to event `to`. The log begins at `tail`. If the cursor
    /// enters the log, the subscriber has got the notice of the events that it dropped, or has read them from the
    /// history.
    pub fn note_move(&mut self, from: u64, to: u64, missed: MissedEvents, tail: u64) {
        if from < tail && to >= tail {
            if missed == MissedEvents::Dropped {
                self.stop_lagging();
            }
            self.note_cursor(to);
        }
    }

    /// Notes that a lagging subscriber got its notice, or left.
    pub fn stop_lagging(&mut self) {
        debug_assert!(self.lagging > 0, "no subscriber is lagging");
        self.lagging = self.lagging.saturating_sub(1);
    }

    /// Notes that `events` events leave the log: each lagging subscriber drops them.
    pub fn count_for_lagging(&mut self, events: u64) {
        self.count(self.lagging.saturating_mul(events));
    }

    fn count(&mut self, deliveries: u64) {
        self.total = self.total.saturating_add(deliveries);
        self.unreported = self.unreported.saturating_add(deliveries);
    }

    /// Returns the number of dropped deliveries that no receipt has counted yet, for the next receipt.
    pub fn take_unreported(&mut self) -> u64 {
        std::mem::take(&mut self.unreported)
    }

    /// Returns the number of dropped deliveries that no receipt has counted yet.
    #[cfg(test)]
    pub fn unreported(&self) -> u64 {
        self.unreported
    }

    /// Forgets all subscribers.
    pub fn forget_subscribers(&mut self) {
        self.lagging = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lagging_subscriber_drops_each_event_that_leaves_the_log() {
        let mut drops = DropAccounting::new(1);
        drops.count_for_lagging(10);
        assert_eq!(drops.total(), 0);
        drops.start_lagging(3);
        drops.start_lagging(4);
        assert_eq!((drops.lagging(), drops.total()), (2, 7));
        drops.count_for_lagging(10);
        assert_eq!(drops.total(), 27);
        drops.stop_lagging();
        drops.count_for_lagging(1);
        assert_eq!((drops.lagging(), drops.total()), (1, 28));
    }

    #[test]
    fn each_drop_is_reported_in_one_receipt() {
        let mut drops = DropAccounting::new(1);
        drops.start_lagging(3);
        assert_eq!(drops.take_unreported(), 3);
        assert_eq!(drops.take_unreported(), 0);
        drops.count_for_lagging(2);
        drops.count_for_lagging(2);
        assert_eq!((drops.take_unreported(), drops.total()), (4, 7));
    }

    #[test]
    fn the_lower_bound_is_the_smallest_cursor_noted_since_all_were_forgotten() {
        let mut drops = DropAccounting::new(10);
        assert!(!drops.may_have_cursor_before(10));
        drops.note_cursor(7);
        drops.note_cursor(9);
        assert!(drops.may_have_cursor_before(8) && !drops.may_have_cursor_before(7));
        drops.forget_cursors(20);
        drops.note_cursor(9);
        assert!(drops.may_have_cursor_before(10) && !drops.may_have_cursor_before(9));
    }

    #[test]
    fn a_cursor_that_enters_the_log_counts_for_the_lower_bound_and_ends_the_lag() {
        for (missed, lagging) in [(MissedEvents::Dropped, 1), (MissedEvents::Replayed, 2)] {
            let mut drops = DropAccounting::new(20);
            drops.start_lagging(1);
            drops.start_lagging(1);
            drops.note_move(5, 9, missed, 10);
            drops.note_move(12, 15, missed, 10);
            assert_eq!(drops.lagging(), 2, "neither cursor enters the log");
            assert!(!drops.may_have_cursor_before(20));
            drops.note_move(9, 10, missed, 10);
            assert_eq!(drops.lagging(), lagging);
            assert!(drops.may_have_cursor_before(11));
        }
    }
}
