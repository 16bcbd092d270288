//! How often a channel is published to, which decides who holds its streams. Free of JavaScript.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use sse_hub::Millis;

/// A channel that got this many publishes within [`PERIOD`] keeps its object awake, so the object holds its streams.
const BUSY_PUBLISHES: usize = 6;

/// The time over which publishes are counted, in milliseconds. A channel that got none for so long is quiet.
const PERIOD: Millis = 60_000;

/// The times of the newest publishes.
#[derive(Debug)]
pub struct Activity {
    published: RefCell<VecDeque<Millis>>,
    /// The time of the newest publish, or else of the start of the object.
    newest: Cell<Millis>,
}

impl Activity {
    /// The object has started at `now`.
    pub fn new(now: Millis) -> Self {
        Self {
            published: RefCell::default(),
            newest: Cell::new(now),
        }
    }

    /// Notes a publish.
    pub fn note_publish(&self, now: Millis) {
        self.newest.set(now);
        let mut published = self.published.borrow_mut();
        if published.len() >= BUSY_PUBLISHES {
            published.pop_front();
        }
        published.push_back(now);
    }

    /// Whether the object is awake anyway.
    pub fn is_busy(&self, now: Millis) -> bool {
        let published = self.published.borrow();
        let is_recent = |at: &Millis| now.saturating_sub(*at) < PERIOD;
        published.len() >= BUSY_PUBLISHES && published.front().is_some_and(is_recent)
    }

    /// Whether nothing was published for a while.
    pub fn is_quiet(&self, now: Millis) -> bool {
        now.saturating_sub(self.newest.get()) >= PERIOD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_busy_while_it_gets_six_publishes_a_minute() {
        let activity = Activity::new(0);
        for at in 0..6 {
            assert!(!activity.is_busy(at * 1_000));
            activity.note_publish(at * 1_000);
        }
        assert!(activity.is_busy(5_000) && activity.is_busy(59_999));
        assert!(
            !activity.is_busy(60_000),
            "the oldest of six is a minute ago"
        );
        activity.note_publish(60_500);
        assert!(activity.is_busy(60_999));
    }

    #[test]
    fn a_channel_is_quiet_a_minute_after_the_last_publish_or_the_start() {
        let activity = Activity::new(1_000);
        assert!(!activity.is_quiet(60_999) && activity.is_quiet(61_000));
        activity.note_publish(61_000);
        assert!(!activity.is_quiet(120_999) && activity.is_quiet(121_000));
    }
}
