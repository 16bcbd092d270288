//! Environment variables -> [`Settings`]. Pure: the environment comes in as a function.

use crate::auth::Access;
use crate::environment::{Environment, SettingError};
use crate::http::cors::Origins;
use crate::logging::Level;
use sse_hub::{Limits, Millis};

/// The largest `BUFFER_BYTES`: an object has 128 MiB, which it may share with others.
const MAX_BUFFER_BYTES: u64 = 8 << 20;

/// The default of `MEMORY_BYTES`: an object has 128 MiB, of which JavaScript, open streams and copies on their way take more
/// than what is counted.
const MEMORY_BYTES: u64 = 32 << 20;

/// The largest `MEMORY_BYTES`: half of what WebAssembly can address.
const MAX_MEMORY_BYTES: u64 = 2 << 30;

/// The room for bodies, however high `MEMORY_BYTES` is: bodies wait for one thread, and more of them would make the publishes
/// of all channels wait for longer.
const BODY_ROOM: u64 = 8 << 20;

/// The largest `HISTORY_EVENTS`, and `IDEMPOTENCY_KEYS`: an object may have to look at the heads of as many rows as the
/// former, and keeps the latter in memory.
const MAX_HISTORY_EVENTS: u64 = 1_000_000;
const MAX_IDEMPOTENCY_KEYS: u64 = 16_384;

/// The largest `HISTORY_BYTES`. Up to twice the bytes held are stored (the platform gives an object 10 GB), and half of that
/// is dropped at once: measured with rows of 1 MB, 256 MB take 0.22 s, in which the object does nothing else.
const MAX_HISTORY_BYTES: u64 = 256 << 20;

/// The largest `HISTORY_SECONDS`: a year.
const MAX_HISTORY_SECONDS: u64 = 365 * 86_400;

/// The largest `PUBLISH_PER_SECOND`; far more than an object can take.
const MAX_PUBLISH_PER_SECOND: u64 = 1_000_000;

/// What is held of a channel's events, whichever is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// `HISTORY_EVENTS`; 0 for no history.
    pub events: u64,
    /// `HISTORY_SECONDS`, in milliseconds.
    pub age: Millis,
    /// `HISTORY_BYTES`.
    pub bytes: u64,
}

/// How long idempotency keys are remembered, whichever ends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdempotencyLimits {
    /// `IDEMPOTENCY_SECONDS`, in milliseconds.
    pub age: Millis,
    /// `IDEMPOTENCY_KEYS`.
    pub keys: u64,
}

