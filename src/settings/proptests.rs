//! Properties of the settings that are numbers, and of `LOG_LEVEL`.

use proptest::prelude::*;
use proptest::sample::select;

use super::table::*;
use super::*;
use proptest_support::{check, text};

/// A number, and how to find its value in the settings.
type Field = (Number, fn(&Settings) -> u64);

/// All numbers. Which field a number is read into is not in the table, so it is checked here.
const FIELDS: &[Field] = &[
    (BUFFER_EVENTS, |all| all.limits.buffer_events as u64),
    (BUFFER_BYTES, |all| all.limits.buffer_bytes as u64),
    (HEARTBEAT_SECONDS, |all| all.limits.heartbeat / 1_000),
    (STALL_SECONDS, |all| {
        all.limits.stall.map_or(0, |stall| stall / 1_000)
    }),
    (FLUSH_MAX_MS, |all| all.limits.flush_max),
    (MAX_BATCH_BYTES, |all| all.max_batch_bytes as u64),
    (MAX_EVENT_BYTES, |all| all.max_event_bytes as u64),
    (MAX_BATCH_EVENTS, |all| all.max_batch_events as u64),
    (BODY_SECONDS, |all| all.body_time / 1_000),
    (MEMORY_BYTES, |all| all.memory_bytes as u64),
    (MAX_SUBSCRIBERS, |all| all.max_subscribers as u64),
    (MAX_CHANNELS_PER_STREAM, |all| {
        all.max_channels_per_stream as u64
    }),
    (HISTORY_EVENTS, |all| all.history.events),
    (HISTORY_SECONDS, |all| all.history.age / 1_000),
    (HISTORY_BYTES, |all| all.history.bytes),
    (IDEMPOTENCY_SECONDS, |all| all.idempotency.age / 1_000),
    (IDEMPOTENCY_KEYS, |all| all.idempotency.keys),
    (MAX_OPEN_CHANNELS, |all| {
        all.max_open_channels.unwrap_or(0) as u64
    }),
    (HELD_STREAM_MESSAGES, |all| {
        all.held_stream_messages.unwrap_or(0)
    }),
    (PUBLISH_PER_SECOND, |all| {
        all.publish_per_second.unwrap_or(0)
    }),
];

/// The name and the value of a variable.
type Variable = (&'static str, String);

/// A variable that is often, but not always, set to a value of its range.
fn variable() -> impl Strategy<Value = Variable> {
    let number = select(NUMBERS).prop_flat_map(|setting| {
        let constant = |bound| match bound {
            Bound::Fixed(number) => number,
            Bound::Setting(_) => 3_000_000,
            Bound::Scaled { plus, .. } => plus,
        };
        let (least, most) = (constant(setting.least), constant(setting.most));
        let value = prop_oneof![
            6 => least..=most,
            4 => least..=most.min(least + 2_000),
            1 => select(vec![least, most, least.saturating_sub(1), most + 1]),
        ];
        value.prop_map(move |value| (setting.name, value.to_string()))
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
        4 => select(LOG_LEVEL.words),
        1 => select(&["", "INFO", "warn ", "0"][..]),
    ];
    let level = level.prop_map(|level| ("LOG_LEVEL", level.to_owned()));
    prop_oneof![8 => number, 1 => any, 1 => level]
}

/// The value of a text as a number, which may have a plus sign, as any number in Rust.
fn whole_number(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number = digits.chars().all(|c| c.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// What a number has to be, given the values of the other numbers: its range, and its default.
fn range_of(setting: &Number, values: &dyn Fn(&Number) -> u64) -> (u64, u64, u64) {
    let value = |bound| match bound {
        Bound::Fixed(number) => number,
        Bound::Setting(other) => values(other),
        Bound::Scaled { factor, of, plus } => values(of) * factor + plus,
    };
    let (least, most) = (value(setting.least), value(setting.most));
    (least, most, setting.default.clamp(least, most))
}

/// Whether a bound of this number depends on the setting called `name`, directly or through others.
fn depends_on(setting: &Number, name: &str) -> bool {
    [setting.least, setting.most]
        .into_iter()
        .any(|bound| match bound {
            Bound::Fixed(_) => false,
            Bound::Setting(other) | Bound::Scaled { of: other, .. } => {
                other.name == name || depends_on(other, name)
            }
        })
}

#[test]
fn every_number_has_a_field() {
    assert_every_number_has_a_field();
}

fn assert_every_number_has_a_field() {
    let fields: Vec<_> = FIELDS.iter().map(|(setting, _)| setting.name).collect();
    for Number { name, .. } in NUMBERS {
        assert!(fields.contains(name), "FIELDS lacks {name}");
    }
}

#[test]
fn a_value_is_in_its_range_or_there_is_an_error_that_names_the_variable() {
    // Without this, a new number would fail a random case, and proptest would keep the case in a file.
    assert_every_number_has_a_field();
    let variables = prop::collection::vec(variable(), 0..8);
    let classes = [
        "settings",
        "a wrong number",
        "a wrong level",
        "a number out of another's bound",
    ];
    check(&classes, variables, |variables, seen| {
        let given = |name: &str| {
            let set = variables.iter().find(|(given, _)| *given == name);
            let open = (name == "ACCESS").then(|| "open".to_owned());
            set.map(|(_, value)| value.clone())
                .filter(|value| !value.is_empty())
                .or(open)
        };
        let error = match Settings::read(given) {
            Ok(settings) => {
                seen.note("settings");
                let values = |setting: &Number| {
                    let field = FIELDS.iter().find(|(known, _)| known.name == setting.name);
                    let (_, value) = field.unwrap();
                    value(&settings)
                };
                for setting in NUMBERS {
                    let (least, most, default) = range_of(setting, &values);
                    let value = values(setting);
                    prop_assert!((least..=most).contains(&value), "{}", setting.name);
                    let expected = match given(setting.name) {
                        Some(text) => whole_number(&text),
                        None => Some(default),
                    };
                    prop_assert_eq!(Some(value), expected, "{}", setting.name);
                }
                let level = given("LOG_LEVEL").unwrap_or_else(|| "info".to_owned());
                prop_assert_eq!(Level::from_name(&level), Some(settings.log_level));
                return Ok(());
            }
            Err(error) => error,
        };
        let value = given(error.name).unwrap();
        let said = error.to_string();
        let start = format!("{} is \"{value}\"", error.name);
        prop_assert!(said.starts_with(&start), "{said}");
        let Some(setting) = NUMBERS.iter().find(|known| known.name == error.name) else {
            seen.note("a wrong level");
            prop_assert_eq!(Level::from_name(&value), None);
            return Ok(());
        };
        seen.note("a wrong number");
        let values = |other: &Number| {
            let only = |name: &str| given(name).filter(|_| name != setting.name);
            let environment = |name: &str| only(name);
            other.read(&Environment::new(&environment)).unwrap()
        };
        let (least, most, _) = range_of(setting, &values);
        let is_right = whole_number(&value).is_some_and(|value| (least..=most).contains(&value));
        prop_assert!(!is_right, "{said}");
        let depends = variables.iter().any(|(name, _)| depends_on(setting, name));
        seen.note_if(depends, "a number out of another's bound");
        Ok(())
    });
}
