//! Which channels' objects are open, and how many may be opened at once. Pure.
//!
//! In `npm run serve` all objects share one thread, and to open one syncs its database to the disk several times: a client
//! that asks for one new channel after the other would make everybody else wait. An open object also takes three files
//! and about 0.3 MB, for ten seconds at least. So few objects are opened at once, with pauses, and only so many are open.
//! Calls to objects that are open never wait. On the platform each object opens on its own, and nothing here applies.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use sse_hub::Millis;

/// How many objects may be opening at once.
const MAX_OPENING: usize = 2;

/// How many calls may wait until their object may be opened. The others are told to come again.
const MAX_WAITING: usize = 256;

/// How long a call may wait, in milliseconds. What takes longer counts as lost: the runtime may have dropped the request.
const MAX_WAIT: Millis = 10_000;

/// For how long an object counts as open after a call, in milliseconds. The runtime keeps it for ten seconds.
const STAYS_OPEN: Millis = 9_000;

/// What is known of an object that is open.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    streams: usize,
    until: Millis,
}

impl Open {
    fn is_open(self, now: Millis) -> bool {
        self.streams > 0 || now < self.until
    }
}

/// What a call to an object does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The object is open, or may be opened now. [`called`] ends that.
    Go {
        /// It is being opened.
        opens: bool,
    },
    /// Ask again in some milliseconds.
    Wait,
    /// There are too many.
    Refused,
}

/// Calls that are in the middle of something, as the times at which they began.
#[derive(Debug, Default)]
struct ReplayFrom(RefCell<Vec<Millis>>);

impl ReplayFrom {
    /// How many there are, without those that were lost.
    fn count(&self, now: Millis) -> usize {
        let mut calls = self.0.borrow_mut();
        calls.retain(|since| now.saturating_sub(*since) <= MAX_WAIT);
        calls.len()
    }

    fn begin(&self, now: Millis) {
        self.0.borrow_mut().push(now);
    }

    fn end(&self, since: Millis) {
        let mut calls = self.0.borrow_mut();
        if let Some(at) = calls.iter().position(|known| *known == since) {
            calls.swap_remove(at);
        }
    }
}

/// The objects of this instance.
#[derive(Debug, Default)]
struct Objects {
    open: RefCell<HashMap<String, Open>>,
    opening: ReplayFrom,
    waiting: ReplayFrom,
    /// No object may be opened before.
    pause_until: Cell<Millis>,
}

impl Objects {
    fn turn(&self, channel: &str, max_open: usize, came: Millis, now: Millis) -> Turn {
        let mut open = self.open.borrow_mut();
        if open.get(channel).is_some_and(|known| known.is_open(now)) {
            return Turn::Go { opens: false };
        }
        if now.saturating_sub(came) > MAX_WAIT
            || (came == now && self.waiting.count(now) >= MAX_WAITING)
        {
            return Turn::Refused;
        }
        if self.opening.count(now) >= MAX_OPENING || now < self.pause_until.get() {
            return Turn::Wait;
        }
        if open.len() >= max_open {
            open.retain(|_, known| known.is_open(now));
            if open.len() >= max_open {
                return Turn::Refused;
            }
        }
        self.opening.begin(now);
        Turn::Go { opens: true }
    }

    fn called(&self, channel: &str, opened_since: Option<Millis>, now: Millis) {
        let mut open = self.open.borrow_mut();
        let until = now.saturating_add(STAYS_OPEN);
        match open.get_mut(channel) {
            Some(known) => known.until = until,
            None => {
                open.insert(channel.to_owned(), Open { streams: 0, until });
            }
        }
        if let Some(since) = opened_since {
            self.opening.end(since);
            // Half of the time is for everybody else.
            let took = now.saturating_sub(since).min(1_000);
            self.pause_until.set(now.saturating_add(took));
        }
    }