/// Everything that a deployment can set. Shapes, units and defaults are in `README.md`, "Settings".
#[derive(Clone, Debug)]
pub struct Settings {
    /// The hub's bounds: `BUFFER_EVENTS`, `BUFFER_BYTES`, `HEARTBEAT_SECONDS`, `STALL_SECONDS`, `FLUSH_MAX_MS`.
    pub limits: Limits,
    /// `MAX_EVENT_BYTES`: of one event's data.
    pub max_event_bytes: usize,
    /// `MAX_BATCH_BYTES`: of a batch's body.
    pub max_batch_bytes: usize,
    /// `MAX_BATCH_EVENTS`.
    pub max_batch_events: usize,
    /// `BODY_SECONDS`, in milliseconds: how long a body may take to arrive.
    pub body_time: Millis,
    /// `MEMORY_BYTES`: of bodies and logs, in one instance. See [`crate::isolate::memory`].
    pub memory_bytes: usize,
    /// How many of these bytes bodies may take in the Worker, and again in objects.
    pub body_room: usize,
    /// `MAX_SUBSCRIBERS`: open streams per channel.
    pub max_subscribers: usize,
    /// `MAX_OPEN_CHANNELS`: channels whose objects are open, in one instance; `None` for any number.
    pub max_open_channels: Option<usize>,
    /// `PUBLISH_PER_SECOND`: publishes per channel; `None` for any number.
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
    /// Reads all settings. `variable` gives a variable's value, `None` where it is not set; an empty value counts as
    /// not set. The first variable that is wrong is the error.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let environment = Environment::new(&variable);
        let buffer_events = environment.number("BUFFER_EVENTS", 256, 1, 65_536, "")?;
        let buffer_bytes =
            environment.number("BUFFER_BYTES", 1 << 20, 1_024, MAX_BUFFER_BYTES, "")?;
        let heartbeat = environment.number("HEARTBEAT_SECONDS", 15, 1, 300, "")?;
        let stall = environment.number("STALL_SECONDS", 300, 0, 86_400, "")?;
        let flush_max = environment.number("FLUSH_MAX_MS", 25, 0, 1_000, "")?;
        // A batch has to fit into the buffer whole, and an event into a batch: defaults shrink with what holds them.
        let max_batch_bytes = environment.number(
            "MAX_BATCH_BYTES",
            (1 << 20).min(buffer_bytes),
            1,
            buffer_bytes,
            " (BUFFER_BYTES)",
        )?;
        let max_event_bytes = environment.number(
            "MAX_EVENT_BYTES",
            65_536.min(max_batch_bytes),
            1,
            max_batch_bytes,
            " (MAX_BATCH_BYTES)",
        )?;
        let max_batch_events = environment.number(
            "MAX_BATCH_EVENTS",
            256.min(buffer_events),
            1,
            buffer_events,
            " (BUFFER_EVENTS)",
        )?;
        // A publish takes up to `BUFFER_BYTES` once it is encoded, and may take half of a room of a quarter.
        let least_memory = buffer_bytes.saturating_mul(8).saturating_add(1 << 16);
        let memory_bytes = environment.number(
            "MEMORY_BYTES",
            MEMORY_BYTES.max(least_memory),
            least_memory,
            MAX_MEMORY_BYTES,
            " (at least 8 times BUFFER_BYTES and 65536)",
        )?;
        let body_seconds = environment.number("BODY_SECONDS", 30, 1, 300, "")?;
        let history_seconds =
            environment.number("HISTORY_SECONDS", 86_400, 1, MAX_HISTORY_SECONDS, "")?;
        let idempotency_seconds = environment.number("IDEMPOTENCY_SECONDS", 600, 1, 86_400, "")?;
        let publish_per_second =
            environment.number("PUBLISH_PER_SECOND", 0, 0, MAX_PUBLISH_PER_SECOND, "")?;
        let max_open = environment.number("MAX_OPEN_CHANNELS", 0, 0, 1_000_000, "")?;
        Ok(Self {
            limits: Limits {
                buffer_events: to_usize(buffer_events),
                buffer_bytes: to_usize(buffer_bytes),
                heartbeat: heartbeat.saturating_mul(1_000),
                stall: (stall > 0).then(|| stall.saturating_mul(1_000)),
                flush_max,
            },
            max_event_bytes: to_usize(max_event_bytes),
            max_batch_bytes: to_usize(max_batch_bytes),
            max_batch_events: to_usize(max_batch_events),
            body_time: body_seconds.saturating_mul(1_000),
            memory_bytes: to_usize(memory_bytes),
            // The largest publish takes half of it.
            body_room: to_usize((memory_bytes / 4).min(BODY_ROOM.max(least_memory / 4))),
            // workerd keeps about 70 KiB per open stream, and an object has 128 MiB: 2,000 is near what it can hold.
            max_subscribers: to_usize(environment.number(
                "MAX_SUBSCRIBERS",
                2_000,
                1,
                32_768,
                "",
            )?),
            max_open_channels: (max_open > 0).then(|| to_usize(max_open)),
            publish_per_second: (publish_per_second > 0).then_some(publish_per_second),
            history: HistoryLimits {
                events: environment.number("HISTORY_EVENTS", 1_000, 0, MAX_HISTORY_EVENTS, "")?,
                age: history_seconds.saturating_mul(1_000),
                bytes: environment.number("HISTORY_BYTES", 16 << 20, 1, MAX_HISTORY_BYTES, "")?,
            },
            idempotency: IdempotencyLimits {
                age: idempotency_seconds.saturating_mul(1_000),
                keys: environment.number("IDEMPOTENCY_KEYS", 1_024, 1, MAX_IDEMPOTENCY_KEYS, "")?,
            },
            access: Access::read(&environment)?,
            allowed_origins: Origins::read(&environment)?,
            log_level: environment.choice(
                "LOG_LEVEL",
                Level::Info,
                "debug, info, warn or error",
                Level::from_name,
            )?,
        })
    }
}

impl Settings {
    /// Whether the history holds at least what a channel's log holds.
    pub fn history_covers_log(&self) -> bool {
        let HistoryLimits { events, age, bytes } = self.history;
        // A stream that is behind for longer is ended, or asked for it.
        let long_enough = age >= self.limits.stall.unwrap_or(3_600_000);
        let large_enough = bytes >= self.limits.buffer_bytes as u64;
        long_enough && large_enough && events >= self.limits.buffer_events as u64
    }
}

