//! Encodes the events of a publish for the streams, and checks their limits. Pure.

use super::form::{Form, check_type};
use crate::http::problem::Problem;
use crate::settings::Settings;
use sse_hub::sse::{self, Batch, MAX_ENCODED_EVENT};

/// The most bytes that an encoded event has beside its lines of data: its type, and its end.
const MAX_OTHER_BYTES: usize = 512;

/// An upper bound of the bytes that a single event takes once it is encoded. `text` is its data.
pub fn encoded_bytes(text: &str) -> usize {
    let line_ends = text
        .bytes()
        .filter(|byte| matches!(byte, b'\n' | b'\r'))
        .count();
    let field_names = line_ends.saturating_mul("data: ".len());
    text.len()
        .saturating_add(field_names)
        .saturating_add(MAX_OTHER_BYTES)
}

/// Encodes the events in a body. Fails if any of them cannot be published.
pub fn encode(form: &Form, text: &str, settings: &Settings) -> Result<Batch, Problem> {
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
