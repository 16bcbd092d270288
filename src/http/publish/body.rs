//! The body of a publish: read in time, and counted.

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

/// Reads the body within `time`. `None` where it is larger than `max`. `declared` is its length where the request gave one;
/// otherwise the `admission` grows with it.
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

/// What `reading` gives, unless it takes more than `time` milliseconds.
async fn in_time<T>(
    reading: impl Future<Output = Result<T, Problem>>,
    time: Millis,
) -> Result<T, Problem> {
    let late = Delay::from(Duration::from_millis(time));
    match select(pin!(reading), late).await {
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
    /// The body of `request` as an `ArrayBuffer`, `undefined` where it has not come after so many milliseconds.
    #[wasm_bindgen(js_name = bodyWithin)]
    fn body_within(request: &Request, ms: f64) -> Promise;

    /// Reads a body in pieces. Where it is dropped before the end, the rest is cancelled.
    type PieceReader;

    #[wasm_bindgen(constructor)]
    fn new(stream: &ReadableStream) -> PieceReader;

    /// The next piece, of so many bytes, or fewer where the body ends.
    #[wasm_bindgen(method)]
    fn next(this: &PieceReader, bytes: u32) -> Promise;
}

/// The body of a request that said how long it is, which the server holds it to. One call into the runtime, instead of
/// several for each piece.
async fn read_declared(request: &Request, time: Millis) -> Result<Vec<u8>, Problem> {
    let read = JsFuture::from(body_within(request, time as f64)).await;
    let buffer = read.map_err(|_| Problem::BrokenBody)?;
    if buffer.is_undefined() {
        return Err(too_slow(time));
    }
    Ok(Uint8Array::new(&buffer).to_vec())
}

/// How much of a body that did not say how long it is comes at once: the runtime joins smaller pieces itself, so that a body
/// of single bytes costs no turn of the event loop for each.
const PIECE_BYTES: u32 = 4_096;

/// The body of a request that did not say how long it is; `None` where it is larger than `max`. Each piece is counted before
/// it comes.
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
        // The runtime gives less only at the end.
        if piece.length() < PIECE_BYTES {
            return Ok(Some(body));
        }
    }
}
