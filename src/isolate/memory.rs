//! Counts the bytes of bodies and logs that one WebAssembly instance holds, and bounds them. Pure.
//!
//! The Worker and all objects of an isolate share one memory, so one publisher could fill it for all others. Two things
//! take memory that grows with what publishers send, and both are counted here: the bodies of publishes, from before
//! they are read until they are answered, and the logs of the channels.
//!
//! A body is in memory twice on its way: in the Worker and in the channel's object. Each of the two has a room of
//! [`Settings::body_room`](crate::settings::Settings::body_room). In the Worker, the bodies of one channel may take
//! half of the space that all other bodies leave free: a single channel gets no more than a third of the room, two
//! channels get a quarter each, and `n` channels get one part of `n + 2` each, so that two parts are left for the next
//! channel. The objects' room is as large, so it has space for every body that the Worker has admitted. A body that the
//! Worker sends to several objects at once is therefore counted in the Worker once for each of them. Logs may take the
//! space that bodies leave of the limit of the whole instance, and are evicted when that space shrinks.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::isolate::exclusive::Exclusive;

/// The bytes that a request is counted for in addition to its body. They bound the number of small bodies, too.
const REQUEST_BYTES: usize = 4_096;

/// The place that holds a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The Worker, which reads the body from the client.
    Worker,
    /// A channel's object. The Worker has admitted the body before.
    Object,
}

/// The bytes that are held in one instance.
#[derive(Debug, Default)]
pub struct Memory {
    in_worker: Cell<usize>,
    in_objects: Cell<usize>,
    logs: Cell<usize>,
    /// The bytes of the bodies in the Worker, for each channel that has any.
    by_channel: Exclusive<HashMap<String, usize>>,
}

thread_local! {
    static MEMORY: Rc<Memory> = Rc::default();
}

/// Returns the counters of this instance.
pub fn memory() -> Rc<Memory> {
    MEMORY.with(Rc::clone)
}

impl Memory {
    /// Counts a body of `bytes` bytes for `channel`. All bodies of `holder` together may take `room` bytes. Returns
    /// `None`, and counts nothing, if there is too little space.
    pub fn admit(
        self: &Rc<Self>,
        channel: &str,
        bytes: usize,
        room: usize,
        holder: Holder,
    ) -> Option<Admission> {
        let mut admission = Admission {
            memory: self.clone(),
            channel: channel.to_owned(),
            bytes: 0,
            room,
            holder,
        };
        admission
            .grow(bytes.saturating_add(REQUEST_BYTES))
            .then_some(admission)
    }

    /// Notes that the size of a log has changed from `before` to `now` bytes.
    pub fn log_changed(&self, before: usize, now: usize) {
        let others = self.logs.get().saturating_sub(before);
        self.logs.set(others.saturating_add(now));
    }

    /// Returns by how many bytes the instance exceeds a limit of `limit` bytes.
    pub fn excess(&self, limit: usize) -> usize {
        let bodies = self.in_worker.get().saturating_add(self.in_objects.get());
        bodies.saturating_add(self.logs.get()).saturating_sub(limit)
    }

    fn held_by(&self, holder: Holder) -> &Cell<usize> {
        match holder {
            Holder::Worker => &self.in_worker,
            Holder::Object => &self.in_objects,
        }
    }

    fn channel_bytes(&self, channel: &str) -> usize {
        let bytes = self
            .by_channel
            .with(|by_channel| by_channel.get(channel).copied());
        bytes.flatten().unwrap_or_default()
    }

    fn set_channel_bytes(&self, channel: &str, bytes: usize) {
        self.by_channel.with(|by_channel| {
            if bytes == 0 {
                by_channel.remove(channel);
            } else if let Some(known) = by_channel.get_mut(channel) {
                *known = bytes;
            } else {
                by_channel.insert(channel.to_owned(), bytes);
            }
        });
    }
}

/// A body that is counted until this value is dropped.
#[derive(Debug)]
pub struct Admission {
    memory: Rc<Memory>,
    channel: String,
    bytes: usize,
    room: usize,
    holder: Holder,
}

