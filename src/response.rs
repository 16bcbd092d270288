//! Answers: every one of the API's carries the CORS headers, and a failure takes the form that its client can read.

use std::cell::OnceCell;

use serde::Serialize;
use web_sys::{ReadableStream, Response, ResponseInit};
use worker::{Headers, ResponseBuilder, Result};

use crate::problem::Problem;
use crate::sse;

/// How long a client may keep the answer to a preflight request, in seconds. Browsers cap it at 2 hours or less.
const PREFLIGHT_MAX_AGE: &str = "7200";

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
#[derive(Default)]
struct Templates {
    json: OnceCell<ResponseInit>,
    event_stream: OnceCell<ResponseInit>,
}

thread_local! {
    static TEMPLATES: Templates = Templates::default();
}

/// 200 with the headers `more` and those for CORS; it is kept in `template`.
fn from_template(
    template: fn(&Templates) -> &OnceCell<ResponseInit>,
    more: &[(&str, &str)],
) -> Result<ResponseInit> {
    if let Some(known) = TEMPLATES.with(|templates| template(templates).get().cloned()) {
        return Ok(known);
    }
    let headers = cors_headers()?;
    for (name, value) in more {
        headers.set(name, value)?;
    }
    let init = ResponseInit::new();
    init.set_headers(&headers.0);
    Ok(TEMPLATES.with(|templates| template(templates).get_or_init(|| init).clone()))
}

/// Headers with what a page of another origin needs to read the answer.
fn cors_headers() -> Result<Headers> {
    let headers = Headers::new();
    headers.set("Access-Control-Allow-Origin", "*")?;
    headers.set(
        "Access-Control-Expose-Headers",
        &format!("Retry-After, {REPLAYED_HEADER}"),
    )?;
    Ok(headers)
}

fn builder(content_type: &str) -> Result<ResponseBuilder> {
    let headers = cors_headers()?;
    headers.set("Content-Type", content_type)?;
    Ok(ResponseBuilder::new().with_headers(headers))
}

/// 200 with `text` as plain text.
pub fn text(text: &str) -> Result<Response> {
    let builder = builder("text/plain; charset=utf-8")?;
    Ok(builder.fixed(text.as_bytes().to_vec()).into())
}

/// 200 with `value` as JSON, which nobody may keep.
pub fn json<T: Serialize>(value: &T) -> Result<Response> {
    json_text(&serde_json::to_string(value)?)
}

/// 200 with a text that is JSON already.
pub fn json_text(text: &str) -> Result<Response> {
    let headers = [
        ("Content-Type", "application/json"),
        ("Cache-Control", "no-store"),
    ];
    let init = from_template(|templates| &templates.json, &headers)?;
    Ok(Response::new_with_opt_str_and_init(Some(text), &init)?)
}

/// The header that says that an answer is that of an earlier request.
pub const REPLAYED_HEADER: &str = "Idempotency-Replayed";

/// The same, of a publish that was repeated.
pub fn replayed(text: &str) -> Result<Response> {
    let response = json_text(text)?;
    response.headers().set(REPLAYED_HEADER, "true")?;
    Ok(response)
}

/// Whether `response` is one of those.
pub fn is_replayed(response: &Response) -> bool {
    response.headers().has(REPLAYED_HEADER).unwrap_or_default()
}

/// 204: there is no such stream any more, and a browser does not come back.
pub fn no_content() -> Result<Response> {
    let headers = cors_headers()?;
    headers.set("Cache-Control", "no-store")?;
    Ok(ResponseBuilder::new()
        .with_status(204)
        .with_headers(headers)
        .empty()
        .into())
}

/// 200 and the headers of a stream, with `body`, if there is one.
pub fn event_stream(body: Option<&ReadableStream>) -> Result<Response> {
    let init = event_stream_init()?;
    Ok(Response::new_with_opt_readable_stream_and_init(
        body, &init,
    )?)
}

fn event_stream_init() -> Result<ResponseInit> {
    let headers = [
        ("Content-Type", sse::MEDIA_TYPE),
        ("Cache-Control", "no-cache, no-transform"),
        // nginx and its kin would gather a stream into buffers otherwise.
        ("X-Accel-Buffering", "no"),
    ];
    from_template(|templates| &templates.event_stream, &headers)
}

/// 204 to a preflight request (or any other OPTIONS) for a path that takes the methods `allow`.
pub fn preflight(allow: &str) -> Result<Response> {
    let headers = cors_headers()?;
    headers.set("Allow", allow)?;
    headers.set("Access-Control-Allow-Methods", allow)?;
    headers.set(
        "Access-Control-Allow-Headers",
        "Content-Type, Authorization, Last-Event-ID, Idempotency-Key",
    )?;
    headers.set("Access-Control-Max-Age", PREFLIGHT_MAX_AGE)?;
    Ok(ResponseBuilder::new()
        .with_status(204)
        .with_headers(headers)
        .empty()
        .into())
}

/// 302 to the path `location`.
pub fn redirect(location: &str) -> Result<Response> {
    let headers = cors_headers()?;
    headers.set("Location", location)?;
    headers.set("Cache-Control", "no-store")?;
    headers.set("Vary", "Sec-Fetch-Dest")?;
    Ok(ResponseBuilder::new()
        .with_status(302)
        .with_headers(headers)
        .empty()
        .into())
}

/// `problem` as its status and JSON. Where the client reads a stream (`wants_stream`) and the problem passes, as a
/// stream with a `hub.error` in it: a browser's `EventSource` gives up for good on any status but 200.
pub fn problem(problem: &Problem, wants_stream: bool) -> Result<Response> {
    if wants_stream && problem.passes() {
        let stream = sse::error_stream(random_between(5_000, 15_000), &problem.to_json());
        let init = event_stream_init()?;
        return Ok(Response::new_with_opt_str_and_init(Some(&stream), &init)?);
    }
    let mut builder = builder("application/problem+json")?
        .with_status(problem.status())
        .with_header("Cache-Control", "no-store")?;
    if let Problem::MethodNotAllowed { allow, .. } = problem {
        builder = builder.with_header("Allow", allow)?;
    }
    if problem.passes() {
        builder = builder.with_header("Retry-After", "5")?;
    }
    Ok(builder.fixed(problem.to_json().into_bytes()).into())
}

/// Whether a request reads event streams, and says so. A publisher never does: it reads the status.
pub fn wants_stream(request: &web_sys::Request) -> bool {
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
