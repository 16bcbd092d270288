//! Which objects are open, and how many may be opened at the same time. Pure.
//!
//! Under `npm run serve` all objects share one thread, and opening an object syncs its database to the disk several
//! times. So a client that requests one new channel after the other would make all other clients wait. An open object
//! also takes three files and about 0.3 MB for at least ten seconds. Therefore few objects are opened at the same time,
//! with pauses between them, and the number of open objects is limited. Calls to objects that are open never wait. On
//! Cloudflare each object opens on its own, and none of this applies.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use sse_hub::Millis;

/// How many objects may be opening at the same time.
const MAX_OPENING: usize = 2;

/// How many calls may wait until their object may be opened. Further calls are refused.
const MAX_WAITING: usize = 256;

/// How long a call may wait, in milliseconds. An opening or waiting call that is older counts as lost, because the
/// runtime may have dropped its request.
const MAX_WAIT: Millis = 10_000;

/// How long an object counts as open after a call, in milliseconds. The runtime keeps it for ten seconds.
const STAYS_OPEN: Millis = 9_000;

/// The longest pause after an object was opened, in milliseconds.
const MAX_PAUSE: Millis = 1_000;

/// What is known of an object that was called.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    streams: usize,
    open_until: Millis,
}

impl Known {
    fn is_open(self, now: Millis) -> bool {
        self.streams > 0 || now < self.open_until
    }
}

/// Whether an object may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Call the object, and report the end of the call to [`called`].
    Call {
        /// The call opens the object.
        opens: bool,
    },
    /// Ask again in some milliseconds.
    Wait,
    /// Too many objects are open or being opened.
    Refuse,
}

/// The times at which calls began to open an object, or to wait.
#[derive(Debug, Default)]
struct Running(RefCell<Vec<Millis>>);

impl Running {
    /// The number of calls, without those that count as lost.
    fn count(&self, now: Millis) -> usize {
        let mut calls = self.0.borrow_mut();
        calls.retain(|began| now.saturating_sub(*began) <= MAX_WAIT);
        calls.len()
    }

    fn begin(&self, now: Millis) {
        self.0.borrow_mut().push(now);
    }

    fn end(&self, began: Millis) {
        let mut calls = self.0.borrow_mut();
        if let Some(at) = calls.iter().position(|known| *known == began) {
            calls.swap_remove(at);
        }
    }
}

/// The objects of this instance.
#[derive(Debug, Default)]
struct Objects {
    known: RefCell<HashMap<String, Known>>,
    opening: Running,
    waiting: Running,
    /// No object may be opened before this time.
    pause_until: Cell<Millis>,
}

impl Objects {
    fn decide(&self, channel: &str, max_open: usize, arrived: Millis, now: Millis) -> Decision {
        let mut objects = self.known.borrow_mut();
        if objects.get(channel).is_some_and(|known| known.is_open(now)) {
            return Decision::Call { opens: false };
        }
        let has_waited_too_long = now.saturating_sub(arrived) > MAX_WAIT;
        let is_new = arrived == now;
        if has_waited_too_long || (is_new && self.waiting.count(now) >= MAX_WAITING) {
            return Decision::Refuse;
        }
        if self.opening.count(now) >= MAX_OPENING || now < self.pause_until.get() {
            return Decision::Wait;
        }
        if objects.len() >= max_open {
            objects.retain(|_, known| known.is_open(now));
            if objects.len() >= max_open {
                return Decision::Refuse;
            }
        }
        self.opening.begin(now);
        Decision::Call { opens: true }
    }

    fn called(&self, channel: &str, opening_since: Option<Millis>, now: Millis) {
        let mut objects = self.known.borrow_mut();
        let open_until = now.saturating_add(STAYS_OPEN);
        match objects.get_mut(channel) {
            Some(known) => known.open_until = open_until,
            None => {
                let known = Known {
                    streams: 0,
                    open_until,
                };
                objects.insert(channel.to_owned(), known);
            }
        }
        if let Some(since) = opening_since {
            self.opening.end(since);
            // A pause of the same length leaves half of the time to all other requests.
            let took = now.saturating_sub(since).min(MAX_PAUSE);
            self.pause_until.set(now.saturating_add(took));
        }
    }