    fn has_streams(&self, channel: &str, streams: usize) {
        let mut open = self.open.borrow_mut();
        match open.get_mut(channel) {
            Some(known) => known.streams = streams,
            // The first stream opens before the call that opened the object is answered.
            None if streams > 0 => {
                open.insert(channel.to_owned(), Open { streams, until: 0 });
            }
            None => {}
        }
    }
}

thread_local! {
    static OBJECTS: Objects = Objects::default();
}

/// What a call to the object of `channel` does, which came at `came`, where `max_open` objects may be open.
pub fn turn(channel: &str, max_open: usize, came: Millis, now: Millis) -> Turn {
    OBJECTS.with(|objects| objects.turn(channel, max_open, came, now))
}

/// A call that was to `Go` has been answered. `opened_since` says since when it has opened the object, if it has.
pub fn called(channel: &str, opened_since: Option<Millis>, now: Millis) {
    OBJECTS.with(|objects| objects.called(channel, opened_since, now));
}

/// The object of `channel` has so many streams: with any, it stays open.
pub fn has_streams(channel: &str, streams: usize) {
    OBJECTS.with(|objects| objects.has_streams(channel, streams));
}

/// Counts a call that waits, until it is dropped.
pub struct Waiting(Millis);

impl Waiting {
    /// One more, which came at `came`.
    pub fn begin(came: Millis) -> Self {
        OBJECTS.with(|objects| objects.waiting.begin(came));
        Self(came)
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

    const OPENS: Turn = Turn::Go { opens: true };
    const IS_OPEN: Turn = Turn::Go { opens: false };

    #[test]
    fn few_objects_are_opened_at_once_and_with_pauses() {
        let objects = Objects::default();
        let turn = |channel, now| objects.turn(channel, 10, 0, now);
        assert_eq!(
            [turn("a", 0), turn("b", 0), turn("c", 0)],
            [OPENS, OPENS, Turn::Wait]
        );
        objects.called("a", Some(0), 40);
        assert_eq!([turn("a", 40), turn("c", 40)], [IS_OPEN, Turn::Wait]);
        assert_eq!([turn("c", 80), turn("d", 80)], [OPENS, Turn::Wait]);
        assert_eq!(turn("d", MAX_WAIT + 1), Turn::Refused);
        // Those that never end do not keep the others from opening.
        let later = 2 * MAX_WAIT + 100;
        assert_eq!(objects.turn("d", 10, later, later), OPENS);
    }

    #[test]
    fn an_object_is_open_for_some_seconds_and_while_it_has_streams() {
        let objects = Objects::default();
        let turn = |now| objects.turn("a", 10, now, now);
        assert_eq!(turn(0), OPENS);
        objects.called("a", Some(0), 0);
        objects.has_streams("a", 1);
        assert_eq!(turn(STAYS_OPEN), IS_OPEN);
        objects.has_streams("a", 0);
        assert_eq!([turn(STAYS_OPEN - 1), turn(STAYS_OPEN)], [IS_OPEN, OPENS]);
    }

    #[test]
    fn a_stream_that_opens_its_object_keeps_it_open() {
        let objects = Objects::default();
        assert_eq!(objects.turn("a", 1, 0, 0), OPENS);
        objects.has_streams("a", 1);
        objects.called("a", Some(0), 0);
        let later = 10 * STAYS_OPEN;
        assert_eq!(objects.turn("b", 1, later, later), Turn::Refused);
        assert_eq!(objects.turn("a", 1, later, later), IS_OPEN);
    }

    #[test]
    fn only_so_many_are_open() {
        let objects = Objects::default();
        for channel in ["a", "b"] {
            assert_eq!(objects.turn(channel, 2, 0, 0), OPENS);
            objects.called(channel, Some(0), 0);
        }
        assert_eq!(objects.turn("c", 2, 0, 0), Turn::Refused);
        assert_eq!(objects.turn("a", 2, 0, 0), IS_OPEN);
        assert_eq!(objects.turn("c", 2, STAYS_OPEN, STAYS_OPEN), OPENS);
    }
}
