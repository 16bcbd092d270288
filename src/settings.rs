//! The settings of a deployment: environment variables become [`Settings`].
//!
//! The modules, in the order of their dependencies: each uses only those before it.
//!
//! - [`table`]: the names, defaults and ranges of all settings
//! - [`origins`]: the setting `ALLOWED_ORIGINS`
//! - [`deployment`]: reads the settings of this deployment once

pub mod deployment;
pub mod origins;
pub mod table;

use crate::auth::Access;
use crate::environment::{Environment, SettingError};
use crate::logging::Level;
use sse_hub::{Limits, Millis};

use self::origins::Origins;
use self::table::Number;

/// The most memory for the bodies of publishes, even if `MEMORY_BYTES` allows more. One thread handles all bodies, so
/// more of them in memory would only make each publish take longer.
const BODY_ROOM: u64 = 8 << 20;

/// The part of `MEMORY_BYTES` that bodies may take in the Worker, and again in the objects.
const BODY_PARTS: u64 = 4;

/// With `STALL_SECONDS=0` a stream may stay behind forever. The history then has to cover this time, in milliseconds.
const TIME_WITHOUT_STALL: Millis = 3_600_000;

/// What the history of a channel keeps. The limit that is reached first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// `HISTORY_EVENTS`; 0 for no history.
    pub events: u64,
    /// `HISTORY_SECONDS`, in milliseconds.
    pub age: Millis,
    /// `HISTORY_BYTES`.
    pub bytes: u64,
}

/// How long a channel remembers idempotency keys. The limit that is reached first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdempotencyLimits {
    /// `IDEMPOTENCY_SECONDS`, in milliseconds.
    pub age: Millis,
    /// `IDEMPOTENCY_KEYS`.
    pub keys: u64,
}

/// Whether objects or the Worker hold open streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldStreams {
    /// In the channel's object, which stays awake for them.
    Object,
    /// In the Worker, so that the object can sleep.
    Worker,
    /// In the object while the channel is busy, and otherwise in the Worker.
    Auto,
}

impl HoldStreams {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "object" => Some(Self::Object),
            "worker" => Some(Self::Worker),
            "auto" => Some(Self::Auto),
            _ => None,
        }
    }
}

/// All settings of a deployment. `docs/settings.md` explains them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The bounds of the hub: `BUFFER_EVENTS`, `BUFFER_BYTES`, `HEARTBEAT_SECONDS`, `STALL_SECONDS`, `FLUSH_MAX_MS`.
    pub limits: Limits,
    /// `MAX_EVENT_BYTES`: the most data of one event.
    pub max_event_bytes: usize,
    /// `MAX_BATCH_BYTES`: the largest body of a batch.
    pub max_batch_bytes: usize,
    /// `MAX_BATCH_EVENTS`.
    pub max_batch_events: usize,
    /// `BODY_SECONDS`, in milliseconds: how long a body may take to arrive.
    pub body_time: Millis,
    /// `MEMORY_BYTES`: how much memory the bodies and logs of one instance may take. See [`crate::isolate::memory`].
    pub memory_bytes: usize,
    /// The part of `memory_bytes` that bodies may take in the Worker, and again in the objects.
    pub body_room: usize,
    /// `MAX_SUBSCRIBERS`: open streams per channel.
    pub max_subscribers: usize,
    /// `MAX_CHANNELS_PER_STREAM`: the most channels of one request, which subscribes or publishes.
    pub max_channels_per_stream: usize,
    /// `MAX_OPEN_CHANNELS`: how many objects one instance may have open; `None` for no limit.
    pub max_open_channels: Option<usize>,
    /// `HOLD_STREAMS`: whether objects or the Worker hold open streams.
    pub hold_streams: HoldStreams,
    /// `HELD_STREAM_MESSAGES`: how many messages a stream may cost that the Worker holds; `None` for no limit.
    pub held_stream_messages: Option<u64>,
    /// `PUBLISH_PER_SECOND`: publishes per second and channel; `None` for no limit.
    pub publish_per_second: Option<u64>,
    /// `HISTORY_EVENTS`, `HISTORY_SECONDS`, `HISTORY_BYTES`.
    pub history: HistoryLimits,
    /// `IDEMPOTENCY_SECONDS`, `IDEMPOTENCY_KEYS`.
    pub idempotency: IdempotencyLimits,
    /// `ACCESS`, `JWT_SECRET`, `JWT_KEYS`, `JWT_ISSUER`, `JWT_AUDIENCE`.
    pub access: Access,
    /// `ALLOWED_ORIGINS`.
    pub allowed_origins: Origins,
    /// `LOG_LEVEL`.
    pub log_level: Level,
}

