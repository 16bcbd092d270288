//! Answers: every one of the API's carries the CORS headers, and a failure takes the form that its client can read.

use std::cell::OnceCell;

use serde::Serialize;
use worker::{Headers, Response, ResponseBuilder, Result};

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

/// Headers with what a page of another origin needs to read the answer.
fn cors_headers() -> Result<Headers> {
    let headers = Headers::new();
    headers.set("Access-Control-Allow-Origin", "*")?;
    headers.set(
        "Access-Control-Expose-Headers",
        "Retry-After, Idempotency-Replayed",
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
    Ok(builder("text/plain; charset=utf-8")?.fixed(text.as_bytes().to_vec()))
}

thread_local! {
    /// The headers of [`json`], made once: they are the same for every receipt, and a new object for each would be
    /// five calls into JavaScript. A response copies them.
    static JSON_HEADERS: OnceCell<web_sys::Headers> = const { OnceCell::new() };
}

/// 200 with `value` as JSON, which nobody may keep.
pub fn json<T: Serialize>(value: &T) -> Result<Response> {
    let headers = match JSON_HEADERS.with(|headers| headers.get().cloned()) {
        Some(headers) => headers,
        None => {
            let Headers(headers) = cors_headers()?;
            headers.set("Content-Type", "application/json")?;
            headers.set("Cache-Control", "no-store")?;
            JSON_HEADERS.with(|made| made.get_or_init(|| headers).clone())
        }
    };
    Ok(ResponseBuilder::new()
        .with_headers(Headers(headers))
        .fixed(serde_json::to_vec(value)?))
}

/// 200 and the headers of a stream, with no body yet.
pub fn event_stream() -> Result<ResponseBuilder> {
    builder(sse::MEDIA_TYPE)?
        .with_header("Cache-Control", "no-cache, no-transform")?
        // nginx and its kin would gather a stream into buffers otherwise.
        .with_header("X-Accel-Buffering", "no")
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
        .empty())
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
        .empty())
}

/// `problem` as its status and JSON. Where the client reads a stream (`wants_stream`) and the problem passes, as a
/// stream with a `hub.error` in it: a browser's `EventSource` gives up for good on any status but 200.
pub fn problem(problem: &Problem, wants_stream: bool) -> Result<Response> {
    if wants_stream && problem.passes() {
        let stream = sse::error_stream(random_between(5_000, 15_000), &problem.to_json());
        return Ok(event_stream()?.fixed(stream.into_bytes()));
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
    Ok(builder.fixed(problem.to_json().into_bytes()))
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