/// Every number here is under 2^32.
fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a deployment that is open, unless `variables` say otherwise.
    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingError> {
        let open = [("ACCESS", "open")];
        Settings::read(|name| {
            let mut all = variables.iter().chain(&open);
            let (_, value) = all.find(|(variable, _)| *variable == name)?;
            Some((*value).to_owned())
        })
    }

    #[test]
    fn defaults() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.limits.buffer_events, 256);
        assert_eq!(settings.limits.buffer_bytes, 1_048_576);
        assert_eq!(settings.limits.heartbeat, 15_000);
        assert_eq!(settings.limits.stall, Some(300_000));
        assert_eq!(settings.limits.flush_max, 25);
        assert_eq!(settings.max_event_bytes, 65_536);
        assert_eq!(settings.max_batch_bytes, 1_048_576);
        assert_eq!(settings.max_batch_events, 256);
        assert_eq!(settings.max_subscribers, 2_000);
        assert_eq!(settings.history.events, 1_000);
        assert_eq!(settings.history.age, 86_400_000);
        assert_eq!(settings.history.bytes, 16_777_216);
        assert_eq!(settings.idempotency.age, 600_000);
        assert_eq!(settings.idempotency.keys, 1_024);
        assert_eq!(settings.publish_per_second, None);
        assert_eq!(settings.allowed_origins, Origins::Any);
        assert_eq!(settings.log_level, Level::Info);
    }

    #[test]
    fn values_are_taken() {
        let settings = read(&[
            ("STALL_SECONDS", "0"),
            ("LOG_LEVEL", "debug"),
            ("HEARTBEAT_SECONDS", ""),
        ])
        .unwrap();
        assert_eq!(settings.limits.stall, None);
        assert_eq!(settings.log_level, Level::Debug);
        assert_eq!(settings.limits.heartbeat, 15_000);
    }

    #[test]
    fn batches_shrink_with_the_buffer_unless_they_are_set() {
        let settings = read(&[("BUFFER_EVENTS", "4"), ("BUFFER_BYTES", "2048")]).unwrap();
        assert_eq!(settings.max_batch_events, 4);
        assert_eq!(settings.max_batch_bytes, 2_048);
        assert_eq!(settings.max_event_bytes, 2_048);
        let error = read(&[("BUFFER_EVENTS", "4"), ("MAX_BATCH_EVENTS", "5")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "MAX_BATCH_EVENTS is \"5\": it has to be a whole number from 1 to 4 (BUFFER_EVENTS)"
        );
    }

    #[test]
    fn bad_values_are_named() {
        for (name, value) in [
            ("BUFFER_EVENTS", "0"),
            ("BUFFER_EVENTS", "many"),
            ("BUFFER_BYTES", "1e6"),
            ("HEARTBEAT_SECONDS", "301"),
            ("HEARTBEAT_SECONDS", "0"),
            ("STALL_SECONDS", "-1"),
            ("FLUSH_MAX_MS", "2.5"),
            ("MAX_EVENT_BYTES", "1048577"),
            ("MAX_BATCH_BYTES", "99999999999999999999"),
            ("MAX_SUBSCRIBERS", " 5"),
            ("HISTORY_EVENTS", "-1"),
            ("HISTORY_SECONDS", "0"),
            ("HISTORY_BYTES", "0"),
            ("IDEMPOTENCY_SECONDS", "86401"),
            ("IDEMPOTENCY_KEYS", "0"),
            ("PUBLISH_PER_SECOND", "1000001"),
            ("LOG_LEVEL", "INFO!"),
            ("ACCESS", "Open"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!((error.name, error.found), (name, format!("is {value:?}")));
            assert!(!error.expected.is_empty());
        }
    }

    #[test]
    fn nothing_is_open_by_itself() {
        for access in ["", "token", "publish-token"] {
            let error = read(&[("ACCESS", access)]).unwrap_err();
            assert_eq!(
                error.to_string(),
                "JWT_SECRET is not set: it has to be a secret of at least 32 bytes, unless JWT_KEYS is set or ACCESS is open"
            );
        }
    }

    #[test]
    fn no_error_shows_a_secret() {
        let error = read(&[("JWT_SECRET", "0123456789012345678901234567890")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "JWT_SECRET has 31 bytes: it has to be a secret of at least 32 bytes"
        );
        for (keys, found) in [
            ("hush", "is not JSON (expected value at line 1 column 1)"),
            ("[]", "has no list \"keys\""),
            (r#"{"keys":[]}"#, "contains no usable key"),
            (
                r#"{"keys":[{"kty":"oct","k":"aHVzaA"}]}"#,
                "contains no usable key",
            ),
            (
                r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"a","d":"aHVzaA"}]}"#,
                "contains a private key (\"d\")",
            ),
            (
                r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"aHVzaA"}]}"#,
                "contains no usable key",
            ),
        ] {
            let error = read(&[("JWT_KEYS", keys)]).unwrap_err();
            assert_eq!((error.name, error.found.as_str()), ("JWT_KEYS", found));
        }
    }
}
