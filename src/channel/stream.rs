//! Open streams as the runtime sees them: a JavaScript `ReadableStream` that is pushed into.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Function, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{QueuingStrategy, ReadableStream, ReadableStreamDefaultController};
use worker::{Error, Result};

use sse_hub::{ConnId, Stream};

/// The writing end of a stream.
#[derive(Clone, Debug)]
pub struct EventStream(Rc<ReadableStreamDefaultController>);

impl EventStream {
    /// Hands `chunk` to the runtime, which copies it when it sends it. Fails where the stream has ended. May call
    /// `cancel` back before it returns.
    pub fn write(&self, chunk: &Uint8Array) -> Result<()> {
        Ok(self.0.enqueue_with_chunk(chunk)?)
    }

    /// Ends the stream after what was written: a client that reads on finds a whole stream's end, and reconnects.
    /// May call `cancel` back.
    pub fn end(&self) {
        // Fails only where the stream has ended already.
        let _ = self.0.close();
    }
}

impl Stream for EventStream {
    // A high-water mark of one chunk: a desired size of one says that the queue is empty. It is asked while the hub
    // is borrowed: a getter of the runtime's own, which neither throws nor calls anything back.
    fn is_ready(&self) -> bool {
        self.0.desired_size().is_some_and(|size| size >= 1.0)
    }
}

/// Opens the streams of one channel. One pair of callbacks serves them all.
pub struct StreamOpener {
    start: Closure<dyn FnMut(ReadableStreamDefaultController)>,
    cancel: Closure<dyn FnMut(f64)>,
    /// One chunk waits in a stream, and no more.
    strategy: QueuingStrategy,
    /// Where `start` leaves the controller for [`open`](Self::open) to pick up.
    controller: Rc<RefCell<Option<ReadableStreamDefaultController>>>,
}

impl StreamOpener {
    /// `on_cancel` is called with a stream's number when its client has gone.
    pub fn new(on_cancel: impl Fn(ConnId) + 'static) -> Self {
        let controller = Rc::new(RefCell::new(None));
        let slot = controller.clone();
        let strategy = QueuingStrategy::new();
        strategy.set_high_water_mark(1.0);
        Self {
            strategy,
            start: Closure::new(move |controller| {
                slot.replace(Some(controller));
            }),
            // A number of a stream stays far below 2^53.
            cancel: Closure::new(move |conn: f64| on_cancel(conn as ConnId)),
            controller,
        }
    }

    /// A new stream: the end for the response body, and the end to write to.
    pub fn open(&self, conn: ConnId) -> Result<(ReadableStream, EventStream)> {
        let source = Object::new();
        let cancel: &Function = self.cancel.as_ref().unchecked_ref();
        let cancel = cancel.bind1(&JsValue::NULL, &JsValue::from_f64(conn as f64));
        Reflect::set(&source, &"start".into(), self.start.as_ref())?;
        Reflect::set(&source, &"cancel".into(), &cancel)?;
        // Calls `start` before it returns.
        let body =
            ReadableStream::new_with_underlying_source_and_strategy(&source, &self.strategy)?;
        let controller = self.controller.take();
        let controller =
            controller.ok_or_else(|| Error::RustError("the stream did not start".into()))?;
        Ok((body, EventStream(Rc::new(controller))))
    }
}
