//! A publish request -> the events in it. Read and checked before the channel's object hears of it, so that a bad or a
//! slow body costs nobody else anything.

mod body;

use web_sys::Request;

use crate::http::problem::Problem;
use crate::http::query;
use crate::http::response::media_type;
use crate::isolate::memory::{Admission, Holder, memory};
use crate::settings::Settings;
use sse_hub::sse::{self, Batch, MAX_ENCODED_EVENT};

/// The longest `Idempotency-Key`, in characters.
pub const MAX_KEY_CHARS: usize = 128;

/// The request's `Idempotency-Key`, if it has one.
pub fn idempotency_key(request: &Request) -> Result<Option<String>, Problem> {
    let key = request.headers().get(KEY_HEADER).ok().flatten();
    key.map(check_key).transpose()
}

/// The header that names a publish, so that it can be repeated.
pub const KEY_HEADER: &str = "Idempotency-Key";

fn check_key(key: String) -> Result<String, Problem> {
    let printable = key.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if printable && (1..=MAX_KEY_CHARS).contains(&key.len()) {
        Ok(key)
    } else {
        Err(Problem::InvalidIdempotencyKey)
    }
}

/// The data of each event of a batch.
pub fn payloads(batch: &Batch) -> impl Iterator<Item = String> {
    sse::parse(&batch.wire).into_iter().map(|event| event.data)
}

/// How a request says that its body is to be read.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    /// The whole body is the data of one event of this type; empty for none.
    Single { event_type: String },
    /// The body is an event stream itself.
    Batch,
}

/// A publish that was read: its events, and the memory that it is counted for until it is answered.
pub struct Received {
    /// The events.
    pub batch: Batch,
    _admission: Admission,
}

/// Reads the whole request, a publish to `channel`. Fails with the problem that the publisher should be told; nothing is
/// published then.
pub async fn read(
    request: &Request,
    channel: &str,
    settings: &Settings,
) -> Result<Received, Problem> {
    let headers = request.headers();
    let header = |name| headers.get(name).ok().flatten();
    if let Some(encoding) =
        header("Content-Encoding").filter(|encoding| !encoding.eq_ignore_ascii_case("identity"))
    {
        return Err(Problem::UnsupportedEncoding { encoding });
    }
    let url = request.url();
    let form = form(header("Content-Type").as_deref(), query::query(&url))?;
    let (max, setting) = match form {
        Form::Single { .. } => (settings.max_event_bytes, "MAX_EVENT_BYTES"),
        Form::Batch => (settings.max_batch_bytes, "MAX_BATCH_BYTES"),
    };
    let declared: Option<u64> = header("Content-Length").and_then(|length| length.parse().ok());
    if declared.is_some_and(|length| length > max as u64) {
        return Err(Problem::BodyTooLarge { max, setting });
    }
    let declared = declared.and_then(|length| usize::try_from(length).ok());
    let mut admission = memory()
        .admit(
            channel,
            declared.unwrap_or_default(),
            settings.body_room,
            Holder::Worker,
        )
        .ok_or(Problem::MemoryFull)?;
    let body = body::read(request, declared, max, settings.body_time, &mut admission).await?;
    let body = body.ok_or(Problem::BodyTooLarge { max, setting })?;
    let text = String::from_utf8(body).map_err(|error| Problem::InvalidUtf8 {
        at: error.utf8_error().valid_up_to(),
    })?;
    // Every line costs a few bytes more once it is encoded: that is counted before it is done.
    if form != Form::Batch && !admission.grow_to(encoded_bytes(&text)) {
        return Err(Problem::MemoryFull);
    }
    let batch = encode(&form, &text, settings)?;
    if !admission.grow_to(batch.wire.len()) {
        return Err(Problem::MemoryFull);
    }
    Ok(Received {
        batch,
        _admission: admission,
    })
}

fn form(content_type: Option<&str>, query: &str) -> Result<Form, Problem> {
    let event_type = query::value(query, "event")?;
    if content_type.is_some_and(|value| media_type(value).eq_ignore_ascii_case(sse::MEDIA_TYPE)) {
        return match event_type {
            None => Ok(Form::Batch),
            Some(_) => Err(Problem::InvalidQuery(
                "The parameter \"event\" has no meaning for a body of type text/event-stream. Give each event its own \"event:\" line.".to_owned(),
            )),
        };
    }
    let event_type = event_type.unwrap_or_default();
    check_type(&event_type, || "in the parameter \"event\"".to_owned())?;
    Ok(Form::Single { event_type })
}

fn check_type(event_type: &str, place: impl FnOnce() -> String) -> Result<(), Problem> {
    sse::check_type(event_type).map_err(|error| Problem::InvalidEventType {
        place: place(),
        error,
    })
}

/// The most bytes that an encoded event has beside its lines of data: its type, and what ends it.
const REST_OF_EVENT: usize = 512;