impl Admission {
    /// Counts `bytes` more bytes. Returns `false`, and counts nothing, if there is too little space.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let memory = &self.memory;
        let held = memory.held_by(self.holder);
        // The body's own bytes count as free, so that a body that arrives in pieces may get as large as any other.
        let others = held.get().saturating_sub(self.bytes);
        let free = self.room.saturating_sub(others);
        let channel_bytes = memory.channel_bytes(&self.channel).saturating_add(bytes);
        let fits = match self.holder {
            Holder::Worker => channel_bytes <= free / 2,
            Holder::Object => self.bytes.saturating_add(bytes) <= free,
        };
        if fits {
            held.set(held.get().saturating_add(bytes));
            self.bytes = self.bytes.saturating_add(bytes);
            if self.holder == Holder::Worker {
                memory.set_channel_bytes(&self.channel, channel_bytes);
            }
        }
        fits
    }

    /// Raises the count to a body of `bytes` bytes. Returns `false`, and counts nothing, if there is too little space.
    #[must_use]
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let wanted = bytes.saturating_add(REQUEST_BYTES);
        self.grow(wanted.saturating_sub(self.bytes))
    }

    /// Counts one more copy of a body of `bytes` bytes, for another object. Returns `false`, and counts nothing, if
    /// there is too little space.
    #[must_use]
    pub fn grow_by_copy(&mut self, bytes: usize) -> bool {
        self.grow(bytes.saturating_add(REQUEST_BYTES))
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let memory = &self.memory;
        let held = memory.held_by(self.holder);
        held.set(held.get().saturating_sub(self.bytes));
        if self.holder == Holder::Worker {
            let channel_bytes = memory
                .channel_bytes(&self.channel)
                .saturating_sub(self.bytes);
            memory.set_channel_bytes(&self.channel, channel_bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    const LIMIT: usize = 4_000_000;
    const ROOM: usize = 1_000_000;
    const BODY: usize = 10_000 - REQUEST_BYTES;

    /// Admits bodies that count for 10,000 bytes each until there is no space for another one. Returns them.
    fn fill(memory: &Rc<Memory>, channel: &str) -> Vec<Admission> {
        std::iter::from_fn(|| memory.admit(channel, BODY, ROOM, Holder::Worker)).collect()
    }

    #[test]
    fn the_bodies_of_one_channel_get_a_third_of_the_room() {
        let memory = Rc::new(Memory::default());
        let first = fill(&memory, "a");
        assert_eq!(first.len(), 33);
        let second = fill(&memory, "b");
        assert_eq!(second.len(), 22, "a third of what was left");
        assert!(fill(&memory, "a").is_empty());
        drop(first);
        assert_eq!(fill(&memory, "c").len(), 26);
        drop(second);
        assert_eq!(memory.in_worker.get(), 0);
        assert!(memory.by_channel.with(|all| all.is_empty()).unwrap());
    }

    #[test]
    fn a_small_body_of_another_channel_is_admitted_while_many_channels_have_their_share() {
        let memory = Rc::new(Memory::default());
        let mut held = Vec::new();
        for number in 0..50 {
            held.extend(fill(&memory, &format!("full {number}")));
            assert!(memory.admit("other", 64, ROOM, Holder::Worker).is_some());
        }
    }

    #[test]
    fn objects_admit_every_body_that_the_worker_has_admitted() {
        let memory = Rc::new(Memory::default());
        let held: Vec<_> = (0..50)
            .flat_map(|n| fill(&memory, &n.to_string()))
            .collect();
        let copies: Vec<_> = held
            .iter()
            .map(|_| memory.admit("any", BODY, ROOM, Holder::Object))
            .collect();
        assert!(copies.iter().all(Option::is_some));
        assert!(memory.admit("other", 64, ROOM, Holder::Worker).is_some());
    }

    #[test]
    fn objects_admit_every_copy_of_a_body_that_the_worker_has_counted() {
        let memory = Rc::new(Memory::default());
        let mut held = Vec::new();
        let mut copies = 0;
        for channel in ["a", "b", "c"] {
            let mut admission = memory.admit(channel, BODY, ROOM, Holder::Worker).unwrap();
            copies += 1;
            while admission.grow_by_copy(BODY) {
                copies += 1;
            }
            held.push(admission);
        }
        assert!(memory.in_worker.get() <= ROOM);
        let in_objects: Vec<_> = (0..copies)
            .map(|_| memory.admit("any", BODY, ROOM, Holder::Object))
            .collect();
        assert!(copies > 70 && in_objects.iter().all(Option::is_some));
        drop(held);
        assert_eq!(memory.in_worker.get(), 0);
    }

    #[test]
    fn a_body_that_has_grown_is_counted_until_it_is_dropped() {
        let memory = Rc::new(Memory::default());
        let mut admission = memory.admit("a", 0, ROOM, Holder::Worker).unwrap();
        assert!(admission.grow(ROOM / 3));
        assert!(
            !admission.grow(ROOM / 3),
            "it would have more than its share"
        );
        assert!(admission.grow_to(ROOM / 3) && admission.grow_to(5));
        assert_eq!(memory.in_worker.get(), ROOM / 3 + REQUEST_BYTES);
        drop(admission);
        assert_eq!(memory.in_worker.get(), 0);
        let largest = memory.admit("a", ROOM / 2 - REQUEST_BYTES, ROOM, Holder::Worker);
        assert!(largest.unwrap().grow(0));
    }

    #[test]
    fn bodies_reduce_the_space_that_is_left_for_logs() {
        let memory = Rc::new(Memory::default());
        memory.log_changed(0, LIMIT);
        assert_eq!(memory.excess(LIMIT), 0);
        let bodies = [Holder::Worker, Holder::Object]
            .map(|holder| memory.admit("a", BODY, ROOM, holder).unwrap());
        assert_eq!(memory.excess(LIMIT), 20_000);
        memory.log_changed(LIMIT, 5);
        assert_eq!(memory.excess(LIMIT), 0);
        drop(bodies);
    }

    proptest! {
        #[test]
        fn bodies_never_exceed_their_room_and_are_counted_exactly(
            steps in prop::collection::vec((0..4_u8, any::<bool>(), 0..ROOM, any::<Index>(), any::<bool>()), 1..60),
        ) {
            let memory = Rc::new(Memory::default());
            let mut held: Vec<Admission> = Vec::new();
            for (channel, object, bytes, index, ends) in steps {
                let holder = if object { Holder::Object } else { Holder::Worker };
                if ends && !held.is_empty() {
                    held.remove(index.index(held.len()));
                } else {
                    held.extend(memory.admit(&channel.to_string(), bytes, ROOM, holder));
                }
                for holder in [Holder::Worker, Holder::Object] {
                    let of_holder = held.iter().filter(|admission| admission.holder == holder);
                    let sum: usize = of_holder.map(|admission| admission.bytes).sum();
                    prop_assert_eq!(memory.held_by(holder).get(), sum);
                    prop_assert!(sum <= ROOM);
                }
            }
            held.clear();
            prop_assert!(memory.by_channel.with(|all| all.is_empty()).unwrap());
        }
    }
}
