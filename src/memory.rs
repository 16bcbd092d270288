//! How many bytes of bodies and logs one WebAssembly instance holds, and how many it may. Pure.
//!
//! The Worker and all objects of an isolate share one memory, so one publisher could fill it for everybody. Two things take
//! a share of it that grows with what publishers send, and both are counted here: the bodies of publishes, from before they
//! are read until they are answered, and the logs of the channels.
//!
//! Bodies may take half of the limit ([`Settings::memory_bytes`](crate::settings::Settings::memory_bytes)). One channel's
//! bodies may take half of what all bodies leave free of that: a single channel gets no more than a third of it, two
//! channels no more than a quarter each, and something is always left for another channel. Logs may take what bodies leave
//! of the whole, and give memory back where that gets less.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// What a request costs beside its body, in bytes: bodies of a few bytes are bounded in number, too.
const REQUEST_BYTES: usize = 4_096;

/// Which part of the room for bodies a new one may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All that is free. For bodies that were admitted once, on their way from the Worker to an object.
    Whole,
    /// For all bodies of the channel, half of what is free. For bodies that come from clients.
    Fair,
}

/// The bytes that are held.
#[derive(Debug, Default)]
pub struct Memory {
    bodies: Cell<usize>,
    logs: Cell<usize>,
    /// The bytes of the bodies of each channel that has any.
    by_channel: RefCell<HashMap<String, usize>>,
}

thread_local! {
    static MEMORY: Rc<Memory> = Rc::default();
}

/// The memory of this instance.
pub fn memory() -> Rc<Memory> {
    MEMORY.with(Rc::clone)
}

impl Memory {
    /// Admits a body of `bytes` for `channel`, where the instance may hold `limit` bytes. `None` where there is no room.
    pub fn admit(
        self: &Rc<Self>,
        channel: &str,
        bytes: usize,
        limit: usize,
        share: Share,
    ) -> Option<Admission> {
        let mut admission = Admission {
            memory: self.clone(),
            channel: channel.to_owned(),
            bytes: 0,
            limit,
            share,
        };
        admission
            .grow(bytes.saturating_add(REQUEST_BYTES))
            .then_some(admission)
    }

    /// Counts a log that held `before` bytes until now, and now holds `now`.
    pub fn log_changed(&self, before: usize, now: usize) {
        let others = self.logs.get().saturating_sub(before);
        self.logs.set(others.saturating_add(now));
    }

    /// How many bytes the logs have to give back, where the instance may hold `limit` bytes.
    pub fn excess(&self, limit: usize) -> usize {
        let held = self.bodies.get().saturating_add(self.logs.get());
        held.saturating_sub(limit)
    }

    fn of_channel(&self, channel: &str) -> usize {
        let by_channel = self.by_channel.borrow();
        by_channel.get(channel).copied().unwrap_or_default()
    }

    fn set_of_channel(&self, channel: &str, bytes: usize) {
        let mut by_channel = self.by_channel.borrow_mut();
        if bytes == 0 {
            by_channel.remove(channel);
        } else if let Some(known) = by_channel.get_mut(channel) {
            *known = bytes;
        } else {
            by_channel.insert(channel.to_owned(), bytes);
        }
    }
}

/// A body that is counted, until this is dropped.
#[derive(Debug)]
pub struct Admission {
    memory: Rc<Memory>,
    channel: String,
    bytes: usize,
    limit: usize,
    share: Share,
}

impl Admission {
    /// Counts `bytes` more. Returns whether there was room for them; where there was none, nothing is counted.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let memory = &self.memory;
        let bodies = memory.bodies.get().saturating_add(bytes);
        let of_channel = memory.of_channel(&self.channel).saturating_add(bytes);
        let room = self.limit / 2;
        let fits = match self.share {
            Share::Whole => bodies <= room,
            Share::Fair => of_channel <= room.saturating_sub(memory.bodies.get()) / 2,
        };
        if fits {
            memory.bodies.set(bodies);
            memory.set_of_channel(&self.channel, of_channel);
            self.bytes = self.bytes.saturating_add(bytes);
        }
        fits
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let memory = &self.memory;
        let bodies = memory.bodies.get().saturating_sub(self.bytes);
        memory.bodies.set(bodies);
        let of_channel = memory.of_channel(&self.channel).saturating_sub(self.bytes);
        memory.set_of_channel(&self.channel, of_channel);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    const LIMIT: usize = 2_000_000;
    const ROOM: usize = LIMIT / 2;

