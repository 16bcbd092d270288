//! A peer for the benchmark: a simple hub in Rust. It has the routes and the wire format of this project, one Durable
//! Object per channel, and the streams of workers-rs: [`ResponseBuilder::from_stream`] over a bounded queue.

// The methods that the macros generate have no doc comments.
#![allow(missing_docs)]

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use futures_channel::mpsc::{Sender, channel};
use futures_util::StreamExt;
use wasm_bindgen_futures::spawn_local;
use worker::{
    Context, Delay, DurableObject, Env, Method, Request, Response, ResponseBuilder, Result, State,
    durable_object, event,
};

/// How many chunks may wait in the queue of a stream. A stream loses the chunks that arrive while its queue is full.
const BUFFER_EVENTS: usize = 256;
const HEARTBEAT: Duration = Duration::from_secs(15);

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let path = request.path();
    match (request.method(), channel_id(&path)) {
        (Method::Get, None) if path == "/healthz" => Response::ok("ok"),
        (Method::Get, Some((id, None))) | (Method::Post, Some((id, Some("broadcast")))) => {
            let stub = env.durable_object("CHANNEL")?.get_by_name(id)?;
            stub.fetch_with_request(request).await
        }
        _ => Response::error("Not found", 404),
    }
}

/// Splits a path into the channel's id and the rest.
fn channel_id(path: &str) -> Option<(&str, Option<&str>)> {
    let mut parts = path.strip_prefix("/channels/")?.splitn(2, '/');
    let id = parts.next().filter(|id| !id.is_empty())?;
    Some((id, parts.next()))
}

/// A chunk in the queue of a stream. All streams share its bytes until each of them copies the bytes out of wasm
/// memory.
type Chunk = Rc<[u8]>;

#[durable_object(fetch)]
pub struct Channel {
    streams: Rc<RefCell<Vec<Sender<Chunk>>>>,
    /// Whether a task that sends heartbeats runs.
    beating: Rc<Cell<bool>>,
    epoch: u64,
    seq: Cell<u64>,
}

impl DurableObject for Channel {
    fn new(_state: State, _env: Env) -> Self {
        Self {
            streams: Rc::default(),
            beating: Rc::default(),
            epoch: js_sys::Date::now() as u64,
            seq: Cell::new(0),
        }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        if request.method() == Method::Post {
            self.publish(&mut request).await
        } else {
            self.subscribe()
        }
    }
}

impl Channel {
    fn subscribe(&self) -> Result<Response> {
        // The channel adds one slot for each sender to the length of its queue.
        let (mut sender, receiver) = channel::<Chunk>(BUFFER_EVENTS.saturating_sub(1));
        let opening = format!("retry: 3000\nid: {}-{}\n\n", self.epoch, self.seq.get());
        // The queue is new, so this cannot fail.
        let _ = sender.try_send(opening.into_bytes().into());
        self.streams.borrow_mut().push(sender);
        if !self.beating.replace(true) {
            spawn_local(beat(Rc::downgrade(&self.streams), self.beating.clone()));
        }
        ResponseBuilder::new()
            .with_header("Content-Type", "text/event-stream")?
            .with_header("Cache-Control", "no-cache, no-transform")?
            .with_header("Access-Control-Allow-Origin", "*")?
            .with_header("X-Accel-Buffering", "no")?
            .from_stream(receiver.map(|chunk| Ok::<_, worker::Error>(chunk.to_vec())))
    }

    /// Sends the body as one event, or as several events if the body is an event stream.
    async fn publish(&self, request: &mut Request) -> Result<Response> {
        let content_type = request.headers().get("Content-Type")?;
        let is_batch = content_type.is_some_and(|value| value.starts_with("text/event-stream"));
        let body = request.text().await?;
        let body = body.replace("\r\n", "\n").replace('\r', "\n");
        let (mut wire, mut events) = (String::new(), 0_u64);
        let mut add = |event: &str| {
            let seq = self.seq.get().saturating_add(1);
            self.seq.set(seq);
            events = events.saturating_add(1);
            wire.push_str(&format!("id: {}-{seq}\n{event}\n\n", self.epoch));
        };
        if is_batch {
            let blocks = body.split("\n\n").map(|block| block.trim_matches('\n'));
            blocks.filter(|block| !block.is_empty()).for_each(add);
        } else {
            add(&format!("data: {}", body.replace('\n', "\ndata: ")));
        }
        let missed = send(&mut self.streams.borrow_mut(), wire.into_bytes().into());
        let (epoch, seq, subscribers) = (self.epoch, self.seq.get(), self.streams.borrow().len());
        let dropped = missed.saturating_mul(events);
        let receipt = format!(
            r#"{{"id":"{epoch}-{seq}","events":{events},"subscribers":{subscribers},"dropped":{dropped}}}"#
        );
        Ok(ResponseBuilder::new()
            .with_header("Content-Type", "application/json")?
            .with_header("Access-Control-Allow-Origin", "*")?
            .fixed(receipt.into_bytes()))
    }
}

/// Enqueues `chunk` to every stream, and removes the streams whose client has disconnected. Returns how many queues
/// were full.
fn send(streams: &mut Vec<Sender<Chunk>>, chunk: Chunk) -> u64 {
    let mut full = 0_u64;
    streams.retain_mut(|stream| match stream.try_send(chunk.clone()) {
        Err(error) if error.is_disconnected() => false,
        Err(_) => {
            full = full.saturating_add(1);
            true
        }
        Ok(()) => true,
    });
    full
}

/// Sends heartbeats while there are streams. Only a write detects that a client has disconnected.
async fn beat(streams: Weak<RefCell<Vec<Sender<Chunk>>>>, beating: Rc<Cell<bool>>) {
    while beating.get() {
        Delay::from(HEARTBEAT).await;
        let alive = streams.upgrade().is_some_and(|streams| {
            send(&mut streams.borrow_mut(), b":\n\n".as_slice().into());
            !streams.borrow().is_empty()
        });
        beating.set(alive);
    }
}