    fn has_streams(&self, channel: &str, streams: usize) {
        let mut objects = self.known.borrow_mut();
        match objects.get_mut(channel) {
            Some(known) => known.streams = streams,
            // The first stream opens before the call that opened the object has ended.
            None if streams > 0 => {
                let known = Known {
                    streams,
                    open_until: 0,
                };
                objects.insert(channel.to_owned(), known);
            }
            None => {}
        }
    }
}

thread_local! {
    static OBJECTS: Objects = Objects::default();
}

/// Decides whether a call to the object of `channel` may be made now. The call arrived at `arrived`, and `max_open`
/// objects may be open.
pub fn decide(channel: &str, max_open: usize, arrived: Millis, now: Millis) -> Decision {
    OBJECTS.with(|objects| objects.decide(channel, max_open, arrived, now))
}

/// Reports that a call to the object of `channel` has ended. If the call opened the object, `opening_since` is the time
/// at which [`decide`] allowed that.
pub fn called(channel: &str, opening_since: Option<Millis>, now: Millis) {
    OBJECTS.with(|objects| objects.called(channel, opening_since, now));
}

/// Reports how many streams the object of `channel` has. An object that has any stays open.
pub fn has_streams(channel: &str, streams: usize) {
    OBJECTS.with(|objects| objects.has_streams(channel, streams));
}

/// A call that waits. It is counted until this value is dropped.
pub struct Waiting(Millis);

impl Waiting {
    /// Counts a call that arrived at `arrived`.
    pub fn begin(arrived: Millis) -> Self {
        OBJECTS.with(|objects| objects.waiting.begin(arrived));
        Self(arrived)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        OBJECTS.with(|objects| objects.waiting.end(self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENS: Decision = Decision::Call { opens: true };
    const IS_OPEN: Decision = Decision::Call { opens: false };

    #[test]
    fn few_objects_open_at_the_same_time_with_pauses_between_them() {
        let objects = Objects::default();
        let decide = |channel, now| objects.decide(channel, 10, 0, now);
        assert_eq!(
            [decide("a", 0), decide("b", 0), decide("c", 0)],
            [OPENS, OPENS, Decision::Wait]
        );
        objects.called("a", Some(0), 40);
        assert_eq!(
            [decide("a", 40), decide("c", 40)],
            [IS_OPEN, Decision::Wait]
        );
        assert_eq!([decide("c", 80), decide("d", 80)], [OPENS, Decision::Wait]);
        assert_eq!(decide("d", MAX_WAIT + 1), Decision::Refuse);
        // Calls that never end do not prevent others from opening objects.
        let later = 2 * MAX_WAIT + 100;
        assert_eq!(objects.decide("d", 10, later, later), OPENS);
    }

    #[test]
    fn an_object_stays_open_for_some_seconds_and_while_it_has_streams() {
        let objects = Objects::default();
        let decide = |now| objects.decide("a", 10, now, now);
        assert_eq!(decide(0), OPENS);
        objects.called("a", Some(0), 0);
        objects.has_streams("a", 1);
        assert_eq!(decide(STAYS_OPEN), IS_OPEN);
        objects.has_streams("a", 0);
        assert_eq!(
            [decide(STAYS_OPEN - 1), decide(STAYS_OPEN)],
            [IS_OPEN, OPENS]
        );
    }

    #[test]
    fn a_stream_whose_call_opened_the_object_keeps_it_open() {
        let objects = Objects::default();
        assert_eq!(objects.decide("a", 1, 0, 0), OPENS);
        objects.has_streams("a", 1);
        objects.called("a", Some(0), 0);
        let later = 10 * STAYS_OPEN;
        assert_eq!(objects.decide("b", 1, later, later), Decision::Refuse);
        assert_eq!(objects.decide("a", 1, later, later), IS_OPEN);
    }

    #[test]
    fn at_most_max_open_objects_are_open() {
        let objects = Objects::default();
        for channel in ["a", "b"] {
            assert_eq!(objects.decide(channel, 2, 0, 0), OPENS);
            objects.called(channel, Some(0), 0);
        }
        assert_eq!(objects.decide("c", 2, 0, 0), Decision::Refuse);
        assert_eq!(objects.decide("a", 2, 0, 0), IS_OPEN);
        assert_eq!(objects.decide("c", 2, STAYS_OPEN, STAYS_OPEN), OPENS);
    }
}