/// How many bytes the data of a single event takes once it is encoded, or a few more.
fn encoded_bytes(text: &str) -> usize {
    let line_ends = text
        .bytes()
        .filter(|byte| matches!(byte, b'\n' | b'\r'))
        .count();
    let of_lines = line_ends.saturating_mul("data: ".len());
    text.len()
        .saturating_add(of_lines)
        .saturating_add(REST_OF_EVENT)
}

/// Checks and encodes what was read. All or nothing.
fn encode(form: &Form, text: &str, settings: &Settings) -> Result<Batch, Problem> {
    let mut wire = String::with_capacity(text.len().saturating_add(64));
    let events = match form {
        Form::Single { event_type } => {
            sse::write_event(&mut wire, event_type, text);
            1
        }
        Form::Batch => {
            let events = sse::parse(text);
            check_batch(&events, settings)?;
            for event in &events {
                sse::write_event(&mut wire, &event.event_type, &event.data);
            }
            events.len()
        }
    };
    let batch = Batch { wire, events };
    let (bytes, max) = (batch.cost(), settings.limits.buffer_bytes);
    if bytes > max {
        return Err(Problem::EncodedTooLarge { bytes, max });
    }
    let largest = batch.iter().map(str::len).max().unwrap_or_default();
    if largest > MAX_ENCODED_EVENT {
        return Err(Problem::EncodedEventTooLarge { bytes: largest });
    }
    Ok(batch)
}

fn check_batch(events: &[sse::ParsedEvent], settings: &Settings) -> Result<(), Problem> {
    if events.is_empty() {
        return Err(Problem::EmptyBatch);
    }
    let max = settings.max_batch_events;
    if events.len() > max {
        return Err(Problem::TooManyEvents {
            events: events.len(),
            max,
        });
    }
    for (number, event) in (1..).zip(events) {
        check_type(&event.event_type, || {
            format!("of event {number} of the batch")
        })?;
        let (bytes, max) = (event.data.len(), settings.max_event_bytes);
        if bytes > max {
            return Err(Problem::EventTooLarge { number, bytes, max });
        }
    }
    Ok(())
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_form_is_chosen_by_content_type_and_query() {
        let single = |event_type: &str| {
            Ok(Form::Single {
                event_type: event_type.to_owned(),
            })
        };
        assert_eq!(form(None, ""), single(""));
        assert_eq!(
            form(Some("application/json"), "a=b&event=sc+%6Fre"),
            single("sc ore")
        );
        assert_eq!(
            form(Some("Text/Event-Stream; charset=utf-8"), "events=x"),
            Ok(Form::Batch)
        );
        assert!(matches!(
            form(Some("text/event-stream"), "event=x"),
            Err(Problem::InvalidQuery(_))
        ));
        assert!(matches!(
            form(None, "event=x&%65vent=y"),
            Err(Problem::InvalidQuery(_))
        ));
        assert!(matches!(
            form(None, "event=%ff"),
            Err(Problem::InvalidQuery(_))
        ));
        assert!(matches!(
            form(None, "event=a%0Ab"),
            Err(Problem::InvalidEventType { .. })
        ));
    }

    #[test]
    fn a_single_event_is_its_body() {
        let form = Form::Single {
            event_type: "score".into(),
        };
        let batch = encode(&form, "a\nb", &settings(&[])).unwrap();
        assert_eq!(batch.wire, "event: score\ndata: a\ndata: b\n\n");
        assert_eq!(batch.events, 1);
        assert_eq!(payloads(&batch).collect::<Vec<_>>(), ["a\nb"]);
    }

    #[test]
    fn a_batch_is_all_or_nothing() {
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
            "The event type of event 2 of the batch cannot be used: types that begin with \"hub.\" are the hub's own. A type is up to 64 characters on one line and does not begin with \"hub.\"."
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
    fn an_event_larger_than_a_row_of_the_history_is_refused() {
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
    fn a_key_is_printable_ascii() {
        for good in ["a", "8e03978e-40d5-43e8-bc93-6894a57f9324", "\"a b~\""] {
            assert_eq!(check_key(good.to_owned()), Ok(good.to_owned()));
        }
        let long = "x".repeat(128);
        assert_eq!(check_key(long.clone()), Ok(long.clone()));
        for bad in ["", "a\nb", "a\tb", "\u{7f}", "\u{e9}", &(long + "x")] {
            assert_eq!(
                check_key(bad.to_owned()),
                Err(Problem::InvalidIdempotencyKey),
                "{bad}"
            );
        }
    }

    #[test]
    fn what_grows_too_large_when_encoded_is_refused() {
        let body = format!("data: x{}", "\ndata".repeat(200));
        let problem = batch(&body, &[("BUFFER_BYTES", "1024")]).unwrap_err();
        assert!(matches!(
            problem,
            Problem::EncodedTooLarge { max: 1024, .. }
        ));
    }
}