impl Settings {
    /// Reads all settings. `variable` returns the value of a variable, or `None` if it is not set. An empty value
    /// counts as not set. Fails with the first variable that cannot be used.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let environment = Environment::new(&variable);
        let number = |setting: Number| setting.read(&environment);
        let size = |setting: Number| setting.read(&environment).map(to_usize);
        let seconds = |setting: Number| -> Result<Millis, SettingError> {
            Ok(setting.read(&environment)?.saturating_mul(1_000))
        };
        let history_events = number(table::HISTORY_EVENTS)?;
        let stall = seconds(table::STALL_SECONDS)?;
        let publish_per_second = number(table::PUBLISH_PER_SECOND)?;
        let held_stream_messages = number(table::HELD_STREAM_MESSAGES)?;
        let max_open_channels = size(table::MAX_OPEN_CHANNELS)?;
        let memory_bytes = number(table::MEMORY_BYTES)?;
        let least_memory = table::MEMORY_BYTES.least.value(&environment)?;
        Ok(Self {
            limits: Limits {
                buffer_events: size(table::BUFFER_EVENTS)?,
                buffer_bytes: size(table::BUFFER_BYTES)?,
                heartbeat: seconds(table::HEARTBEAT_SECONDS)?,
                stall: (stall > 0).then_some(stall),
                flush_max: number(table::FLUSH_MAX_MS)?,
                may_sleep: history_events > 0,
            },
            max_event_bytes: size(table::MAX_EVENT_BYTES)?,
            max_batch_bytes: size(table::MAX_BATCH_BYTES)?,
            max_batch_events: size(table::MAX_BATCH_EVENTS)?,
            body_time: seconds(table::BODY_SECONDS)?,
            memory_bytes: to_usize(memory_bytes),
            // The largest publish takes half of the room, which a small MEMORY_BYTES must not prevent.
            body_room: to_usize(
                (memory_bytes / BODY_PARTS).min(BODY_ROOM.max(least_memory / BODY_PARTS)),
            ),
            max_subscribers: size(table::MAX_SUBSCRIBERS)?,
            hold_streams: table::HOLD_STREAMS.read(&environment, HoldStreams::from_name)?,
            held_stream_messages: (held_stream_messages > 0).then_some(held_stream_messages),
            max_channels_per_stream: size(table::MAX_CHANNELS_PER_STREAM)?,
            max_open_channels: (max_open_channels > 0).then_some(max_open_channels),
            publish_per_second: (publish_per_second > 0).then_some(publish_per_second),
            history: HistoryLimits {
                events: history_events,
                age: seconds(table::HISTORY_SECONDS)?,
                bytes: number(table::HISTORY_BYTES)?,
            },
            idempotency: IdempotencyLimits {
                age: seconds(table::IDEMPOTENCY_SECONDS)?,
                keys: number(table::IDEMPOTENCY_KEYS)?,
            },
            access: Access::read(&environment)?,
            allowed_origins: Origins::read(&environment)?,
            log_level: table::LOG_LEVEL.read(&environment, Level::from_name)?,
        })
    }

    /// Whether the history keeps at least the events that a channel's log keeps.
    pub fn history_covers_log(&self) -> bool {
        let HistoryLimits { events, age, bytes } = self.history;
        // A stream that takes nothing for longer is ended.
        let is_long_enough = age >= self.limits.stall.unwrap_or(TIME_WITHOUT_STALL);
        let is_large_enough = bytes >= self.limits.buffer_bytes as u64;
        is_long_enough && is_large_enough && events >= self.limits.buffer_events as u64
    }
}

/// All numbers here are below 2^32.
fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod documentation;
#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;
