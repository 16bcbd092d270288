//! The Durable Object of a channel: a [`Hub`] with real streams, a real clock and a real timer. The only place that
//! touches the runtime's streams.
//!
//! No borrow of the hub is held while JavaScript is called that may call back: writing to a stream, or ending it, may
//! call its `cancel` at once. Asking the time, or whether a stream is ready, calls nothing back.

mod stream;
mod timer;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::Duration;

use futures_channel::oneshot;
use js_sys::Uint8Array;
use serde::Serialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Request, Response};
use worker::{Delay, Env, Result};

use self::stream::{EventStream, StreamOpener};
use self::timer::{Clock, Timer};
use crate::fanout::{Before, Change, ConnId, Hub, Millis, Receipt, Work};
use crate::logging::Level;
use crate::problem::Problem;
use crate::response::{self, Failure};
use crate::route::{self, Action, Route, channel_id};
use crate::settings::Settings;
use crate::sse::{self, Batch};

/// The range that a stream's `retry:` is drawn from, in milliseconds.
const RETRY_MS: (u32, u32) = (2_000, 4_000);

/// The Durable Object class. Everything is in [`Shared`], which its callbacks and tasks hold, too.
///
/// Written out instead of with worker's `#[durable_object]`, whose wrappers of the request and the answer cost several
/// calls into JavaScript at every publish, and keep garbage for every stream.
#[wasm_bindgen]
pub struct Channel {
    shared: std::result::Result<Rc<Shared>, Problem>,
}

#[wasm_bindgen]
impl Channel {
    /// Called by the runtime before the first request.
    #[wasm_bindgen(constructor)]
    pub fn new(_state: JsValue, env: Env) -> Self {
        Self {
            shared: crate::settings(&env).map(Shared::new),
        }
    }

    /// Called by the runtime for each request.
    pub async fn fetch(&self, request: Request) -> std::result::Result<Response, JsValue> {
        let answer = match self.answer(&request).await {
            Err(Failure::Problem(problem)) => {
                response::problem(&problem, response::wants_stream(&request))
            }
            Err(Failure::Runtime(error)) => Err(error),
            Ok(response) => Ok(response),
        };
        Ok(answer?)
    }
}

impl Channel {
    /// Answers what the router lets through.
    async fn answer(&self, request: &Request) -> std::result::Result<Response, Failure> {
        let shared = self.shared.as_ref().map_err(Problem::clone)?;
        let url = request.url();
        let Route::Channel(segment, action) = route::route(route::path(&url)) else {
            return Err(Problem::NotFound.into());
        };
        if shared.id.get().is_none() {
            // The same for every request to this object.
            let id = channel_id(segment).ok_or(Problem::InvalidChannelId)?;
            let _ = shared.id.set(id);
        }
        match action {
            Action::Subscribe => shared.subscribe(),
            Action::Broadcast => {
                let body = JsFuture::from(request.text().map_err(worker::Error::from)?).await;
                let wire = body.map_err(worker::Error::from)?.as_string();
                shared
                    .publish(Batch::from_wire(wire.unwrap_or_default()))
                    .await
            }
            Action::Stats => Ok(shared.stats()?),
        }
    }
}

/// Events waiting to be appended, and where their receipt goes.
struct Submission {
    batch: Batch,
    receipt: oneshot::Sender<Receipt>,
}

/// The channel's state.
struct Shared {
    /// The channel's id, known from the first request on.
    id: OnceCell<String>,
    settings: Rc<Settings>,
    hub: RefCell<Hub<EventStream>>,
    /// Publishes in the order in which they came.
    inbox: RefCell<VecDeque<Submission>>,
    /// Whether a task is working the inbox off.
    appending: Cell<bool>,
    opener: StreamOpener,
    clock: Clock,
    timer: Timer,
    started: Millis,
}

/// The shape of `GET /channels/{id}/stats`.
#[derive(Serialize)]
struct StatsBody<'a> {
    channel: &'a str,
    epoch: String,
    seq: u64,
    subscribers: usize,
    busy: usize,
    published: u64,
    dropped: u64,
    connected: u64,
    uptime_seconds: u64,
}

impl Shared {
    fn new(settings: Rc<Settings>) -> Rc<Self> {
        let clock = Clock::default();
        let started = clock.now();
        Rc::new_cyclic(|weak: &Weak<Self>| {
            let (on_cancel, on_timer) = (weak.clone(), weak.clone());
            Self {
                id: OnceCell::new(),
                hub: RefCell::new(Hub::new(started, &settings.limits)),
                settings,
                inbox: RefCell::new(VecDeque::new()),
                appending: Cell::new(false),
                opener: StreamOpener::new(move |conn| {
                    if let Some(shared) = on_cancel.upgrade() {
                        shared.leave(conn);
                    }
                }),
                clock,
                timer: Timer::new(move || {
                    if let Some(shared) = on_timer.upgrade() {
                        shared.hub.borrow_mut().begin_turn();
                        shared.poll();
                    }
                }),
                started,
            }
        })
    }

    fn id(&self) -> &str {
        self.id.get().map_or("", String::as_str)
    }

    fn log(&self, level: Level, line: impl FnOnce() -> String) {
        level.log(self.settings.log_level, line);
    }

