//! The runtime's side of an open stream: a JavaScript `ReadableStream` into which chunks are pushed.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Function, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{QueuingStrategy, ReadableStream, ReadableStreamDefaultController};
use worker::{Error, Result};

use sse_hub::{ConnId, Stream};

/// The end of a stream to which chunks are written.
#[derive(Clone, Debug)]
pub struct EventStream(Rc<ReadableStreamDefaultController>);

impl EventStream {
    /// Passes `chunk` to the runtime, which copies it when it sends it. Fails if the stream has ended. May call
    /// `cancel` before it returns.
    pub fn write(&self, chunk: &Uint8Array) -> Result<()> {
        Ok(self.0.enqueue_with_chunk(chunk)?)
    }

    /// Ends the stream after the chunks that were written. The client sees a complete response, and reconnects. May
    /// call `cancel` before it returns.
    pub fn end(&self) {
        // This fails only if the stream has ended already.
        let _ = self.0.close();
    }
}

impl Stream for EventStream {
    // The high-water mark is one chunk, so a desired size of one means that the queue is empty. The hub is borrowed
    // during this call. That is safe, because the getter is the runtime's own: it neither throws nor calls back.
    fn is_ready(&self) -> bool {
        self.0.desired_size().is_some_and(|size| size >= 1.0)
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
        Ok((body, EventStream(Rc::new(controller))))
    }
}
