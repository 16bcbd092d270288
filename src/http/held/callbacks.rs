//! The functions that JavaScript calls for held streams, and the streams that they are for.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use js_sys::{ArrayBuffer, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use worker::Result;

use super::Held;
use super::client_stream::ClientStream;
use crate::isolate::exclusive::Exclusive;
use sse_hub::FeedMessage;
use sse_hub::feed::{FRAME_HEADER_BYTES, FrameHeader};
use sse_hub::held::Action;

thread_local! {
    static STREAMS: Exclusive<HashMap<u64, Rc<Held>>> = Exclusive::default();
    static NEWEST: Cell<u64> = const { Cell::new(0) };
    /// One set of functions for all streams.
    static CALLBACKS: Callbacks = Callbacks::new();
}

/// See [`frame`].
type OnFrame = dyn Fn(f64, u32, u32, u32, u32, bool, ArrayBuffer);

/// The closures, which live as long as the instance, and the object through which JavaScript calls them.
struct Callbacks {
    object: Object,
    _frame: Closure<OnFrame>,
    _text: Closure<dyn Fn(f64, u32, String)>,
    _closed: Closure<dyn Fn(f64, u32, u16)>,
    _of_stream: Vec<Closure<dyn Fn(f64)>>,
}

impl Callbacks {
    fn new() -> Self {
        let frame: Closure<OnFrame> = Closure::new(frame);
        let text: Closure<dyn Fn(f64, u32, String)> = Closure::new(text);
        let closed: Closure<dyn Fn(f64, u32, u16)> = Closure::new(closed);
        let of_stream = [
            ("left", Closure::new(left)),
            ("due", Closure::new(due)),
            ("stop", Closure::new(stop)),
        ];
        let object = Object::new();
        // Setting a property of a plain object does not fail.
        let set = |name: &str, function: &JsValue| {
            let _ = Reflect::set(&object, &name.into(), function);
        };
        set("frame", frame.as_ref());
        set("text", text.as_ref());
        set("closed", closed.as_ref());
        let of_stream = of_stream.map(|(name, closure): (_, Closure<dyn Fn(f64)>)| {
            set(name, closure.as_ref());
            closure
        });
        Self {
            object,
            _frame: frame,
            _text: text,
            _closed: closed,
            _of_stream: of_stream.into(),
        }
    }
}

/// Opens the JavaScript side of a stream. Returns the number of the stream, too.
pub fn new_client_stream(context: &JsValue) -> Result<(u64, ClientStream)> {
    let number = NEWEST.with(|newest| {
        newest.set(newest.get().saturating_add(1));
        newest.get()
    });
    let object = CALLBACKS.with(|callbacks| callbacks.object.clone());
    // The numbers of streams stay far below 2^53.
    Ok((number, ClientStream::new(&object, number as f64, context)?))
}

/// Adds a stream that the functions are for.
pub fn register(held: &Rc<Held>) {
    STREAMS.with(|streams| streams.with(|streams| streams.insert(held.number, held.clone())));
}

/// Removes a stream that has ended.
pub fn unregister(number: u64) {
    // The stream is dropped after the borrow has ended.
    let removed = STREAMS.with(|streams| streams.with(|streams| streams.remove(&number)));
    drop(removed);
}

fn find(number: f64) -> Option<Rc<Held>> {
    let number = number as u64;
    STREAMS.with(|streams| streams.with(|streams| streams.get(&number).cloned()))?
}

/// A frame of a feed. `low` and `high` are the halves of its header, `is_taken` says whether the client has taken
/// everything before it, and `data` is the whole message.
fn frame(
    number: f64,
    feed: u32,
    low: u32,
    high: u32,
    bytes: u32,
    is_taken: bool,
    data: ArrayBuffer,
) {
    if let Some(held) = find(number) {
        let header = FrameHeader::from_bits((u64::from(high) << 32) | u64::from(low));
        held.change_with_frame(is_taken, Some(&data), |stream, now| {
            stream.note_frame(
                feed as usize,
                header,
                bytes as usize,
                || bytes_of(&data),
                now,
            )
        });
    }
}

/// The bytes of a frame without its header.
fn bytes_of(data: &ArrayBuffer) -> Vec<u8> {
    let header = u32::try_from(FRAME_HEADER_BYTES).unwrap_or_default();
    Uint8Array::new_with_byte_offset(data, header).to_vec()
}

/// A text message of a feed: the runtime answers pings.
fn text(number: f64, feed: u32, text: String) {
    if text == FeedMessage::PONG {
        with(number, |stream, _| {
            stream.note_pong(feed as usize);
            Vec::new()
        });
    }
}

fn closed(number: f64, feed: u32, code: u16) {
    with(number, |stream, now| {
        stream.note_closed(feed as usize, code, now)
    });
}

/// The client has left.
fn left(number: f64) {
    with(number, |stream, _| stream.note_left());
    unregister(number as u64);
}

/// The timer of the stream is due.
fn due(number: f64) {
    if let Some(held) = find(number) {
        held.timer_at.set(sse_hub::Millis::MAX);
        held.change(|stream, now| stream.tick(now));
    }
}

/// The server is stopping.
fn stop(number: f64) {
    with(number, |stream, _| stream.stop());
}

fn with(
    number: f64,
    work: impl FnOnce(&mut sse_hub::held::HeldStream, sse_hub::Millis) -> Vec<Action>,
) {
    if let Some(held) = find(number) {
        held.change(work);
    }
}
