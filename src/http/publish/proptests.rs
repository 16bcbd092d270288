//! Properties of the bodies of publishes.

use proptest::prelude::*;

use super::*;
use proptest_support::{check, edited, hidden, query_of, text};
use sse_hub::sse::{MAX_ID_LINE, MAX_TYPE_CHARS, ParsedEvent};

const MAX_EVENTS: usize = 3;
const MAX_EVENT_BYTES: usize = 150;
const BUFFER_BYTES: usize = 1_024;

/// Limits that are so small that some cases reach them.
fn settings() -> Settings {
    let read = Settings::read(|name| {
        let value = match name {
            "ACCESS" => "open".to_owned(),
            "BUFFER_BYTES" => BUFFER_BYTES.to_string(),
            "MAX_EVENT_BYTES" => MAX_EVENT_BYTES.to_string(),
            "MAX_BATCH_EVENTS" => MAX_EVENTS.to_string(),
            _ => return None,
        };
        Some(value)
    });
    read.unwrap()
}

/// Whether a text cannot be the type of an event.
fn is_bad_type(event_type: &str) -> bool {
    event_type.starts_with("hub.")
        || event_type.contains(['\r', '\n', '\0'])
        || event_type.chars().count() > MAX_TYPE_CHARS
        || event_type.trim_matches(is_space) != event_type
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\u{180e}\u{200b}\u{feff}".contains(c)
}

/// The number of bytes that an event takes, according to the wire format.
fn bytes(event_type: &str, data: &str) -> usize {
    let type_line = if event_type.is_empty() {
        0
    } else {
        8 + event_type.len()
    };
    let lines = data.split('\n').map(|line| 7 + line.len());
    type_line + lines.sum::<usize>() + 1 + MAX_ID_LINE
}

const MANY: &str = "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n";

#[test]
fn any_body_is_the_data_of_a_single_event() {
    let types = text(&["a", "é", " ", ":"], 3);
    let pieces = &[
        "a",
        "\n",
        "\r",
        "\r\n",
        MANY,
        MANY,
        MANY,
        "data: ",
        "\n\nevent: hub.end\n",
        "é",
        "\0",
    ];
    let classes = ["an event", "too large", "lines"];
    let settings = settings();
    check(
        &classes,
        (types, text(pieces, 12)),
        |(event_type, body), seen| {
            let event_type = event_type.replace(['\r', '\n', '\0'], "");
            let data = body.replace("\r\n", "\n").replace('\r', "\n");
            let cost = bytes(&event_type, &data);
            let form = Form::Single {
                event_type: event_type.clone(),
            };
            let found = encode(&form, &body, &settings);
            if cost > BUFFER_BYTES {
                seen.note("too large");
                let problem = Problem::EncodedTooLarge {
                    bytes: cost,
                    max: BUFFER_BYTES,
                };
                prop_assert_eq!(found, Err(problem));
                return Ok(());
            }
            seen.note("an event");
            seen.note_if(data.contains('\n'), "lines");
            let batch = found.unwrap();
            prop_assert_eq!((batch.events, batch.iter().count()), (1, 1));
            prop_assert_eq!(sse::parse(&batch.wire), [ParsedEvent { event_type, data }]);
            Ok(())
        },
    );
}

/// The problem of a batch with these events, if they cannot be published.
fn problem_of(events: &[ParsedEvent]) -> Option<Problem> {
    if events.is_empty() {
        return Some(Problem::EmptyBatch);
    }
    if events.len() > MAX_EVENTS {
        let (events, max) = (events.len(), MAX_EVENTS);
        return Some(Problem::TooManyEvents { events, max });
    }
    for (at, event) in events.iter().enumerate() {
        if let Err(error) = sse::check_type(&event.event_type) {
            let place = format!("of event {} of the batch", at + 1);
            return Some(Problem::InvalidEventType { place, error });
        }
        if event.data.len() > MAX_EVENT_BYTES {
            return Some(Problem::EventTooLarge {
                number: at + 1,
                bytes: event.data.len(),
                max: MAX_EVENT_BYTES,
            });
        }
    }
    let all = events
        .iter()
        .map(|event| bytes(&event.event_type, &event.data));
    let cost = all.sum();
    (cost > BUFFER_BYTES).then_some(Problem::EncodedTooLarge {
        bytes: cost,
        max: BUFFER_BYTES,
    })
}

