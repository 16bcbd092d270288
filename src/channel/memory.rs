//! A channel's part in the memory of the instance: its bodies are admitted, and its log gives memory back.
//!
//! All objects of the instance can be asked to give back what no stream needs, whichever of them runs into the limit: that
//! touches memory alone, none of the runtime's streams or storage. Events that streams still need are given back by
//! each object itself, the next time that it runs, because it offers them to its streams first.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use wasm_bindgen_futures::spawn_local;

use super::Shared;
use crate::http::object::request::PublishRequest;
use crate::http::problem::Problem;
use crate::isolate::memory::{Admission, Holder, Memory, memory};
use sse_hub::{Evict, Hub, Millis};

/// When logs give memory back, they free an eighth of the limit. Otherwise the next event would ask again.
const FREED_PART: usize = 8;

thread_local! {
    /// The channels of this instance, by the ids of their objects. Those that are gone are taken out sooner or later.
    static CHANNELS: RefCell<HashMap<String, Weak<Shared>>> = RefCell::default();
}

/// What is counted of a channel.
pub struct ChannelMemory {
    memory: Rc<Memory>,
    /// Of the log, in bytes.
    bytes: Cell<usize>,
    /// Of bodies, by the numbers of their publishes.
    admissions: RefCell<HashMap<u64, Admission>>,
    /// When something was appended last.
    pub(super) used_at: Cell<Millis>,
    /// A task is giving back what streams still need.
    giving_back: Cell<bool>,
}

impl Default for ChannelMemory {
    fn default() -> Self {
        Self {
            memory: memory(),
            bytes: Cell::new(0),
            admissions: RefCell::default(),
            used_at: Cell::new(0),
            giving_back: Cell::new(false),
        }
    }
}

impl ChannelMemory {
    fn set(&self, bytes: usize) {
        self.memory.log_changed(self.bytes.replace(bytes), bytes);
    }
}

impl Drop for ChannelMemory {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Takes in a channel whose log may be asked for memory.
///
/// The runtime drops an object that it resets without a word, and calls in flight in it never end: they would keep the
/// channel's memory, and what is counted for it, for ever. So when the next object of the channel is made, the memory of
/// the one before is given back.
pub fn register(shared: &Rc<Shared>) {
    let object = shared.database.location().object().to_owned();
    let before = CHANNELS.with_borrow_mut(|channels| {
        // Now and then, so that the map does not grow with every object that ever was.
        if channels.len().is_power_of_two() {
            channels.retain(|_, channel| channel.strong_count() > 0);
        }
        channels.insert(object, Rc::downgrade(shared))
    });
    if let Some(before) = before.and_then(|before| before.upgrade()) {
        before.abandon();
    }
}

/// The channels of this instance, the one that was quiet for the longest time first.
fn channels() -> Vec<Rc<Shared>> {
    let mut channels: Vec<Rc<Shared>> = CHANNELS.with_borrow_mut(|channels| {
        channels.retain(|_, channel| channel.strong_count() > 0);
        channels.values().filter_map(Weak::upgrade).collect()
    });
    channels.sort_by_key(|channel| channel.memory.used_at.get());
    channels
}

/// The body of a publish that is counted until this is dropped, or until its object is abandoned.
pub struct Admitted<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let mut admissions = self.shared.memory.admissions.borrow_mut();
        admissions.remove(&self.number);
    }
}

impl Shared {
    /// Counts the body of a publish before it is read. Fails with [`Problem::MemoryFull`].
    pub(super) fn admit_body(&self, publish: &PublishRequest) -> Result<Admitted<'_>, Problem> {
        let PublishRequest { number, bytes, .. } = *publish;
        let room = self.settings.body_room;
        let admission = memory().admit(self.id(), bytes, room, Holder::Object);
        let admission = admission.ok_or(Problem::MemoryFull)?;
        self.memory
            .admissions
            .borrow_mut()
            .insert(number, admission);
        self.free_memory();
        Ok(Admitted {
            shared: self,
            number,
        })
    }

    /// Gives back the memory of an object that the runtime has reset.
    fn abandon(&self) {
        self.memory.admissions.borrow_mut().clear();
        self.inbox.clear();
        self.hub.borrow_mut().clear();
        self.memory.set(0);
    }

    /// Counts what the log takes, after an event was appended or removed.
    pub(super) fn count_log(&self) {
        self.memory.set(self.hub.borrow().memory());
    }

    /// Whether the instance holds more than it may.
    fn is_over_limit(&self) -> bool {
        self.memory.memory.excess(self.settings.memory_bytes) > 0
    }

    /// Where the instance holds more than it may: has the logs of all channels give back what no stream needs.
    pub(super) fn free_memory(&self) {
        if !self.is_over_limit() {
            return;
        }
        let limit = self.settings.memory_bytes;
        let wanted = limit.saturating_sub(limit / FREED_PART);
        for channel in channels() {
            if self.memory.memory.excess(wanted) == 0 {
                return;
            }
            channel.give_back(Evict::Unneeded);
        }
    }

    fn give_back(&self, which: Evict) {
        let mut hub = self.hub.borrow_mut();
        hub.evict(which, self.settings.history_covers_log());
        self.memory.set(hub.memory());
    }

    /// If the instance is still over its limit, empties the log of this channel after the streams that keep up have received
    /// it.
    pub(super) async fn give_back_log(&self) {
        if self.is_over_limit() && self.memory.bytes.get() > 0 {
            self.let_streams_keep_up(Hub::readiness_to_empty).await;
            // The channel may be ending by now, which empties the log itself.
            if !self.ending.get() {
                self.give_back(Evict::All);
                let over_limit = self.is_over_limit();
                if over_limit {
                    let work = self.hub.borrow_mut().end_streams_with_partial_events();
                    self.perform(work);
                    self.count_log();
                }
            }
        }
    }

    /// The same, from the channel's timer.
    pub(super) fn give_back_log_soon(self: &Rc<Self>) {
        let wanted = self.is_over_limit() && self.memory.bytes.get() > 0;
        if wanted && !self.memory.giving_back.replace(true) {
            let shared = self.clone();
            spawn_local(async move {
                shared.give_back_log().await;
                shared.memory.giving_back.set(false);
                shared.set_timer();
            });
        }
    }
}
