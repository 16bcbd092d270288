//! Which request goes where. Ids are checked here, before any object is created.

use wasm_bindgen::JsValue;
use web_sys::{Request, RequestInit, Response};
use worker::Env;

use crate::logging::Level;
use crate::object::{self, ObjectStub};
use crate::problem::Problem;
use crate::publish;
use crate::query;
use crate::response::{self, Failure};
use crate::route::{self, Action, Route, channel_id};
use crate::settings::Settings;
use crate::subscribe::{EventsQuery, Subscription};

/// The binding of the files in `public/`.
const ASSETS_BINDING: &str = "ASSETS";

/// How often an object is called that does not answer.
const ATTEMPTS: u32 = 2;

/// Answers any request.
pub async fn answer(
    request: &Request,
    env: &Env,
    settings: &Settings,
) -> Result<Response, Failure> {
    let (url, method) = (request.url(), request.method());
    let route = route::route(route::path(&url));
    if route == Route::File {
        return file(request, &method, env).await;
    }
    check_method(&route, &method)?;
    if method == "OPTIONS" {
        return Ok(response::preflight(route.allow())?);
    }
    let Route::Channel(segment, action) = route else {
        return Ok(response::text("ok")?);
    };
    let channel = Channel {
        id: &channel_id(segment).ok_or(Problem::InvalidChannelId)?,
        url: &url,
        env,
        settings,
    };
    match action {
        // Not again: somebody may have published meanwhile.
        Action::Channel if method == "DELETE" => channel.send(1, "DELETE").await,
        Action::Channel => channel.subscribe(request, &method).await,
        Action::Broadcast => channel.broadcast(request).await,
        Action::Events => {
            EventsQuery::read(query::query(&url))?;
            channel.send(ATTEMPTS, "GET").await
        }
        Action::Stats => channel.send(ATTEMPTS, "GET").await,
    }
}

fn check_method(route: &Route, method: &str) -> Result<(), Problem> {
    if route.takes(method) {
        return Ok(());
    }
    Err(Problem::MethodNotAllowed {
        method: method.to_owned(),
        allow: route.allow(),
    })
}

/// A channel, as the Worker sees it: the way to its object.
struct Channel<'a> {
    id: &'a str,
    /// The request's.
    url: &'a str,
    env: &'a Env,
    settings: &'a Settings,
}

impl Channel<'_> {
    async fn subscribe(&self, request: &Request, method: &str) -> Result<Response, Failure> {
        Subscription::read(None, query::query(self.url))?;
        if method == "HEAD" {
            return Ok(response::event_stream(None)?);
        }
        // Somebody opened the channel in the address bar.
        let destination = request.headers().get("Sec-Fetch-Dest");
        if destination.ok().flatten().as_deref() == Some("document") {
            return Ok(response::redirect(&format!("/?channel={}", self.id))?);
        }
        self.call(ATTEMPTS, |stub| stub.fetch_request(request))
            .await
    }

    async fn broadcast(&self, request: &Request) -> Result<Response, Failure> {
        let key = publish::idempotency_key(request)?;
        let batch = publish::read(request, self.settings).await?;
        let init = RequestInit::new();
        init.set_method("POST");
        if let Some(key) = &key {
            let headers = worker::Headers::new();
            headers.set(publish::KEY_HEADER, key)?;
            init.set_headers(&headers.0);
        }
        init.set_body(&JsValue::from_str(&batch.wire));
        // An answer that was lost may be of events that were stored: only a key makes it safe to send them again.
        let attempts = if key.is_some() { ATTEMPTS } else { 1 };
        let fetch = |stub: &ObjectStub| stub.fetch(self.url, &init);
        let answer = self.call(attempts, fetch).await?;
        let level = self.settings.log_level;
        if level <= Level::Debug && answer.status() == 200 && !response::is_replayed(&answer) {
            for payload in publish::printable(&batch) {
                Level::Debug.log(level, || format!("sent to {}: {payload}", self.id));
            }
        }
        Ok(answer)
    }

    /// Sends a request that has nothing but its URL.
    async fn send(&self, attempts: u32, method: &str) -> Result<Response, Failure> {
        let init = RequestInit::new();
        init.set_method(method);
        self.call(attempts, |stub| stub.fetch(self.url, &init))
            .await
    }

    /// Calls the channel's object, and again with a fresh stub where that fails: the object may just have been replaced.
    /// One that has too much to do already is not asked again.
    async fn call(
        &self,
        attempts: u32,
        fetch: impl Fn(&ObjectStub) -> Result<js_sys::Promise, JsValue>,
    ) -> Result<Response, Failure> {
        for attempt in 1..=attempts {
            let stub = object::stub(self.env, self.id)?;
            match object::response(fetch(&stub)).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    Level::Warn.log(self.settings.log_level, || {
                        format!(
                            "channel failed: id={} attempt={attempt} error={}",
                            self.id,
                            worker::Error::from(error.clone())
                        )
                    });
                    if object::is_overloaded(&error) {
                        break;
                    }
                }
            }
        }
        Err(Problem::ChannelUnavailable.into())
    }
}

/// A file of the console, or nothing.
async fn file(request: &Request, method: &str, env: &Env) -> Result<Response, Failure> {
    let reads = matches!(method, "GET" | "HEAD");
    let wanted = if reads {
        worker::Request::from(request.clone().map_err(worker::Error::from)?)
    } else {
        worker::Request::new(&request.url(), worker::Method::Head)?
    };
    let answer = env.assets(ASSETS_BINDING)?.fetch_request(wanted).await?;
    if answer.status_code() == 404 {
        return Err(Problem::NotFound.into());
    }
    if reads {
        return Ok(answer.into());
    }
    check_method(&Route::File, method)?;
    Ok(response::preflight(Route::File.allow())?)
}
