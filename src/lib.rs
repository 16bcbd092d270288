//! `sse-broadcaster`: a Server-Sent Events hub with no server to run. A Cloudflare Worker routes each request to one
//! Durable Object per channel, which holds the open streams.
//!
//! The modules, in the order of their dependencies: each uses only those before it.
//!
//! - [`sse_hub`], a crate of its own: the wire format and the rules of delivery
//! - [`logging`]: log lines
//! - [`environment`]: reads variables
//! - [`auth`]: tokens, and what they permit
//! - [`settings`]: all settings of a deployment
//! - [`isolate`]: state that the Worker and all objects of an isolate share
//! - [`http`]: requests and responses, in the Worker and on the way to a channel's object
//! - [`channel`]: the Durable Object of a channel: streams, timers, storage
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::string_slice))]

pub mod auth;
pub mod channel;
pub mod environment;
pub mod http;
pub mod isolate;
pub mod logging;
pub mod settings;

use std::cell::OnceCell;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{Context, Env, Result, event};

use crate::environment::SettingError;
use crate::http::problem::Problem;
use crate::http::response::{Failure, Responder};
use crate::http::target::Target;
use crate::http::{response, router};
use crate::isolate::instance;
use crate::logging::{Level, Line};
use crate::settings::Settings;

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
                Level::Error.log(|| Line::new("request failed").error(&error));
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
    let imported = settings.access.import_keys().await;
    imported.map_err(Problem::from)?;
    router::answer(request, &method, target, env, &settings, responder).await
}

/// The settings of this deployment, read from `env` the first time. Fails with [`Problem::InvalidSetting`].
pub(crate) fn settings(env: &Env) -> std::result::Result<Rc<Settings>, Problem> {
    let settings = SETTINGS.with(|settings| {
        settings
            .get_or_init(|| {
                let settings = Settings::read(|name| variable(env, name))?;
                logging::set_threshold(settings.log_level);
                Ok(Rc::new(settings))
            })
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