    /// Admits bodies of 10,000 bytes for `channel` until there is no room. Returns them.
    fn fill(memory: &Rc<Memory>, channel: &str) -> Vec<Admission> {
        let body = 10_000 - REQUEST_BYTES;
        std::iter::from_fn(|| memory.admit(channel, body, LIMIT, Share::Fair)).collect()
    }

    #[test]
    fn one_channel_gets_a_third_and_leaves_the_rest() {
        let memory = Rc::new(Memory::default());
        let first = fill(&memory, "a");
        assert_eq!(first.len(), 33);
        let second = fill(&memory, "b");
        assert_eq!(second.len(), 22, "a third of what was left");
        assert!(fill(&memory, "a").is_empty());
        drop(first);
        assert_eq!(fill(&memory, "c").len(), 26);
        drop(second);
        assert_eq!(memory.bodies.get(), 0);
        assert!(memory.by_channel.borrow().is_empty());
    }

    #[test]
    fn a_small_body_of_another_channel_is_admitted_however_many_channels_are_full() {
        let memory = Rc::new(Memory::default());
        let mut held = Vec::new();
        for number in 0..5 {
            held.extend(fill(&memory, &format!("full {number}")));
            assert!(memory.admit("other", 64, LIMIT, Share::Fair).is_some());
        }
    }

    #[test]
    fn a_body_that_grows_is_counted_and_given_back_whole() {
        let memory = Rc::new(Memory::default());
        let mut admission = memory.admit("a", 0, LIMIT, Share::Fair).unwrap();
        assert!(admission.grow(ROOM / 3));
        assert!(!admission.grow(ROOM / 3), "it would have more than its share");
        assert_eq!(memory.bodies.get(), ROOM / 3 + REQUEST_BYTES);
        assert!(memory.admit("a", 1_000, LIMIT, Share::Whole).is_some());
        drop(admission);
        assert_eq!(memory.bodies.get(), 0);
    }

    #[test]
    fn logs_give_back_what_bodies_take() {
        let memory = Rc::new(Memory::default());
        memory.log_changed(0, LIMIT);
        assert_eq!(memory.excess(LIMIT), 0);
        let body = memory.admit("a", 10_000, LIMIT, Share::Fair);
        assert_eq!(memory.excess(LIMIT), 10_000 + REQUEST_BYTES);
        memory.log_changed(LIMIT, 5);
        assert_eq!(memory.excess(LIMIT), 0);
        drop(body);
    }

    proptest! {
        #[test]
        fn bodies_never_exceed_their_room_and_are_counted_exactly(
            steps in prop::collection::vec((0..4_u8, any::<bool>(), 0..ROOM, any::<Index>(), any::<bool>()), 1..60),
        ) {
            let memory = Rc::new(Memory::default());
            let mut held: Vec<Admission> = Vec::new();
            for (channel, whole, bytes, index, ends) in steps {
                let share = if whole { Share::Whole } else { Share::Fair };
                if ends && !held.is_empty() {
                    held.remove(index.index(held.len()));
                } else {
                    held.extend(memory.admit(&channel.to_string(), bytes, LIMIT, share));
                }
                let sum: usize = held.iter().map(|admission| admission.bytes).sum();
                prop_assert_eq!(memory.bodies.get(), sum);
                prop_assert!(sum <= ROOM);
            }
            held.clear();
            prop_assert!(memory.by_channel.borrow().is_empty());
        }
    }
}
