//! Reads the events of a publish from its request.
//!
//! The Worker reads and checks the whole request before it calls the channel's object, so a bad or a slow body does not
//! affect other clients of the channel.

mod body;
mod encode;
mod form;
mod key;
pub mod several;

use web_sys::Request;

use self::encode::{encode, encoded_bytes};
use self::form::Form;
pub use self::key::idempotency_key;
use crate::http::media_type;
use crate::http::problem::Problem;
use crate::isolate::memory::{Admission, Holder, memory};
use crate::settings::Settings;
use sse_hub::sse::{self, Batch};

/// The events of a publish. Their memory is counted until this is dropped.
pub struct Received {
    /// The events.
    pub batch: Batch,
    admission: Admission,
}

impl Received {
    /// Counts the memory of further copies of the events, so that they can be sent to several objects at once: up to
    /// `most` copies with the first one, which is counted already, or as many as there is space for. Returns how many.
    pub fn admit_copies(&mut self, most: usize) -> usize {
        let bytes = self.batch.wire.len();
        let mut copies = 1_usize;
        while copies < most && self.admission.grow_by_copy(bytes) {
            copies = copies.saturating_add(1);
        }
        copies
    }
}

/// What happens after the events of a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterEvents {
    /// The channel goes on.
    GoOn,
    /// The channel ends. The body may be empty.
    End,
}

/// Reads a publish to `channel`. `query` is the query of the request.
pub async fn read(
    request: &Request,
    query: &str,
    channel: &str,
    settings: &Settings,
    after: AfterEvents,
) -> Result<Received, Problem> {
    let headers = request.headers();
    let header = |name| headers.get(name).ok().flatten();
    if let Some(encoding) =
        header("Content-Encoding").filter(|encoding| !encoding.eq_ignore_ascii_case("identity"))
    {
        return Err(Problem::UnsupportedEncoding { encoding });
    }
    let content_type = header("Content-Type");
    if let Some(charset) = content_type.as_deref().and_then(media_type::other_charset) {
        return Err(Problem::UnsupportedCharset { charset });
    }
    let form = Form::of(content_type.as_deref(), query)?;
    let (max, setting) = form.max_bytes(settings);
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
    // The encoded event is larger than the body. Count its memory before it is allocated.
    if form != Form::Batch && !admission.grow_to(encoded_bytes(&text)) {
        return Err(Problem::MemoryFull);
    }
    let batch = if after == AfterEvents::End && form.is_no_event(&text) {
        Batch::from_wire(String::new())
    } else {
        encode(&form, &text, settings)?
    };
    if !admission.grow_to(batch.wire.len()) {
        return Err(Problem::MemoryFull);
    }
    Ok(Received { batch, admission })
}

/// The data of each event of a batch.
pub fn payloads(batch: &Batch) -> impl Iterator<Item = String> {
    sse::parse(&batch.wire).into_iter().map(|event| event.data)
}

#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;
