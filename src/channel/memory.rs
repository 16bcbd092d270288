//! A channel's share of the memory of the instance: its bodies are admitted, and events are evicted from its log.
//!
//! When the instance is over its limit, the events that no stream needs are evicted from the logs of all its channels,
//! whichever channel has reached the limit. That changes memory only, none of the runtime's streams or storage. Events
//! that streams still need are evicted by the object itself when it runs next, because it offers them to its streams
//! first.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use wasm_bindgen_futures::spawn_local;

use super::shared::Shared;
use crate::http::object::request::PublishRequest;
use crate::http::problem::Problem;
use crate::isolate::exclusive::Exclusive;
use crate::isolate::memory::{Admission, Holder, Memory, memory};
use sse_hub::{Evict, Hub, Millis};

/// An eviction frees up to the limit divided by this number, so that the next events do not cause another eviction.
const FREED_PART: usize = 8;

thread_local! {
    /// The channels of this instance by the ids of their objects. Objects that are gone are removed sooner or later.
    static CHANNELS: Exclusive<HashMap<String, Weak<Shared>>> = Exclusive::default();
}

/// The memory that is counted for a channel.
pub struct ChannelMemory {
    memory: Rc<Memory>,
    /// The bytes of the log.
    log_bytes: Cell<usize>,
    /// The bodies, by the numbers of their publishes.
    admissions: Exclusive<HashMap<u64, Admission>>,
    /// The time of the last append.
    pub(super) used_at: Cell<Millis>,
    /// A task is evicting events that streams still need.
    is_evicting: Cell<bool>,
}

impl Default for ChannelMemory {
    fn default() -> Self {
        Self {
            memory: memory(),
            log_bytes: Cell::new(0),
            admissions: Exclusive::default(),
            used_at: Cell::new(0),
            is_evicting: Cell::new(false),
        }
    }
}

impl ChannelMemory {
    fn set_log_bytes(&self, bytes: usize) {
        let before = self.log_bytes.replace(bytes);
        self.memory.log_changed(before, bytes);
    }
}

impl Drop for ChannelMemory {
    fn drop(&mut self) {
        self.set_log_bytes(0);
    }
}

/// Adds a channel from whose log events may be evicted.
///
/// When the runtime resets an object, it drops the object without notice, and the calls in flight in the object never
/// end. They would keep the channel's memory, and its counts, forever. So when the next object of the channel
/// registers, the memory of the previous one is released.
pub fn register(shared: &Rc<Shared>) {
    let object = shared.database.location().object().to_owned();
    let previous = CHANNELS.with(|channels| {
        channels.with(|channels| {
            // Not at every registration, because this visits the whole map. These sizes suffice to bound the map.
            if channels.len().is_power_of_two() {
                channels.retain(|_, channel| channel.strong_count() > 0);
            }
            channels.insert(object, Rc::downgrade(shared))
        })
    });
    if let Some(previous) = previous.flatten().and_then(|previous| previous.upgrade()) {
        previous.release_memory();
    }
}

/// The channels of this instance. The channel whose last append is the longest ago comes first.
pub(super) fn channels() -> Vec<Rc<Shared>> {
    let channels = CHANNELS.with(|channels| {
        channels.with(|channels| {
            channels.retain(|_, channel| channel.strong_count() > 0);
            channels.values().filter_map(Weak::upgrade).collect()
        })
    });
    let mut channels: Vec<Rc<Shared>> = channels.unwrap_or_default();
    channels.sort_by_key(|channel| channel.memory.used_at.get());
    channels
}

/// The body of a publish, which is counted until this value is dropped or the object's memory is released.
pub struct Admitted<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let admissions = &self.shared.memory.admissions;
        admissions.with(|admissions| admissions.remove(&self.number));
    }
}

impl Shared {
    /// Counts the body of a publish before it is read. Fails with [`Problem::MemoryFull`].
    pub(super) fn admit_body(&self, publish: &PublishRequest) -> Result<Admitted<'_>, Problem> {
        let PublishRequest { number, bytes, .. } = *publish;
        let room = self.settings.body_room;
        let admission = memory().admit(self.id(), bytes, room, Holder::Object);
        let admission = admission.ok_or(Problem::MemoryFull)?;
        let admissions = &self.memory.admissions;
        admissions.with(|admissions| admissions.insert(number, admission));
        self.free_memory();
        Ok(Admitted {
            shared: self,
            number,
        })
    }

    /// Releases the memory of an object that the runtime has reset.
    fn release_memory(&self) {
        self.memory.admissions.with(HashMap::clear);
        self.pipeline.clear();
        self.with(|state| state.hub.clear());
        self.memory.set_log_bytes(0);
    }

    /// Counts the bytes of the log, after events were appended or removed.
    pub(super) fn count_log(&self) {
        if let Some(bytes) = self.with(|state| state.hub.memory()) {
            self.memory.set_log_bytes(bytes);
        }
    }

    /// Whether the instance holds more than it may.
    fn is_over_limit(&self) -> bool {
        self.memory.memory.excess(self.settings.memory_bytes) > 0
    }

    /// If the instance is over its limit, evicts the events that no stream needs from the logs of its channels.
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
            channel.evict(Evict::Unneeded);
        }
    }

    fn evict(&self, which: Evict) {
        let history_covers_log = self.settings.history_covers_log();
        self.with(|state| state.hub.evict(which, history_covers_log));
        self.count_log();
    }

    /// If the instance is over its limit, empties the log of this channel after the streams that keep up have received
    /// its events.
    pub(super) async fn evict_log(&self) {
        if !self.is_over_limit() || self.memory.log_bytes.get() == 0 {
            return;
        }
        self.let_streams_keep_up(Hub::readiness_to_empty).await;
        if self.deleting.get() {
            // The deletion of the channel empties the log.
            return;
        }
        self.evict(Evict::All);
        if self.is_over_limit() {
            let output = self.with(|state| state.hub.end_streams_with_partial_events());
            if let Some(output) = output {
                self.perform(output);
            }
            self.count_log();
        }
    }

    /// Starts a task that calls [`evict_log`](Self::evict_log), if the instance is over its limit and no such task
    /// runs.
    pub(super) fn evict_log_soon(self: &Rc<Self>) {
        let is_wanted = self.is_over_limit() && self.memory.log_bytes.get() > 0;
        if is_wanted && !self.memory.is_evicting.replace(true) {
            let shared = self.clone();
            spawn_local(async move {
                shared.evict_log().await;
                shared.memory.is_evicting.set(false);
                shared.set_timer();
            });
        }
    }
}
