//! Environment variables -> [`Settings`]. Pure: the environment comes in as a function.

use crate::fanout::{Limits, Millis};
use crate::logging::Level;

/// The largest `BUFFER_BYTES`: an object has 128 MiB, which it may share with others.
const MAX_BUFFER_BYTES: u64 = 8 << 20;

/// The largest `HISTORY_EVENTS`, and `IDEMPOTENCY_KEYS`: an object may have to look at the heads of as many rows as the
/// former, and keeps the latter in memory.
const MAX_HISTORY_EVENTS: u64 = 1_000_000;
const MAX_IDEMPOTENCY_KEYS: u64 = 16_384;

/// The largest `HISTORY_BYTES`. Up to twice the bytes held are stored (the platform gives an object 10 GB), and half of that
/// is dropped at once: measured with rows of 1 MB, 256 MB take 0.22 s, in which the object does nothing else.
const MAX_HISTORY_BYTES: u64 = 256 << 20;

/// The largest `HISTORY_SECONDS`: a year.
const MAX_HISTORY_SECONDS: u64 = 365 * 86_400;

/// A variable whose value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is \"{value}\": it has to be {expected}")]
pub struct SettingError {
    /// Which variable.
    pub name: &'static str,
    /// What it was set to.
    pub value: String,
    /// What would be right.
    pub expected: String,
}

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
    /// `MAX_SUBSCRIBERS`: open streams per channel.
    pub max_subscribers: usize,
    /// `HISTORY_EVENTS`, `HISTORY_SECONDS`, `HISTORY_BYTES`.
    pub history: HistoryLimits,
    /// `IDEMPOTENCY_SECONDS`, `IDEMPOTENCY_KEYS`.
    pub idempotency: IdempotencyLimits,
    /// `LOG_LEVEL`.
    pub log_level: Level,
}

impl Settings {
    /// Reads all settings. `variable` gives a variable's value, `None` where it is not set; an empty value counts as
    /// not set. The first variable that is wrong is the error.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let source = Source { variable };
        let buffer_events = source.number("BUFFER_EVENTS", 256, 1, 65_536, "")?;
        let buffer_bytes = source.number("BUFFER_BYTES", 1 << 20, 1_024, MAX_BUFFER_BYTES, "")?;
        let heartbeat = source.number("HEARTBEAT_SECONDS", 15, 1, 300, "")?;
        let stall = source.number("STALL_SECONDS", 300, 0, 86_400, "")?;
        let flush_max = source.number("FLUSH_MAX_MS", 25, 0, 1_000, "")?;
        // A batch has to fit into the buffer whole, and an event into a batch: defaults shrink with what holds them.
        let max_batch_bytes = source.number(
            "MAX_BATCH_BYTES",
            (1 << 20).min(buffer_bytes),
            1,
            buffer_bytes,
            " (BUFFER_BYTES)",
        )?;
        let max_event_bytes = source.number(
            "MAX_EVENT_BYTES",
            65_536.min(max_batch_bytes),
            1,
            max_batch_bytes,
            " (MAX_BATCH_BYTES)",
        )?;
        let max_batch_events = source.number(
            "MAX_BATCH_EVENTS",
            256.min(buffer_events),
            1,
            buffer_events,
            " (BUFFER_EVENTS)",
        )?;
        let history_seconds =
            source.number("HISTORY_SECONDS", 86_400, 1, MAX_HISTORY_SECONDS, "")?;
        let idempotency_seconds = source.number("IDEMPOTENCY_SECONDS", 600, 1, 86_400, "")?;
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
            // workerd keeps about 70 KiB per open stream, and an object has 128 MiB: 2,000 is near what it can hold.
            max_subscribers: to_usize(source.number("MAX_SUBSCRIBERS", 2_000, 1, 32_768, "")?),
            history: HistoryLimits {
                events: source.number("HISTORY_EVENTS", 1_000, 0, MAX_HISTORY_EVENTS, "")?,
                age: history_seconds.saturating_mul(1_000),
                bytes: source.number("HISTORY_BYTES", 16 << 20, 1, MAX_HISTORY_BYTES, "")?,
            },
            idempotency: IdempotencyLimits {
                age: idempotency_seconds.saturating_mul(1_000),
                keys: source.number("IDEMPOTENCY_KEYS", 1_024, 1, MAX_IDEMPOTENCY_KEYS, "")?,
            },
            log_level: source.log_level()?,
        })
    }
}

/// Every number here is under 2^32.
fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

struct Source<F> {
    variable: F,
}

impl<F: Fn(&str) -> Option<String>> Source<F> {
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// A whole number from `least` to `most`; `bound` says which other variable set the upper limit.
    fn number(
        &self,
        name: &'static str,
        default: u64,
        least: u64,
        most: u64,
        bound: &str,
    ) -> Result<u64, SettingError> {
        let Some(value) = self.get(name) else {
            return Ok(default);
        };
        match value.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(SettingError {
                name,
                value,
                expected: format!("a whole number from {least} to {most}{bound}"),
            }),
        }
    }

    fn log_level(&self) -> Result<Level, SettingError> {
        let name = "LOG_LEVEL";
        let Some(value) = self.get(name) else {
            return Ok(Level::Info);
        };
        Level::from_name(&value).ok_or_else(|| SettingError {
            name,
            value,
            expected: "debug, info, warn or error".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingError> {
        Settings::read(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name)?;
            Some(found.1.to_owned())
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
            ("LOG_LEVEL", "INFO!"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!((error.name, error.value.as_str()), (name, value));
            assert!(error.to_string().contains("has to be"));
        }
    }
}
