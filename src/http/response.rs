//! Answers: every one of the API's carries the CORS headers, and a failure takes the form that its client can read.

use std::cell::RefCell;
use std::collections::HashMap;

use js_sys::Uint8Array;
use serde::Serialize;
use web_sys::{ReadableStream, Request, Response, ResponseInit};
use worker::{Headers, ResponseBuilder, Result};

use crate::http::cors::Cors;
use crate::http::problem::Problem;
use crate::settings::Settings;
use sse_hub::sse;

/// How long a client may keep the answer to a preflight request, in seconds. Browsers cap it at 2 hours or less.
const PREFLIGHT_MAX_AGE: &str = "7200";

/// Tells a browser to believe the `Content-Type`. Otherwise it may guess another type from the content, which a
/// publisher has chosen.
pub const NOSNIFF: (&str, &str) = ("X-Content-Type-Options", "nosniff");

/// A failure on the way to an answer: one that the client is told of, or one of the runtime.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// For the client.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// For the log.
    #[error(transparent)]
    Runtime(#[from] worker::Error),
}

/// The beginnings of answers that there are many of, made once: a new object for each would be a call into JavaScript
/// for every header, and garbage. A response copies them.
type Templates = HashMap<(Template, Cors), ResponseInit>;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Template {
    Json,
    EventStream,
}

impl Template {
    fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Json => &[
                ("Content-Type", "application/json"),
                ("Cache-Control", "no-store"),
            ],
            Self::EventStream => &[
                ("Content-Type", sse::MEDIA_TYPE),
                ("Cache-Control", "no-cache, no-transform"),
                // nginx and its kin would gather a stream into buffers otherwise.
                ("X-Accel-Buffering", "no"),
            ],
        }
    }
}

thread_local! {
    static TEMPLATES: RefCell<Templates> = RefCell::default();
}

/// The header that says that an answer is that of an earlier request.
pub const REPLAYED_HEADER: &str = "Idempotency-Replayed";

/// Makes the answers to one request.
#[derive(Clone, Debug)]
pub struct Responder {
    cors: Cors,
}

impl Responder {
    /// Of a deployment with these settings; without them, where they are wrong, anyone may read what is wrong.
    pub fn new(request: &Request, settings: Option<&Settings>) -> Self {
        let origin = || request.headers().get("Origin").ok().flatten();
        let cors = settings.map(|settings| settings.allowed_origins.cors(origin));
        Self {
            cors: cors.unwrap_or(Cors::Any),
        }
    }

    /// The origin that may read the answers, where that depends on the request.
    pub fn allowed_origin(&self) -> Option<&str> {
        match &self.cors {
            Cors::Allowed(origin) => Some(origin),
            Cors::Any | Cors::Refused => None,
        }
    }

    /// The headers of every answer: [`NOSNIFF`], and what a page of another origin needs to read the answer.
    fn headers(&self) -> Result<Headers> {
        let headers = Headers::new();
        headers.set(NOSNIFF.0, NOSNIFF.1)?;
        for (name, value) in self.cors.headers() {
            headers.set(name, value)?;
        }
        Ok(headers)
    }

    /// The headers of a template, and 200.
    fn init(&self, template: Template) -> Result<ResponseInit> {
        let key = (template, self.cors.clone());
        if let Some(known) = TEMPLATES.with_borrow(|templates| templates.get(&key).cloned()) {
            return Ok(known);
        }
        let headers = self.headers()?;
        for (name, value) in template.headers() {
            headers.set(name, value)?;
        }
        let init = ResponseInit::new();
        init.set_headers(&headers.0);
        TEMPLATES.with_borrow_mut(|templates| templates.insert(key, init.clone()));
        Ok(init)
    }

    fn builder(&self, content_type: &str) -> Result<ResponseBuilder> {
        let headers = self.headers()?;
        headers.set("Content-Type", content_type)?;
        Ok(ResponseBuilder::new().with_headers(headers))
    }

    /// 200 with `text` as plain text.
    pub fn text(&self, text: &str) -> Result<Response> {
        let builder = self.builder("text/plain; charset=utf-8")?;
        Ok(builder.fixed(text.as_bytes().to_vec()).into())
    }

    /// 200 with `value` as JSON, which nobody may keep.
    pub fn json<T: Serialize>(&self, value: &T) -> Result<Response> {
        self.json_text(&serde_json::to_string(value)?)
    }

    /// The same for a large value. As bytes: V8 knows how much memory they take, and collects them in time.
    pub fn json_bytes<T: Serialize>(&self, value: &T) -> Result<Response> {
        let json = serde_json::to_vec(value)?;
        let bytes = Uint8Array::from(json.as_slice());
        let init = self.init(Template::Json)?;
        let response = Response::new_with_opt_js_u8_array_and_init(Some(&bytes), &init);
        Ok(response?)
    }

