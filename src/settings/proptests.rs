//! Of the variables that are numbers, or one of a few names.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use proptest_support::{check, text};

/// Another setting, and what it makes of that one's value.
type Above = (&'static str, fn(u64) -> u64);

/// A setting as the README describes it. The most may be what another setting says, and the default is no more than
/// that.
#[derive(Clone, Debug)]
struct Number {
    name: &'static str,
    default: u64,
    least: u64,
    most: u64,
    within: Option<&'static str>,
    /// The least is what this makes of another setting, and the default is no less than that.
    above: Option<Above>,
    found: fn(&Settings) -> u64,
}

const fn number(
    name: &'static str,
    default: u64,
    (least, most): (u64, u64),
    found: fn(&Settings) -> u64,
) -> Number {
    Number {
        name,
        default,
        least,
        most,
        within: None,
        above: None,
        found,
    }
}

const fn within(
    name: &'static str,
    default: u64,
    other: &'static str,
    found: fn(&Settings) -> u64,
) -> Number {
    Number {
        name,
        default,
        least: 1,
        most: u64::MAX,
        within: Some(other),
        above: None,
        found,
    }
}

/// Those that others depend on come first.
const NUMBERS: &[Number] = &[
    number("BUFFER_EVENTS", 256, (1, 65_536), |all| {
        all.limits.buffer_events as u64
    }),
    number("BUFFER_BYTES", 1_048_576, (1_024, 8_388_608), |all| {
        all.limits.buffer_bytes as u64
    }),
    number("HEARTBEAT_SECONDS", 15, (1, 300), |all| {
        all.limits.heartbeat / 1_000
    }),
    number("STALL_SECONDS", 300, (0, 86_400), |all| {
        all.limits.stall.map_or(0, |stall| stall / 1_000)
    }),
    number("FLUSH_MAX_MS", 25, (0, 1_000), |all| all.limits.flush_max),
    within("MAX_BATCH_BYTES", 1_048_576, "BUFFER_BYTES", |all| {
        all.max_batch_bytes as u64
    }),
    within("MAX_EVENT_BYTES", 65_536, "MAX_BATCH_BYTES", |all| {
        all.max_event_bytes as u64
    }),
    within("MAX_BATCH_EVENTS", 256, "BUFFER_EVENTS", |all| {
        all.max_batch_events as u64
    }),
    number("BODY_SECONDS", 30, (1, 300), |all| all.body_time / 1_000),
    Number {
        above: Some(("BUFFER_BYTES", |buffer| buffer * 8 + 65_536)),
        ..number("MEMORY_BYTES", 33_554_432, (73_728, 2_147_483_648), |all| {
            all.memory_bytes as u64
        })
    },
    number("MAX_SUBSCRIBERS", 2_000, (1, 32_768), |all| {
        all.max_subscribers as u64
    }),
    number("HISTORY_EVENTS", 1_000, (0, 1_000_000), |all| {
        all.history.events
    }),
    number("HISTORY_SECONDS", 86_400, (1, 31_536_000), |all| {
        all.history.age / 1_000
    }),
    number("HISTORY_BYTES", 16_777_216, (1, 268_435_456), |all| {
        all.history.bytes
    }),
    number("IDEMPOTENCY_SECONDS", 600, (1, 86_400), |all| {
        all.idempotency.age / 1_000
    }),
    number("IDEMPOTENCY_KEYS", 1_024, (1, 16_384), |all| {
        all.idempotency.keys
    }),
    number("MAX_OPEN_CHANNELS", 0, (0, 1_000_000), |all| {
        all.max_open_channels.unwrap_or(0) as u64
    }),
    number("PUBLISH_PER_SECOND", 0, (0, 1_000_000), |all| {
        all.publish_per_second.unwrap_or(0)
    }),
];

const LEVELS: &[(&str, Level)] = &[
    ("debug", Level::Debug),
    ("info", Level::Info),
    ("warn", Level::Warn),
    ("error", Level::Error),
];

/// A variable, and what it is set to.
type Variable = (&'static str, String);

fn variable() -> impl Strategy<Value = Variable> {
    let number = (0..NUMBERS.len()).prop_flat_map(|at| {
        let Number {
            name,
            least,
            most,
            within,
            ..
        } = NUMBERS[at];
        let most = if within.is_some() { 3_000_000 } else { most };
        let value = prop_oneof![
            6 => least..=most,
            4 => least..=most.min(least + 2_000),
            1 => select(vec![least, most, least.saturating_sub(1), most + 1]),
        ];
        value.prop_map(move |value| (name, value.to_string()))
    });
    let names = select(NUMBERS).prop_map(|number| number.name);
    let bad = &[
        "0",
        "1",
        "25",
        "",
        "-",
        "+",
        " ",
        ".",
        "e3",
        "٣",
        "true",
        "\0",
        "99999999999",
        "_",
    ];
    let any = (names, text(bad, 3));
    let level = prop_oneof![
        4 => select(LEVELS).prop_map(|(name, _)| name),
        1 => select(&["", "INFO", "warn ", "0"][..]),
    ];
    let level = level.prop_map(|level| ("LOG_LEVEL", level.to_owned()));
    prop_oneof![8 => number, 1 => any, 1 => level]
}

/// What all settings come to, or the names of those that cannot be used.
fn expected(
    given: &dyn Fn(&str) -> Option<String>,
) -> Result<BTreeMap<&'static str, u64>, Vec<&'static str>> {
    let mut values = BTreeMap::new();
    let mut wrong = Vec::new();
    for Number {
        name,
        default,
        least,
        most,
        within,
        above,
        ..
    } in NUMBERS
    {
        let most = match within {
            None => *most,
            Some(other) => match values.get(other) {
                Some(value) => *value,
                // Nobody knows what would be right.
                None => continue,
            },
        };
        let least = match above {
            None => *least,
            Some((other, least)) => match values.get(other) {
                Some(value) => least(*value),
                None => continue,
            },
        };
        let value = match given(name).filter(|text| !text.is_empty()) {
            None => Some((*default).min(most).max(least)),
            // As any number in Rust it may have a plus sign.
            Some(text) => {
                let digits = text.strip_prefix('+').unwrap_or(&text);
                let digits = digits.chars().all(|c| c.is_ascii_digit()).then_some(digits);
                let value: Option<u64> = digits.and_then(|digits| digits.parse().ok());
                value.filter(|value| (least..=most).contains(value))
            }
        };
        match value {
            Some(value) => drop(values.insert(*name, value)),
            None => wrong.push(*name),
        }
    }
    let level = given("LOG_LEVEL").filter(|text| !text.is_empty());
    if level.is_some_and(|level| LEVELS.iter().all(|(name, _)| *name != level)) {
        wrong.push("LOG_LEVEL");
    }
    if wrong.is_empty() {
        Ok(values)
    } else {
        Err(wrong)
    }
}

#[test]
fn any_text_is_within_what_is_documented_or_an_error_that_names_it() {
    let variables = prop::collection::vec(variable(), 0..8);
    let classes = [
        "settings",
        "one is wrong",
        "several are wrong",
        "one within another is wrong",
    ];
    check(&classes, variables, |variables, seen| {
        let given = |name: &str| {
            let open = ("ACCESS", "open".to_owned());
            let found = variables.iter().find(|(given, _)| *given == name);
            found
                .or(Some(&open).filter(|(open, _)| *open == name))
                .map(|(_, value)| value.clone())
        };
        match (Settings::read(given), expected(&given)) {
            (Ok(settings), Ok(values)) => {
                seen.note("settings");
                for Number { name, found, .. } in NUMBERS {
                    prop_assert_eq!(found(&settings), values[name], "{}", name);
                }
                let level = given("LOG_LEVEL").unwrap_or_default();
                let level = LEVELS.iter().find(|(name, _)| *name == level);
                let level = level.map_or(Level::Info, |(_, level)| *level);
                prop_assert_eq!(settings.log_level, level);
            }
            (Err(error), Err(wrong)) => {
                seen.note(if wrong.len() == 1 {
                    "one is wrong"
                } else {
                    "several are wrong"
                });
                let within = NUMBERS
                    .iter()
                    .any(|number| number.name == error.name && number.within.is_some());
                seen.note_if(within, "one within another is wrong");
                prop_assert!(
                    wrong.contains(&error.name),
                    "{} is not wrong, but {:?}",
                    error.name,
                    wrong
                );
                let said = error.to_string();
                let value = given(error.name).unwrap();
                prop_assert!(
                    said.starts_with(&format!("{} is \"{value}\"", error.name)),
                    "{said}"
                );
            }
            (found, expected) => {
                prop_assert!(false, "{:?}, not {:?}", found.map(|_| "settings"), expected)
            }
        }
        Ok(())
    });
}
