//! The Durable Object of a channel: its entry points, and the dispatch of requests.
//!
//! - `shared`: what entry points, callbacks and tasks share, and how they borrow it
//! - `publish`, `subscribe`, `events`, `stats`, `removal`: the requests
//! - `pipeline`: runs the commands (publishes, the deletion): first into the storage, then into the log. Free of
//!   JavaScript
//! - `state`: the hub and the store, which change together. Free of JavaScript
//! - `steps`: connects the pipeline with the state and the runtime
//! - `flush`, `stream`: write the hub's output to the runtime's streams
//! - `storage`: the data of the channel
//! - `shutdown`: the end of all streams when the server stops
//! - `memory`, `rate`, `timer`: limits and time
//!
//! Only this module and its children call the runtime's streams and storage. The state is never borrowed during a call
//! into JavaScript that may call back: a write to a stream, and the end of one, may call its `cancel` at once.

mod events;
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
use web_sys::{Request, Response};
use worker::worker_sys::DurableObjectState;
use worker::{Env, State};

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
use sse_hub::Millis;

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

    /// The runtime calls this when the alarm is due: the channel may have gone quiet.
    pub async fn alarm(&self) -> Result<(), JsValue> {
        let cleared = match self.shared.get() {
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
        let store = match self.load_store(&settings, &clock) {
            Ok(store) => store,
            Err(error) => return Ok(Err(error)),
        };
        let shared = Shared::new(id, self.database.clone(), store, settings, clock);
        memory::register(&shared);
        Ok(Ok(self.shared.get_or_init(|| shared)))
    }

    /// Reads the stored data.
    fn load_store(
        &self,
        settings: &Settings,
        clock: &Clock,
    ) -> Result<Store<Database>, StorageError> {
        let (history, idempotency) = (settings.history, settings.idempotency);
        let fresh = clock.fresh_epoch();
        Store::load(self.database.clone(), history, idempotency, fresh)
    }

    /// Removes the stored data if it is not needed any more, in an object that has served no request.
    async fn clear_unused(&self) -> Result<(), Problem> {
        let settings = deployment::settings(&self.env)?;
        let clock = Clock::default();
        let cleared = match self.load_store(&settings, &clock) {
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