    /// 200 with a text that is JSON already.
    pub fn json_text(&self, text: &str) -> Result<Response> {
        let init = self.init(Template::Json)?;
        Ok(Response::new_with_opt_str_and_init(Some(text), &init)?)
    }

    /// The same, of a publish that was repeated.
    pub fn replayed(&self, text: &str) -> Result<Response> {
        let response = self.json_text(text)?;
        response.headers().set(REPLAYED_HEADER, "true")?;
        Ok(response)
    }

    /// 204: there is no such stream any more, and a browser does not come back.
    pub fn no_content(&self) -> Result<Response> {
        let headers = self.headers()?;
        headers.set("Cache-Control", "no-store")?;
        Ok(empty(204, headers))
    }

    /// 200 and the headers of a stream, with `body`, if there is one.
    pub fn event_stream(&self, body: Option<&ReadableStream>) -> Result<Response> {
        let init = self.init(Template::EventStream)?;
        let response = Response::new_with_opt_readable_stream_and_init(body, &init);
        Ok(response?)
    }

    /// 204 to a preflight request (or any other OPTIONS) for a path that takes the methods `allow`.
    pub fn preflight(&self, allow: &str) -> Result<Response> {
        let headers = self.headers()?;
        headers.set("Allow", allow)?;
        if self.cors != Cors::Refused {
            headers.set("Access-Control-Allow-Methods", allow)?;
            headers.set(
                "Access-Control-Allow-Headers",
                "Content-Type, Authorization, Last-Event-ID, Idempotency-Key",
            )?;
            headers.set("Access-Control-Max-Age", PREFLIGHT_MAX_AGE)?;
        }
        Ok(empty(204, headers))
    }

    /// 302 to the path `location`.
    pub fn redirect(&self, location: &str) -> Result<Response> {
        let headers = self.headers()?;
        headers.set("Location", location)?;
        headers.set("Cache-Control", "no-store")?;
        headers.append("Vary", "Sec-Fetch-Dest")?;
        Ok(empty(302, headers))
    }

    /// `problem` as its status and JSON. Where the client reads a stream (`wants_stream`) and the problem passes, as a
    /// stream with a `hub.error` in it: a browser's `EventSource` gives up for good on any status but 200.
    pub fn problem(&self, problem: &Problem, wants_stream: bool) -> Result<Response> {
        if wants_stream && problem.passes() {
            let stream = sse::error_stream(random_between(5_000, 15_000), &problem.to_json());
            let init = self.init(Template::EventStream)?;
            return Ok(Response::new_with_opt_str_and_init(Some(&stream), &init)?);
        }
        let mut builder = self
            .builder("application/problem+json")?
            .with_status(problem.status())
            .with_header("Cache-Control", "no-store")?;
        if let Problem::MethodNotAllowed { allow, .. } = problem {
            builder = builder.with_header("Allow", allow)?;
        }
        if let Some(seconds) = problem.retry_after() {
            builder = builder.with_header("Retry-After", seconds)?;
        }
        if let Some(challenge) = problem.challenge() {
            builder = builder.with_header("WWW-Authenticate", challenge)?;
        }
        Ok(builder.fixed(problem.to_json().into_bytes()).into())
    }
}

fn empty(status: u16, headers: Headers) -> Response {
    let builder = ResponseBuilder::new().with_status(status);
    builder.with_headers(headers).empty().into()
}

/// Whether `response` is one of a publish that was repeated.
pub fn is_replayed(response: &Response) -> bool {
    response.headers().has(REPLAYED_HEADER).unwrap_or_default()
}

/// Whether a request reads event streams, and says so. A publisher never does: it reads the status.
pub fn wants_stream(request: &Request) -> bool {
    let accept = || request.headers().get("Accept").ok().flatten();
    request.method() == "GET" && accept().is_some_and(|accept| accepts_stream(&accept))
}

fn accepts_stream(accept: &str) -> bool {
    let mut ranges = accept.split(',').map(media_type);
    ranges.any(|range| range.eq_ignore_ascii_case(sse::MEDIA_TYPE))
}

/// A media type without its parameters.
pub fn media_type(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

/// A random whole number of the range, both ends included: clients that were cut off together come back one by one.
pub fn random_between(least: u32, most: u32) -> u32 {
    let span = f64::from(most.saturating_sub(least).saturating_add(1));
    // Below 2^32, and casts from floats saturate.
    least.saturating_add((js_sys::Math::random() * span) as u32)
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_only_for_those_who_ask_for_them() {
        assert!(accepts_stream("text/event-stream"));
        assert!(accepts_stream("text/html, Text/Event-Stream;q=0.9"));
        assert!(!accepts_stream("*/*"));
        assert!(!accepts_stream("text/event-stream-not"));
        assert!(!accepts_stream(""));
    }
}
