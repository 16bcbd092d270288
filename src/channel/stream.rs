//! The runtime's side of an open stream: a JavaScript `ReadableStream` into which chunks are pushed, or the WebSocket
//! of a feed.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use js_sys::{Function, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{QueuingStrategy, ReadableStream, ReadableStreamDefaultController, WebSocket};
use worker::{Error, Result};

use super::feeds;
use sse_hub::feed::FeedClose;
use sse_hub::{Chunk, ConnId, EndReason, Stream};

/// The end of a stream to which chunks are written.
#[derive(Clone, Debug)]
pub enum EventStream {
    /// The body of a response.
    Response(Rc<ReadableStreamDefaultController>),
    /// A feed.
    Feed(Rc<WebSocket>),
}

/// A chunk for the runtime. It is copied out of WebAssembly memory once for all responses, and once for all feeds, which
/// get it with a header.
pub struct Frame<'a> {
    chunk: &'a Chunk,
    for_responses: OnceCell<Uint8Array>,
    for_feeds: OnceCell<Uint8Array>,
}

impl<'a> Frame<'a> {
    /// A frame that carries `chunk`. It is copied when the first stream gets it.
    pub fn new(chunk: &'a Chunk) -> Self {
        Self {
            chunk,
            for_responses: OnceCell::new(),
            for_feeds: OnceCell::new(),
        }
    }

    fn for_responses(&self) -> &Uint8Array {
        let copy = || Uint8Array::from(self.chunk.bytes.as_slice());
        self.for_responses.get_or_init(copy)
    }

    fn for_feeds(&self) -> &Uint8Array {
        self.for_feeds.get_or_init(|| {
            let Chunk { bytes, header } = self.chunk;
            let frame = [header.encode().as_slice(), bytes.as_slice()].concat();
            Uint8Array::from(frame.as_slice())
        })
    }
}

impl EventStream {
    /// Passes `frame` to the runtime, which copies it when it sends it. Fails if the stream has ended. May call
    /// `cancel` before it returns.
    pub fn write(&self, frame: &Frame) -> Result<()> {
        match self {
            Self::Response(controller) => controller.enqueue_with_chunk(frame.for_responses())?,
            Self::Feed(socket) => socket.send_with_js_u8_array(frame.for_feeds())?,
        }
        Ok(())
    }

    /// Ends the stream after the chunks that were written. The client of a response sees that it is complete, and
    /// reconnects. May call `cancel` before it returns.
    pub fn end(&self, reason: EndReason) {
        // Both calls fail only if the stream has ended already.
        match self {
            Self::Response(controller) => {
                let _ = controller.close();
            }
            Self::Feed(socket) => {
                feeds::forget(socket);
                let _ = socket.close_with_code(close_of(reason).code());
            }
        }
    }
}

/// Returns the close code that tells the Worker why the feed ends.
fn close_of(reason: EndReason) -> FeedClose {
    match reason {
        EndReason::ChannelEnded => FeedClose::ChannelEnded,
        EndReason::Unreadable => FeedClose::Unreadable,
        EndReason::Stopping => FeedClose::Stopping,
        // A feed expires when its Worker asks for it. Only responses end because the channel is quiet.
        EndReason::Stalled | EndReason::MemoryShort | EndReason::Expired | EndReason::Quiet => {
            FeedClose::Stalled
        }
    }
}

impl Stream for EventStream {
    // The high-water mark is one chunk, so a desired size of one means that the queue is empty. The hub is borrowed
    // during this call. That is safe, because the getter is the runtime's own: it neither throws nor calls back.
    fn is_ready(&self) -> bool {
        match self {
            Self::Response(controller) => controller.desired_size().is_some_and(|size| size >= 1.0),
            // The window of the feed decides.
            Self::Feed(_) => true,
        }
    }
}

/// Opens the streams of one channel. All streams share one pair of callbacks.
pub struct StreamOpener {
    start: Closure<dyn Fn(ReadableStreamDefaultController)>,
    cancel: Closure<dyn Fn(f64)>,
    /// At most one chunk waits in a stream.
    strategy: QueuingStrategy,
    /// The controller that `start` has received, for [`open`](Self::open).
    controller: Rc<Cell<Option<ReadableStreamDefaultController>>>,
}

impl StreamOpener {
    /// `on_cancel` is called with the number of a stream whose client has disconnected.
    pub fn new(on_cancel: impl Fn(ConnId) + 'static) -> Self {
        let controller = Rc::new(Cell::new(None));
        let slot = controller.clone();
        let strategy = QueuingStrategy::new();
        strategy.set_high_water_mark(1.0);
        Self {
            strategy,
            start: Closure::new(move |controller| {
                slot.set(Some(controller));
            }),
            // The numbers of streams stay far below 2^53.
            cancel: Closure::new(move |conn: f64| on_cancel(conn as ConnId)),
            controller,
        }
    }

    /// Opens a stream. Returns the response body, and the end to write to.
    pub fn open(&self, conn: ConnId) -> Result<(ReadableStream, EventStream)> {
        let source = Object::new();
        let cancel: &Function = self.cancel.as_ref().unchecked_ref();
        let cancel = cancel.bind1(&JsValue::NULL, &JsValue::from_f64(conn as f64));
        Reflect::set(&source, &"start".into(), self.start.as_ref())?;
        Reflect::set(&source, &"cancel".into(), &cancel)?;
        // The constructor calls `start` before it returns.
        let body =
            ReadableStream::new_with_underlying_source_and_strategy(&source, &self.strategy)?;
        let controller = self.controller.take();
        let controller =
            controller.ok_or_else(|| Error::RustError("the stream did not start".into()))?;
        Ok((body, EventStream::Response(Rc::new(controller))))
    }
}
