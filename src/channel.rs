//! The Durable Object of a channel: a [`Hub`] with real streams, a real clock, a real timer and a real history. The only
//! place that touches the runtime's streams and storage.
//!
//! No borrow of the hub is held while JavaScript is called that may call back: writing to a stream, or ending it, may
//! call its `cancel` at once. Asking the time, whether a stream is ready, or the storage, calls nothing back.

mod append;
mod end;
mod flush;
mod memory;
mod publish;
mod rate;
mod repeat;
mod storage;
mod stream;
mod subscribe;
mod timer;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};

use serde::Serialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Request, Response};
use worker::worker_sys::DurableObjectState;
use worker::{Env, State};

use self::memory::ChannelMemory;
use self::publish::Inbox;
use self::rate::TokenBucket;
use self::storage::database::Database;
use self::storage::{HistoryStats, Store};
use self::stream::{EventStream, StreamOpener};
use self::timer::{Clock, Timer};
use crate::http::channel_id;
use crate::http::object::request::{ObjectRequest, PublishRequest};
use crate::http::problem::Problem;
use crate::http::response::{self, Failure, Responder};
use crate::isolate::disk_space;
use crate::isolate::instance;
use crate::isolate::storage_failure::StorageFailure;
use crate::logging::{Level, Line};
use crate::settings::Settings;
use crate::settings::deployment;
use sse_hub::sse::Batch;
use sse_hub::{Hub, Millis};

/// When a look at whether the channel has gone quiet is repeated that failed, in milliseconds: after an hour.
const RETRY_ALARM: Millis = 3_600_000;

/// The Durable Object class. Everything is in [`Shared`], which its callbacks and tasks hold, too.
///
/// Written out instead of with worker's `#[durable_object]`, whose wrappers of the request and the answer cost several
/// calls into JavaScript at every publish, and keep garbage for every stream.
#[wasm_bindgen]
pub struct Channel {
    env: Env,
    database: Rc<Database>,
    /// Made by the first request for which that succeeds.
    shared: OnceCell<Rc<Shared>>,
}

#[wasm_bindgen]
impl Channel {
    /// Called by the runtime before the first request.
    #[wasm_bindgen(constructor)]
    pub fn new(state: JsValue, env: Env) -> Self {
        instance::watch();
        let state = State::from(state.unchecked_into::<DurableObjectState>());
        Self {
            database: Rc::new(Database::new(state, &env)),
            env,
            shared: OnceCell::new(),
        }
    }

    /// Called by the runtime for each request.
    pub async fn fetch(&self, request: Request) -> Result<Response, JsValue> {
        let settings = deployment::settings(&self.env);
        let responder = Responder::new(&request, settings.as_deref().ok());
        let answer = match self.answer(&request, &responder).await {
            Err(Failure::Problem(problem)) => {
                responder.problem(&problem, response::wants_stream(&request))
            }
            Err(Failure::Runtime(error)) => Err(error),
            Ok(response) => Ok(response),
        };
        Ok(answer?)
    }

    /// Called by the runtime when the alarm is due: the channel may have gone quiet.
    pub async fn alarm(&self) -> Result<(), JsValue> {
        let cleared = match self.shared() {
            Ok(shared) => shared.request_clear().await,
            Err(problem) => Err(problem),
        };
        let Err(problem) = cleared else { return Ok(()) };
        // The runtime tries an alarm that fails a few times, and then never again.
        let again = self.database.set_alarm(RETRY_ALARM).await;
        again.map_err(|_| JsValue::from_str(&problem.to_string()))
    }
}

impl Channel {
    /// The channel's state. Fails with [`Problem::InvalidSetting`] or [`Problem::StorageFailed`].
    fn shared(&self) -> Result<&Rc<Shared>, Problem> {
        if let Some(shared) = self.shared.get() {
            return Ok(shared);
        }
        let settings = deployment::settings(&self.env)?;
        let clock = Clock::default();
        let store = Store::load(self.database.clone(), &settings, clock.now())
            .map_err(|error| storage_failed(&self.database, &error))?;
        let shared = Shared::new(self.database.clone(), store, settings, clock);
        memory::register(&shared);
        Ok(self.shared.get_or_init(|| shared))
    }

    /// Answers a request of the Worker.
    async fn answer(&self, request: &Request, responder: &Responder) -> Result<Response, Failure> {
        let (url, method) = (request.url(), request.method());
        let header = |name: &str| request.headers().get(name).ok().flatten();
        let decoded = ObjectRequest::decode(&method, &url, header);
        let (channel, decoded) = decoded.ok_or(Problem::NotFound)?;
        let shared = || self.shared_for(channel);
        match decoded {
            ObjectRequest::Subscribe(subscribe) => shared()?.subscribe(&subscribe, responder),
            ObjectRequest::Publish(publish) => shared()?.receive(request, publish, responder).await,
            ObjectRequest::ReadEvents { query } => shared()?.events(&query, responder),
            ObjectRequest::ReadStats => shared()?.stats(responder),
            ObjectRequest::EndChannel => shared()?.request_end(responder).await,
            ObjectRequest::Abort => {
                self.database.abort("it starts anew");
                // The runtime answers once the object has ended.
                std::future::pending().await
            }
        }
    }

