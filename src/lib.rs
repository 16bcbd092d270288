//! `sse-broadcaster`: a Server-Sent Events hub with no server to run. A Cloudflare Worker routes each request to one
//! Durable Object per channel, which holds the open streams.
//!
//! The modules, in an order in which each needs only those before it:
//!
//! - [`sse`]: the wire format: encode an event, parse a body
//! - [`fanout`]: the hub: log, subscribers, drops, pacing
//! - [`logging`]: log lines
//! - [`instance`]: the WebAssembly instance, and its loss
//! - [`environment`]: where variables come from
//! - [`access`]: who may publish and listen: tokens
//! - [`cors`]: which pages of other origins may read the answers
//! - [`settings`]: environment -> settings
//! - [`memory`]: how many bytes of bodies and logs the instance holds
//! - [`route`]: what a path names
//! - [`storage_failure`]: why the storage failed
//! - [`problem`]: what can go wrong, as problem+json
//! - [`query`]: a URL's query -> parameters
//! - [`target`]: a request's `Host` and URL -> its path and query
//! - [`credentials`]: where a request carries its token
//! - [`rate_limit`]: how often one client may come
//! - [`signature`]: whether a token is genuine
//! - [`subscribe`]: what a reader asks for
//! - [`response`]: answers and their headers
//! - [`attempts`]: which id a publish got whose answer was lost
//! - [`storage`]: whether the storage takes data, and a channel's files
//! - [`page_headers`]: the headers of the console page and the other files
//! - [`opening`]: which objects are open, and how many may be opened at once
//! - [`object`]: the way from the Worker to a channel's object
//! - [`publish`]: a publish request -> checked, encoded events
//! - [`files`]: the files of the console
//! - [`router`]: which request goes where
//! - [`channel`]: the Durable Object around a hub: streams, timers, storage
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::string_slice))]

pub mod access;
pub mod attempts;
pub mod channel;
pub mod cors;
pub mod credentials;
pub mod environment;
pub mod fanout;
pub mod files;
pub mod instance;
pub mod logging;
pub mod memory;
pub mod object;
pub mod opening;
#[cfg(test)]
mod outside;
pub mod page_headers;
pub mod problem;
pub mod publish;
pub mod query;
pub mod rate_limit;
pub mod response;
pub mod route;
pub mod router;
pub mod settings;
pub mod signature;
pub mod sse;
pub mod storage;
pub mod storage_failure;
pub mod subscribe;
pub mod target;

use std::cell::OnceCell;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{Context, Env, Result, event};

use crate::environment::SettingError;
use crate::logging::{Level, Line};
use crate::problem::Problem;
use crate::response::{Failure, Responder};
use crate::settings::Settings;
use crate::target::Target;

thread_local! {
    static SETTINGS: OnceCell<std::result::Result<Rc<Settings>, SettingError>> = const { OnceCell::new() };
}

/// The front door. Takes and gives the runtime's own objects: wrapping them costs a call into JavaScript per property,
/// and what an object has answered goes on as it is.
#[event(fetch)]
async fn fetch(
    request: web_sys::Request,
    env: Env,
    _context: Context,
) -> Result<web_sys::Response> {
    instance::watch();
    let settings = settings(&env);
    let responder = Responder::new(&request, settings.as_deref().ok());
    let answer = answer(&request, &env, settings, &responder).await;
    answer.or_else(|failure| {
        let problem = match failure {
            Failure::Problem(problem) => problem,
            Failure::Runtime(error) => {
                Level::Error.log(Level::Error, || Line::new("request failed").error(&error));
                Problem::Internal
            }
        };
        responder.problem(&problem, response::wants_stream(&request))
    })
}

/// Answers a request that was in flight when the instance before this one was lost: a publish or a DELETE that may have
/// taken effect, or a request that lost several instances. `src/entry.mjs` calls it.
#[wasm_bindgen]
pub fn unavailable(request: &web_sys::Request, env: Env) -> Result<web_sys::Response> {
    let settings = settings(&env).ok();
    let responder = Responder::new(request, settings.as_deref());
    responder.problem(
        &Problem::ChannelUnavailable,
        response::wants_stream(request),
    )
}

/// Checks the host before anything else, because everything else depends on the path that stands behind it.
async fn answer(
    request: &web_sys::Request,
    env: &Env,
    settings: std::result::Result<Rc<Settings>, Problem>,
    responder: &Responder,
) -> std::result::Result<web_sys::Response, Failure> {
    let (url, method) = (request.url(), request.method());
    let host = request.headers().get("Host").ok().flatten();
    let target = Target::read(&url, host.as_deref(), &method)?;
    let settings = settings?;
    let imported = signature::import(&settings.access).await;
    imported.map_err(Problem::from)?;
    router::answer(request, &method, target, env, &settings, responder).await
}

/// The settings of this deployment, read from `env` the first time. Fails with [`Problem::InvalidSetting`].
pub(crate) fn settings(env: &Env) -> std::result::Result<Rc<Settings>, Problem> {
    let settings = SETTINGS.with(|settings| {
        settings
            .get_or_init(|| Settings::read(|name| variable(env, name)).map(Rc::new))
            .clone()
    });
    Ok(settings?)
}

/// A variable as text. In `wrangler.toml` it may also stand as a number or a boolean.
fn variable(env: &Env, name: &str) -> Option<String> {
    let value = js_sys::Reflect::get(env, &JsValue::from_str(name)).ok()?;
    if value.is_undefined() || value.is_null() {
        return None;
    }
    value
        .as_string()
        .or_else(|| js_sys::JSON::stringify(&value).ok()?.as_string())
}