#[test]
fn a_batch_is_encoded_as_a_whole_or_refused_as_a_whole() {
    let line = prop_oneof![
        20 => prop::sample::select(&[
            "", "", "", "data: a", "data: b", "data:", "data", "event: x", "event: é", "id: 7", ": c",
            "data: 123456789012345678901234567890123456789012345678901234567890123456789012345",
        ][..]).prop_map(str::to_owned),
        1 => prop::sample::select(&["event: hub.end", "event: a\0b"][..]).prop_map(str::to_owned),
        1 => (62..68_usize).prop_map(|count| format!("event: {}", "é".repeat(count))),
        1 => (146..154_usize).prop_map(|count| format!("data: {}", "x".repeat(count))),
        1 => (125..160_usize).prop_map(|count| "data\n".repeat(count)),
    ];
    let ends = prop::sample::select(&["\n", "\n", "\r", "\r\n"][..]);
    let body = prop::collection::vec((line, ends), 0..16).prop_map(|lines| {
        let lines = lines.into_iter().map(|(line, end)| line + end);
        lines.collect::<String>()
    });
    let classes = [
        "published",
        "EmptyBatch",
        "TooManyEvents",
        "InvalidEventType",
        "EventTooLarge",
        "EncodedTooLarge",
    ];
    let settings = settings();
    check(&classes, body, |body, seen| {
        let events = sse::parse(&body);
        let found = encode(&Form::Batch, &body, &settings);
        if let Some(problem) = problem_of(&events) {
            seen.note(match problem {
                Problem::EmptyBatch => "EmptyBatch",
                Problem::TooManyEvents { .. } => "TooManyEvents",
                Problem::InvalidEventType { .. } => "InvalidEventType",
                Problem::EventTooLarge { .. } => "EventTooLarge",
                _ => "EncodedTooLarge",
            });
            prop_assert_eq!(found, Err(problem));
            return Ok(());
        }
        seen.note("published");
        let batch = found.unwrap();
        prop_assert!(batch.cost() <= BUFFER_BYTES);
        prop_assert_eq!(batch.events, events.len());
        prop_assert_eq!(&Batch::from_wire(batch.wire.clone()), &batch);
        prop_assert_eq!(sse::parse(&batch.wire), events);
        Ok(())
    });
}

#[test]
fn the_form_follows_from_the_content_type_and_the_parameter_event() {
    let types = [
        "text/event-stream",
        "TEXT/Event-Stream; charset=utf-8",
        "application/json",
        "text/plain",
    ];
    let types = prop::sample::select(types.to_vec()).prop_map(str::to_owned);
    let types = prop::option::of(edited(types, &[";", " ", ",", "x"]));
    let names = prop::sample::select(&["event", "event", "events", "token"][..]);
    let values = text(
        &[
            "a",
            "é",
            "hub.",
            "\n",
            "\0",
            " ",
            "%",
            "+",
            "0123456789abcdef",
        ],
        6,
    );
    let pair = (names.prop_map(str::to_owned), values);
    let cases = (types, prop::collection::vec(pair, 0..3), hidden());
    let classes = [
        "a batch",
        "a single event",
        "a type",
        "an invalid query",
        "an invalid type",
    ];
    check(&classes, cases, |(content_type, pairs, hidden), seen| {
        let given: Vec<&String> = pairs
            .iter()
            .filter(|(name, _)| name == "event")
            .map(|(_, value)| value)
            .collect();
        let name = content_type
            .as_deref()
            .map(|text| text.split(';').next().unwrap().trim().to_lowercase());
        let is_batch = name.as_deref() == Some("text/event-stream");
        let found = Form::of(content_type.as_deref(), &query_of(&pairs, &hidden));
        match (&given[..], is_batch) {
            ([], true) => {
                seen.note("a batch");
                prop_assert_eq!(found, Ok(Form::Batch));
            }
            ([empty], true) if empty.is_empty() => {
                seen.note("a batch");
                prop_assert_eq!(found, Ok(Form::Batch));
            }
            ([_], true) | ([_, _, ..], _) => {
                seen.note("an invalid query");
                prop_assert!(matches!(found, Err(Problem::InvalidQuery(_))));
            }
            ([event_type], _) if is_bad_type(event_type) => {
                seen.note("an invalid type");
                let refused = matches!(found, Err(Problem::InvalidEventType { .. }));
                prop_assert!(refused);
            }
            (given, _) => {
                seen.note(if given.is_empty() {
                    "a single event"
                } else {
                    "a type"
                });
                let event_type = given
                    .first()
                    .map(|given| given.to_string())
                    .unwrap_or_default();
                prop_assert_eq!(found, Ok(Form::Single { event_type }));
            }
        }
        Ok(())
    });
}
