//! Which request goes where. Ids are checked here, before any object is created.

use wasm_bindgen::JsValue;
use worker::{Env, Headers, Method, Request, RequestInit, Response};

use crate::logging::Level;
use crate::problem::Problem;
use crate::response::{self, Failure};
use crate::route::{Action, Route, channel_id, route};
use crate::settings::Settings;
use crate::{publish, sse};

/// The binding of the channels' objects in `wrangler.toml`.
const CHANNEL_BINDING: &str = "CHANNEL";

/// The binding of the files in `public/`.
const ASSETS_BINDING: &str = "ASSETS";

/// Answers any request.
pub async fn answer(request: Request, env: &Env, settings: &Settings) -> Result<Response, Failure> {
    let path = request.path();
    let route = route(&path);
    // Not Request::method(), which takes every method that it does not know for GET.
    let method = request.inner().method();
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
        env,
        settings,
    };
    match action {
        Action::Subscribe => channel.subscribe(request, &method).await,
        Action::Broadcast => channel.broadcast(&request).await,
        Action::Stats => channel.stats(&request).await,
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
    env: &'a Env,
    settings: &'a Settings,
}

impl Channel<'_> {
    async fn subscribe(&self, request: Request, method: &str) -> Result<Response, Failure> {
        if method == "HEAD" {
            return Ok(response::event_stream()?.empty());
        }
        // Somebody opened the channel in the address bar.
        if request.headers().get("Sec-Fetch-Dest")?.as_deref() == Some("document") {
            return Ok(response::redirect(&format!("/?channel={}", self.id))?);
        }
        self.call(|| request.clone()).await
    }

    async fn broadcast(&self, request: &Request) -> Result<Response, Failure> {
        let batch = publish::read(request, self.settings).await?;
        let url = request.inner().url();
        let answer = self
            .call(|| {
                let headers = Headers::new();
                headers.set("Content-Type", sse::MEDIA_TYPE)?;
                let mut init = RequestInit::new();
                init.with_method(Method::Post)
                    .with_headers(headers)
                    .with_body(Some(JsValue::from_str(&batch.wire)));
                Request::new_with_init(&url, &init)
            })
            .await?;
        let level = self.settings.log_level;
        if answer.status_code() == 200 && level <= Level::Debug {
            for payload in publish::printable(&batch) {
                Level::Debug.log(level, || format!("sent to {}: {payload}", self.id));
            }
        }
        Ok(answer)
    }

    async fn stats(&self, request: &Request) -> Result<Response, Failure> {
        let url = request.inner().url();
        self.call(|| Request::new(&url, Method::Get)).await
    }

    /// Calls the channel's object, and once more with a fresh stub where that fails: the object may just have been
    /// replaced. An object that has too much to do already is not asked twice.
    async fn call(
        &self,
        request: impl Fn() -> worker::Result<Request>,
    ) -> Result<Response, Failure> {
        let namespace = self.env.durable_object(CHANNEL_BINDING)?;
        for attempt in [1, 2] {
            let stub = namespace.get_by_name(self.id)?;
            match stub.fetch_with_request(request()?).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    Level::Warn.log(self.settings.log_level, || {
                        format!(
                            "channel failed: id={} attempt={attempt} error={error}",
                            self.id
                        )
                    });
                    if is_overloaded(&error) {
                        break;
                    }
                }
            }
        }
        Err(Problem::ChannelUnavailable.into())
    }
}

/// Whether the runtime marked an error as the object being overloaded.
fn is_overloaded(error: &worker::Error) -> bool {
    let worker::Error::UnknownJsError { original, .. } = error else {
        return false;
    };
    js_sys::Reflect::get(original, &JsValue::from_str("overloaded"))
        .is_ok_and(|flag| flag.is_truthy())
}

/// A file of the console, or nothing.
async fn file(request: Request, method: &str, env: &Env) -> Result<Response, Failure> {
    let reads = matches!(method, "GET" | "HEAD");
    let wanted = if reads {
        request
    } else {
        Request::new(&request.inner().url(), Method::Head)?
    };
    let answer: Response = env.assets(ASSETS_BINDING)?.fetch_request(wanted).await?;
    if answer.status_code() == 404 {
        return Err(Problem::NotFound.into());
    }
    if reads {
        return Ok(answer);
    }
    check_method(&Route::File, method)?;
    Ok(response::preflight(Route::File.allow())?)
}
