use super::*;
use sse_hub::sse::MAX_ENCODED_EVENT;

fn settings(variables: &[(&str, &str)]) -> Settings {
    Settings::read(|name| {
        let mut all = variables.iter().chain(&[("ACCESS", "open")]);
        let (_, value) = all.find(|(variable, _)| *variable == name)?;
        Some((*value).to_owned())
    })
    .unwrap()
}

fn batch(body: &str, variables: &[(&str, &str)]) -> Result<Batch, Problem> {
    encode(&Form::Batch, body, &settings(variables))
}

#[test]
fn the_whole_body_is_the_data_of_a_single_event() {
    let form = Form::Single {
        event_type: "score".into(),
    };
    let batch = encode(&form, "a\nb", &settings(&[])).unwrap();
    assert_eq!(batch.wire, "event: score\ndata: a\ndata: b\n\n");
    assert_eq!(batch.events, 1);
    assert_eq!(payloads(&batch).collect::<Vec<_>>(), ["a\nb"]);
}

#[test]
fn a_batch_is_encoded_if_all_its_events_are_valid() {
    assert_eq!(
        batch("data: a\nid: 9\n\nevent: x\ndata: b", &[]).unwrap(),
        Batch {
            wire: "data: a\n\nevent: x\ndata: b\n\n".into(),
            events: 2
        }
    );
    assert_eq!(batch(": hello\n\n", &[]), Err(Problem::EmptyBatch));
    assert_eq!(
        batch("data: a\n\nevent: hub.end\ndata: b\n\n", &[])
            .unwrap_err()
            .to_string(),
        "The event type of event 2 of the batch cannot be used: types that begin with \"hub.\" are the hub's own. A type is up to 64 characters on one line, does not begin with \"hub.\", and has no space at either end."
    );
    assert_eq!(
        batch("data: a\n\ndata: bcd\n\n", &[("MAX_EVENT_BYTES", "2")]),
        Err(Problem::EventTooLarge {
            number: 2,
            bytes: 3,
            max: 2
        })
    );
    assert_eq!(
        batch("data: a\n\ndata: b\n\n", &[("MAX_BATCH_EVENTS", "1")]),
        Err(Problem::TooManyEvents { events: 2, max: 1 })
    );
}

#[test]
fn an_event_that_is_larger_than_a_row_of_the_history_is_refused() {
    let settings = settings(&[
        ("BUFFER_BYTES", "4194304"),
        ("MAX_BATCH_BYTES", "4194304"),
        ("MAX_EVENT_BYTES", "4194304"),
    ]);
    let form = Form::Single {
        event_type: String::new(),
    };
    let size = MAX_ENCODED_EVENT - "data: \n\n".len();
    assert!(encode(&form, &"x".repeat(size), &settings).is_ok());
    assert_eq!(
        encode(&form, &"x".repeat(size + 1), &settings),
        Err(Problem::EncodedEventTooLarge {
            bytes: MAX_ENCODED_EVENT + 1
        })
    );
}

#[test]
fn a_batch_that_is_too_large_once_encoded_is_refused() {
    let body = format!("data: x{}", "\ndata".repeat(200));
    let problem = batch(&body, &[("BUFFER_BYTES", "1024")]).unwrap_err();
    assert!(matches!(
        problem,
        Problem::EncodedTooLarge { max: 1024, .. }
    ));
}

#[test]
fn the_memory_of_an_encoded_event_is_not_underestimated() {
    let types = ["", "x", &"\u{1F600}".repeat(64)];
    for event_type in types {
        for data in ["", "a", "\n\n\n", "a\r\nb\rc\nd", &"\r".repeat(100)] {
            let form = Form::Single {
                event_type: event_type.to_owned(),
            };
            let batch = encode(&form, data, &settings(&[])).unwrap();
            assert!(
                batch.wire.len() <= encoded_bytes(data),
                "{event_type:?} {data:?}"
            );
        }
    }
}
