//! The Durable Object of a channel: its entry points, and the dispatch of requests.
//!
//! - `shared`: what entry points, callbacks and tasks share, and how they borrow it
//! - `publish`, `subscribe`, `events`, `stats`, `removal`: the requests
//! - `pipeline`: runs the commands (publishes, the deletion): first into the storage, then into the log. Free of
//!   JavaScript
//! - `state`: the hub and the store, which change together. Free of JavaScript
//! - `steps`: connects the pipeline with the state and the runtime
//! - `flush`, `stream`: write the hub's output to the runtime's streams
//! - `feeds`: the streams that Workers hold, which outlast the sleep of the object
//! - `activity`: how often the channel is published to
//! - `storage`: the data of the channel
//! - `shutdown`: the end of all streams when the server stops
//! - `memory`, `rate`, `timer`: limits and time
//!
//! Only this module and its children call the runtime's streams and storage. The state is never borrowed during a call
//! into JavaScript that may call back: a write to a stream, and the end of one, may call its `cancel` at once.

mod activity;
mod events;
mod feeds;
mod flush;
mod memory;
mod pipeline;
mod publish;
mod rate;
mod removal;
mod shared;
pub mod shutdown;
mod state;
mod stats;
mod steps;
mod storage;
mod stream;
mod subscribe;
mod timer;

use std::cell::OnceCell;
use std::rc::Rc;

use wasm_bindgen::prelude::*;
use web_sys::{Request, Response, WebSocket};
use worker::worker_sys::DurableObjectState;
use worker::{Env, State};

use self::feeds::FeedRecord;
use self::shared::{Shared, storage_failed};
use self::storage::Store;
use self::storage::database::Database;
use self::storage::error::StorageError;
use self::timer::Clock;
use crate::http::channel_id;
use crate::http::object::request::ObjectRequest;
use crate::http::problem::Problem;
use crate::http::response::{self, Failure, Responder};
use crate::isolate::instance;
use crate::logging::{Level, Line};
use crate::settings::{Settings, deployment};
use sse_hub::feed::FeedClose;
use sse_hub::sse::Epoch;
use sse_hub::{FeedMessage, Millis};

/// The delay before a failed alarm is tried again, in milliseconds: one hour.
const RETRY_ALARM: Millis = 3_600_000;

/// The Durable Object class. Its state is in `Shared`, which its callbacks and tasks hold as well.
///
/// It is written by hand instead of with worker's `#[durable_object]`, whose wrappers of request and response cost
/// several calls into JavaScript for every publish, and leave garbage for every stream.
#[wasm_bindgen]
pub struct Channel {
    env: Env,
    database: Rc<Database>,
    /// It is set by the first request that can load the stored data.
    shared: OnceCell<Rc<Shared>>,
}

#[wasm_bindgen]
impl Channel {
    /// The runtime calls this before the first request.
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

    /// The runtime calls this for each request.
    pub async fn fetch(&self, request: Request) -> Result<Response, JsValue> {
        let settings = deployment::settings(&self.env);
        let responder = Responder::new(&request, settings.as_deref().ok());
        let answer = match self.answer(&request, &responder).await {
            Err(Failure::Problem(problem)) => {
                let stream = response::wanted_stream(&request);
                responder.problem(&problem, stream.as_deref())
            }
            Err(Failure::Runtime(error)) => Err(error),
            Ok(response) => Ok(response),
        };
        Ok(answer?)
    }

    /// The runtime calls this for each message of a feed.
    #[wasm_bindgen(js_name = webSocketMessage)]
    pub fn web_socket_message(&self, socket: WebSocket, message: JsValue) {
        if let Some((shared, record)) = self.feed(&socket) {
            let text = message.as_string();
            let message = text.as_deref().and_then(FeedMessage::parse);
            shared.feed_message(record.conn, message, &socket);
        }
    }

    /// The runtime calls this when a feed has closed, because its Worker left.
    #[wasm_bindgen(js_name = webSocketClose)]
    pub fn web_socket_close(&self, socket: WebSocket) {
        if let Some((shared, record)) = self.feed(&socket) {
            shared.leave(record.conn);
        }
        // The runtime may have completed the close already.
        let _ = socket.close();
    }

    /// The runtime calls this when a feed has broken.
    #[wasm_bindgen(js_name = webSocketError)]
    pub fn web_socket_error(&self, socket: WebSocket) {
        self.web_socket_close(socket);
    }

    /// The runtime calls this when the alarm is due: the channel may have gone quiet.
    pub async fn alarm(&self) -> Result<(), JsValue> {
        let cleared = match self.shared_or_kept() {
            Some(shared) => shared.request_clear().await,
            None => self.clear_unused().await,
        };
        let Err(problem) = cleared else { return Ok(()) };
        // The runtime retries a failed alarm only a few times, so set another one.
        let again = self.database.set_alarm(RETRY_ALARM).await;
        again.map_err(|_| JsValue::from_str(&problem.to_string()))
    }
}