    /// Opens a stream: its first block goes out at once, events from now on follow.
    fn subscribe(&self) -> std::result::Result<Response, Failure> {
        let max = self.settings.max_subscribers;
        if self.hub.borrow().subscribers() >= max {
            return Err(Problem::ChannelFull { max }.into());
        }
        let (conn, at) = self.hub.borrow_mut().open();
        let (body, stream) = self.opener.open(conn)?;
        let (least, most) = RETRY_MS;
        let opening = sse::opening(response::random_between(least, most), at);
        stream.write(&Uint8Array::from(opening.as_bytes()))?;
        self.hub.borrow_mut().join(conn, stream, self.clock.now());
        self.set_timer();
        self.log(Level::Info, || {
            format!("listener connected: id={} conn={conn}", self.id())
        });
        Ok(response::event_stream(Some(&body))?)
    }

    /// Forgets a stream whose client has gone.
    fn leave(&self, conn: ConnId) {
        if self.hub.borrow_mut().leave(conn) {
            self.log_left(conn);
            self.set_timer();
        }
    }

    fn log_left(&self, conn: ConnId) {
        self.log(Level::Info, || {
            format!("listener left: id={} conn={conn}", self.id())
        });
    }

    /// Submits events, and answers with their receipt once they are in the log.
    async fn publish(self: &Rc<Self>, batch: Batch) -> std::result::Result<Response, Failure> {
        let (sender, receipt) = oneshot::channel();
        self.inbox.borrow_mut().push_back(Submission {
            batch,
            receipt: sender,
        });
        if !self.appending.replace(true) {
            spawn_local(self.clone().append_all());
        }
        let receipt = receipt.await.map_err(|_| Problem::Internal)?;
        Ok(response::json(&receipt)?)
    }

    /// Appends what is in the inbox, in order, until it is empty.
    async fn append_all(self: Rc<Self>) {
        loop {
            let next = self.inbox.borrow_mut().pop_front();
            let Some(submission) = next else { break };
            self.let_streams_keep_up(&submission.batch).await;
            let receipt = self
                .hub
                .borrow_mut()
                .append(&submission.batch, self.clock.now());
            // Nobody waits for it where the publisher has gone; the events are published all the same.
            let _ = submission.receipt.send(receipt);
            // A flush under way goes on when the event loop has gone round.
            if self.hub.borrow().is_flushing() {
                self.set_timer();
            } else {
                self.poll();
            }
        }
        self.appending.set(false);
    }

    /// Before `batch` pushes events out of the log that a stream which keeps up was not given yet: gives them to it,
    /// and lets the event loop go round for it to take them. Streams that back up are not waited for.
    async fn let_streams_keep_up(&self, batch: &Batch) {
        loop {
            let before = self.hub.borrow_mut().before_append(batch);
            match before {
                Before::Flush => self.flush(),
                Before::Turn => {
                    self.hub.borrow_mut().begin_turn();
                    Delay::from(Duration::ZERO).await;
                }
                Before::Append => return,
            }
        }
    }

    fn flush(&self) {
        let work = self.hub.borrow_mut().flush(self.clock.now());
        self.perform(work);
    }

    /// Does what is due, and sets the timer for what comes next.
    fn poll(&self) {
        let work = self.hub.borrow_mut().poll(self.clock.now());
        self.perform(work);
        self.set_timer();
    }

    fn set_timer(&self) {
        let at = self.hub.borrow().next_poll();
        if let Err(error) = self.timer.set(at, self.clock.now()) {
            self.log(Level::Error, || {
                format!("timer failed: id={} error={error}", self.id())
            });
        }
    }

    /// Writes what the hub gave out. Each of its chunks is copied out of wasm memory once, however many streams get it.
    fn perform(&self, work: Work<EventStream>) {
        let chunks: Vec<Uint8Array> = work
            .chunks
            .iter()
            .map(|chunk| Uint8Array::from(chunk.as_slice()))
            .collect();
        for write in work.writes {
            let chunk = chunks.get(write.chunk);
            if chunk.is_some_and(|chunk| write.stream.write(chunk).is_err()) {
                self.leave(write.conn);
            }
        }
        for (conn, stream) in work.stalled {
            stream.end();
            self.log_left(conn);
        }
        let changes = self.hub.borrow_mut().take_changes();
        for change in changes {
            self.log(Level::Info, || match change {
                Change::Busy(conn) => format!("channel busy: id={} conn={conn}", self.id()),
                Change::CaughtUp(conn, dropped) => format!(
                    "channel caught up: id={} conn={conn} dropped={dropped}",
                    self.id()
                ),
            });
        }
    }

    fn stats(&self) -> Result<Response> {
        let stats = self.hub.borrow().stats();
        let uptime = self.clock.now().saturating_sub(self.started);
        response::json(&StatsBody {
            channel: self.id(),
            epoch: stats.newest.epoch_text(),
            seq: stats.newest.seq,
            subscribers: stats.subscribers,
            busy: stats.busy,
            published: stats.published,
            dropped: stats.dropped,
            connected: stats.connected,
            uptime_seconds: uptime / 1_000,
        })
    }
}
