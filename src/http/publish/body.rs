//! Reads the body of a publish within a time limit, and counts its memory.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStream, Request};
use worker::Delay;

use crate::http::problem::Problem;
use crate::isolate::memory::Admission;
use sse_hub::Millis;

/// Reads the body within `time` milliseconds. Returns `None` if it is larger than `max` bytes. `declared` is its
/// length, if the request has a `Content-Length`; otherwise `admission` grows while the body is read.
pub(super) async fn read(
    request: &Request,
    declared: Option<usize>,
    max: usize,
    time: Millis,
    admission: &mut Admission,
) -> Result<Option<Vec<u8>>, Problem> {
    match declared {
        Some(_) => read_declared(request, time).await.map(Some),
        None => in_time(read_pieces(request, max, admission), time).await,
    }
}

/// The result of `reading`, or [`Problem::BodyTooSlow`] after `time` milliseconds.
async fn in_time<T>(
    reading: impl Future<Output = Result<T, Problem>>,
    time: Millis,
) -> Result<T, Problem> {
    let timeout = Delay::from(Duration::from_millis(time));
    match select(pin!(reading), timeout).await {
        Either::Left((read, _)) => read,
        Either::Right(_) => Err(too_slow(time)),
    }
}

fn too_slow(time: Millis) -> Problem {
    Problem::BodyTooSlow {
        seconds: time / 1_000,
    }
}

#[wasm_bindgen(module = "/src/http/publish/body.js")]
extern "C" {
    /// Returns the body of `request` as an `ArrayBuffer`, or `undefined` if it is incomplete after `ms` milliseconds.
    #[wasm_bindgen(js_name = bodyWithin)]
    fn body_within(request: &Request, ms: f64) -> Promise;

    /// Reads a body in pieces. If it is dropped before the end, the rest of the body is cancelled.
    type PieceReader;

    #[wasm_bindgen(constructor)]
    fn new(stream: &ReadableStream) -> PieceReader;

    /// Returns the next `bytes` bytes, or fewer at the end of the body.
    #[wasm_bindgen(method)]
    fn next(this: &PieceReader, bytes: u32) -> Promise;
}

/// Reads the body of a request that has a `Content-Length`. The server makes sure that the body has this length. This
/// takes one call into the runtime, instead of several for each piece.
async fn read_declared(request: &Request, time: Millis) -> Result<Vec<u8>, Problem> {
    let read = JsFuture::from(body_within(request, time as f64)).await;
    let buffer = read.map_err(|_| Problem::BrokenBody)?;
    if buffer.is_undefined() {
        return Err(too_slow(time));
    }
    Ok(Uint8Array::new(&buffer).to_vec())
}

/// The size of the pieces in which a body without a `Content-Length` is read. The runtime joins smaller pieces, so a
/// body that arrives byte by byte does not cost a loop turn for each byte.
const PIECE_BYTES: u32 = 4_096;

/// Reads the body of a request that has no `Content-Length`. Returns `None` if it is larger than `max` bytes. The
/// memory of each piece is counted before the piece is read.
async fn read_pieces(
    request: &Request,
    max: usize,
    admission: &mut Admission,
) -> Result<Option<Vec<u8>>, Problem> {
    let Some(stream) = request.body() else {
        return Ok(Some(Vec::new()));
    };
    let reader = PieceReader::new(&stream);
    let mut body = Vec::new();
    loop {
        if !admission.grow(PIECE_BYTES as usize) {
            return Err(Problem::MemoryFull);
        }
        let piece = JsFuture::from(reader.next(PIECE_BYTES)).await;
        let piece = Uint8Array::from(piece.map_err(|_| Problem::BrokenBody)?);
        let length = usize::try_from(piece.length()).unwrap_or(usize::MAX);
        if body.len().saturating_add(length) > max {
            return Ok(None);
        }
        body.extend(piece.to_vec());
        // Only the last piece is smaller.
        if piece.length() < PIECE_BYTES {
            return Ok(Some(body));
        }
    }
}