impl Channel {
    /// The state of the channel `id`. All requests to this object have the same id. Fails with
    /// [`Problem::InvalidChannelId`], [`Problem::InvalidSetting`] or [`Problem::StorageFailed`].
    fn shared(&self, id: &str) -> Result<&Rc<Shared>, Problem> {
        self.load(id)?
            .map_err(|error| storage_failed(&self.database, &error))
    }

    /// The state of the channel `id`, which the first successful call loads from the storage. Fails with
    /// [`Problem::InvalidChannelId`], [`Problem::InvalidSetting`], or the reason why the storage cannot be loaded.
    fn load(&self, id: &str) -> Result<Result<&Rc<Shared>, StorageError>, Problem> {
        if let Some(shared) = self.shared.get() {
            return Ok(Ok(shared));
        }
        let id = channel_id::parse(id).ok_or(Problem::InvalidChannelId)?;
        let settings = deployment::settings(&self.env)?;
        let clock = Clock::default();
        let kept = feeds::kept_feeds(self.database.state());
        let store = match self.load_store(&settings, &clock, feeds::epoch_of(&kept)) {
            Ok(store) => store,
            Err(error) => return Ok(Err(error)),
        };
        let shared = Shared::new(id, self.database.clone(), store, settings, clock);
        memory::register(&shared);
        shared.restore_feeds(kept);
        Ok(Ok(self.shared.get_or_init(|| shared)))
    }

    /// The state of the channel, if the object has it or can load it for the feeds that the runtime has kept.
    fn shared_or_kept(&self) -> Option<&Rc<Shared>> {
        if let Some(shared) = self.shared.get() {
            return Some(shared);
        }
        let kept = feeds::kept_feeds(self.database.state());
        let channel = &kept.first()?.record.channel;
        self.shared(channel).ok()
    }

    /// The state of the channel, and the record of the feed of `socket`. `None` if the channel cannot be loaded; then
    /// the feed closes, and the Worker opens it again.
    fn feed(&self, socket: &WebSocket) -> Option<(&Rc<Shared>, FeedRecord)> {
        let record = feeds::record_of(socket);
        let shared = record.and_then(|record| Some((self.shared(&record.channel).ok()?, record)));
        if shared.is_none() {
            // This fails only if the socket is closed already.
            let _ = socket.close_with_code(FeedClose::Unreadable.code());
        }
        shared
    }

    /// Reads the stored data. If none is stored, the epoch is `known`, or else begins now.
    fn load_store(
        &self,
        settings: &Settings,
        clock: &Clock,
        known: Option<Epoch>,
    ) -> Result<Store<Database>, StorageError> {
        let (history, idempotency) = (settings.history, settings.idempotency);
        let fresh = known.unwrap_or_else(|| clock.fresh_epoch());
        Store::load(
            self.database.clone(),
            history,
            idempotency,
            fresh,
            clock.now(),
        )
    }

    /// Removes the stored data if it is not needed any more, in an object that has served no request.
    async fn clear_unused(&self) -> Result<(), Problem> {
        let settings = deployment::settings(&self.env)?;
        let clock = Clock::default();
        let cleared = match self.load_store(&settings, &clock, None) {
            Ok(store) => removal::clear_unused(store, &self.database, &settings, clock.now()).await,
            Err(error) => Err(error),
        };
        cleared.map_err(|error| storage_failed(&self.database, &error))
    }

    /// Answers a request of the Worker.
    async fn answer(&self, request: &Request, responder: &Responder) -> Result<Response, Failure> {
        let (url, method) = (request.url(), request.method());
        let header = |name: &str| request.headers().get(name).ok().flatten();
        let (id, decoded) =
            ObjectRequest::decode(&method, &url, header).ok_or(Problem::Internal)?;
        let shared = || self.shared(id);
        match decoded {
            ObjectRequest::Subscribe(subscribe) => shared()?.subscribe(&subscribe, responder),
            ObjectRequest::Publish(publish) => shared()?.publish(request, publish, responder).await,
            ObjectRequest::ReadEvents { query } => shared()?.events(&query, responder),
            ObjectRequest::ReadStats => shared()?.stats(responder),
            ObjectRequest::DeleteChannel => {
                self.remove_malformed_rows(id).await?;
                shared()?.request_deletion(responder).await
            }
            ObjectRequest::ShutDown => {
                shared()?.shut_down().await;
                Ok(responder.no_content()?)
            }
            ObjectRequest::Abort => {
                self.database.abort("the Worker removes its database");
                // The runtime answers when it aborts the object.
                std::future::pending().await
            }
        }
    }

    /// Removes all stored data if the channel cannot be loaded because of a malformed row. So a DELETE repairs the
    /// channel, as the text of the problem says, also on Cloudflare, where the Worker cannot remove the file of the
    /// database.
    async fn remove_malformed_rows(&self, id: &str) -> Result<(), Problem> {
        let Err(error @ StorageError::MalformedRow { .. }) = self.load(id)? else {
            return Ok(());
        };
        Level::Error.log(|| {
            let line = Line::new("all rows are removed, because some are malformed");
            self.database.location().name_in(line).error(&error)
        });
        let removed = self.database.delete_all().await;
        removed.map_err(|error| storage_failed(&self.database, &error))
    }
}
