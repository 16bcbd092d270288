//! A channel's part in the memory of the instance: its bodies are admitted, and its log gives memory back.
//!
//! All objects of the instance can be asked to give back what no stream needs, whichever of them runs into the limit: that
//! touches memory alone, none of the runtime's streams or storage. What streams still need is given back by each object
//! itself, the next time that it runs, as its streams are offered it first.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use wasm_bindgen_futures::spawn_local;

use super::Shared;
use crate::fanout::{GiveBack, Hub, Millis};
use crate::memory::{Admission, Memory, Share, memory};
use crate::problem::Problem;

/// Logs that give memory back go on until this part of the limit is free: an eighth. Otherwise the next event would ask
/// again.
const FREED_PART: usize = 8;

thread_local! {
    /// The channels of this instance. Those that are gone are taken out sooner or later.
    static CHANNELS: RefCell<Vec<Weak<Shared>>> = RefCell::default();
}

/// The bytes that a channel's log is counted for.
pub struct LogMemory {
    memory: Rc<Memory>,
    bytes: Cell<usize>,
    /// When something was appended last.
    pub(super) used_at: Cell<Millis>,
    /// A task is giving back what streams still need.
    giving_back: Cell<bool>,
}

impl Default for LogMemory {
    fn default() -> Self {
        Self {
            memory: memory(),
            bytes: Cell::new(0),
            used_at: Cell::new(0),
            giving_back: Cell::new(false),
        }
    }
}

impl LogMemory {
    fn set(&self, bytes: usize) {
        self.memory.log_changed(self.bytes.replace(bytes), bytes);
    }
}

impl Drop for LogMemory {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Takes in a channel whose log may be asked for memory.
pub fn register(shared: &Rc<Shared>) {
    CHANNELS.with_borrow_mut(|channels| {
        // Now and then, so that the list does not grow with every object that ever was.
        if channels.len().is_power_of_two() {
            channels.retain(|channel| channel.strong_count() > 0);
        }
        channels.push(Rc::downgrade(shared));
    });
}

/// The channels of this instance, the one that was quiet for the longest time first.
fn channels() -> Vec<Rc<Shared>> {
    let mut channels: Vec<Rc<Shared>> = CHANNELS.with_borrow_mut(|channels| {
        channels.retain(|channel| channel.strong_count() > 0);
        channels.iter().filter_map(Weak::upgrade).collect()
    });
    channels.sort_by_key(|channel| channel.log_memory.used_at.get());
    channels
}

impl Shared {
    /// Counts the body of a publish before it is read. Fails with [`Problem::MemoryFull`].
    pub(super) fn admit_body(&self, bytes: usize) -> Result<Admission, Problem> {
        let limit = self.settings.memory_bytes;
        let admission = memory().admit(self.id(), bytes, limit, Share::Whole);
        let admission = admission.ok_or(Problem::MemoryFull)?;
        self.free_memory();
        Ok(admission)
    }

    /// Counts what the log takes, after an event was appended or removed.
    pub(super) fn count_log(&self) {
        self.log_memory.set(self.hub.borrow().memory());
    }

    /// Whether the instance holds more than it may.
    fn is_over_limit(&self) -> bool {
        self.log_memory.memory.excess(self.settings.memory_bytes) > 0
    }

    /// Where the instance holds more than it may: has the logs of all channels give back what no stream needs.
    pub(super) fn free_memory(&self) {
        if !self.is_over_limit() {
            return;
        }
        let limit = self.settings.memory_bytes;
        let wanted = limit.saturating_sub(limit / FREED_PART);
        for channel in channels() {
            if self.log_memory.memory.excess(wanted) == 0 {
                return;
            }
            channel.give_back(GiveBack::Unneeded);
        }
    }

    fn give_back(&self, which: GiveBack) {
        // One that is being changed just now is the one that asks, and has counted what it holds.
        if let Ok(mut hub) = self.hub.try_borrow_mut() {
            hub.give_back(which, self.settings.history_covers_log());
            self.log_memory.set(hub.memory());
        }
    }

    /// Where the instance still holds more than it may: gives back the whole log of this channel, once the streams that
    /// keep up have taken what they were due.
    pub(super) async fn give_back_log(&self) {
        if self.is_over_limit() && self.log_memory.bytes.get() > 0 {
            self.let_streams_keep_up(Hub::before_emptying).await;
            // The channel may be ending by now, which empties the log itself.
            if !self.ending.get() {
                self.give_back(GiveBack::All);
            }
        }
    }

    /// The same, from the channel's timer.
    pub(super) fn give_back_log_soon(self: &Rc<Self>) {
        let wanted = self.is_over_limit() && self.log_memory.bytes.get() > 0;
        if wanted && !self.log_memory.giving_back.replace(true) {
            let shared = self.clone();
            spawn_local(async move {
                shared.give_back_log().await;
                shared.log_memory.giving_back.set(false);
                shared.set_timer();
            });
        }
    }
}