    /// The state of the channel with this id, which is the same for every request to this object.
    fn shared_for(&self, channel: &str) -> Result<&Rc<Shared>, Problem> {
        let shared = self.shared()?;
        if shared.id.get().is_none() {
            let id = channel_id::parse(channel).ok_or(Problem::InvalidChannelId)?;
            let _ = shared.id.set(id);
        }
        Ok(shared)
    }
}

/// Notes in the log that the storage failed, of which channel and where, and returns what the client is told.
fn storage_failed(database: &Database, error: &impl std::fmt::Display) -> Problem {
    let error = error.to_string();
    Level::Error.log(|| {
        let line = Line::new("storage failed");
        database.location().name_in(line).error(&error)
    });
    let failure = StorageFailure::from_message(&error);
    if let StorageFailure::Full(reason) = &failure {
        disk_space::set_full(reason, 0);
    }
    Problem::StorageFailed(failure)
}

/// The channel's state.
struct Shared {
    /// The channel's id, known from the first request on.
    id: OnceCell<String>,
    settings: Rc<Settings>,
    hub: RefCell<Hub<EventStream>>,
    /// What is stored. Borrowed after the hub, where both are.
    store: RefCell<Store>,
    database: Rc<Database>,
    inbox: Inbox,
    /// What may be published just now; `None` for anything.
    rate: Option<RefCell<TokenBucket>>,
    /// The channel's end is being stored: until that is done, streams wait for it and for nothing else.
    ending: Cell<bool>,
    opener: StreamOpener,
    clock: Clock,
    timer: Timer,
    /// Set while commands are in flight; see [`crate::isolate::instance`].
    watchdog: Timer,
    memory: ChannelMemory,
    /// When the storage is read next, to see whether this is still the channel's object.
    next_check: Cell<Millis>,
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
    history: Option<HistoryStats>,
}

impl Shared {
    fn new(database: Rc<Database>, store: Store, settings: Rc<Settings>, clock: Clock) -> Rc<Self> {
        let started = clock.now();
        Rc::new_cyclic(|weak: &Weak<Self>| {
            let (on_cancel, on_timer, on_watch) = (weak.clone(), weak.clone(), weak.clone());
            let watchdog = Timer::new(database.state(), move || {
                if let Some(shared) = on_watch.upgrade() {
                    shared.watch();
                }
            });
            let timer = Timer::new(database.state(), move || {
                if let Some(shared) = on_timer.upgrade() {
                    shared.hub.borrow_mut().begin_loop_turn();
                    shared.poll();
                    shared.give_back_log_soon();
                }
            });
            Self {
                id: OnceCell::new(),
                hub: RefCell::new(Hub::new(store.next_id(), &settings.limits)),
                store: RefCell::new(store),
                database,
                rate: settings
                    .publish_per_second
                    .map(|rate| RefCell::new(TokenBucket::new(rate, started))),
                settings,
                inbox: Inbox::default(),
                ending: Cell::new(false),
                opener: StreamOpener::new(move |conn| {
                    if let Some(shared) = on_cancel.upgrade() {
                        shared.leave(conn);
                    }
                }),
                clock,
                timer,
                watchdog,
                memory: ChannelMemory::default(),
                next_check: Cell::new(started),
                started,
            }
        })
    }

    /// Reads the events in the body of a publish, and publishes them.
    async fn receive(
        self: &Rc<Self>,
        request: &Request,
        publish: PublishRequest,
        responder: &Responder,
    ) -> Result<Response, Failure> {
        self.check_rate()?;
        let _admission = self.admit_body(&publish)?;
        let body = JsFuture::from(request.text().map_err(worker::Error::from)?).await;
        let wire = body.map_err(worker::Error::from)?.as_string();
        let batch = Batch::from_wire(wire.unwrap_or_default());
        let PublishRequest { number, key, .. } = publish;
        if publish.only_replay {
            return self.replay(&batch, key, responder).await;
        }
        self.publish(number, batch, key, responder).await
    }

    fn id(&self) -> &str {
        self.id.get().map_or("", String::as_str)
    }

    /// Counts a publish. Fails with [`Problem::TooManyPublishes`].
    fn check_rate(&self) -> Result<(), Problem> {
        let Some(bucket) = &self.rate else {
            return Ok(());
        };
        let mut bucket = bucket.borrow_mut();
        if bucket.take(self.clock.now()) {
            return Ok(());
        }
        let max = bucket.per_second();
        Err(Problem::TooManyPublishes { max })
    }

    /// Notes in the log that the storage failed, and returns what the client is told.
    fn storage_failed(&self, error: &impl std::fmt::Display) -> Problem {
        storage_failed(&self.database, error)
    }

    fn stats(&self, responder: &Responder) -> Result<Response, Failure> {
        let now = self.clock.now();
        let stats = self.hub.borrow().stats();
        let history = self.store.borrow_mut().stats(now);
        let body = StatsBody {
            channel: self.id(),
            epoch: stats.newest.epoch_text(),
            seq: stats.newest.seq,
            subscribers: stats.subscribers,
            busy: stats.busy,
            published: stats.published,
            dropped: stats.dropped,
            connected: stats.connected,
            uptime_seconds: now.saturating_sub(self.started) / 1_000,
            history: history.map_err(|error| self.storage_failed(&error))?,
        };
        Ok(responder.json(&body)?)
    }
}
