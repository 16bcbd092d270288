//! `sse-broadcaster`: a Server-Sent Events hub with no server to run. A Cloudflare Worker routes each request to one
//! Durable Object per channel, which holds the open streams.
//!
//! The modules, in the order of their dependencies: each uses only those before it. A test checks this.
//!
//! - [`sse_hub`], a crate of its own: the wire format and the rules of delivery
//! - [`logging`]: log lines
//! - [`environment`]: reads environment variables
//! - [`auth`]: verifies tokens
//! - [`settings`]: all settings of a deployment
//! - [`isolate`]: state that the Worker and all objects of an isolate share
//! - [`http`]: requests and responses, and the calls from the Worker to a channel's object
//! - [`channel`]: the Durable Object of a channel: streams, timers, storage
//! - [`admin`]: the requests of `npm run serve` to the Worker
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::string_slice))]

pub mod admin;
pub mod auth;
pub mod channel;
pub mod environment;
pub mod http;
pub mod isolate;
pub mod logging;
#[cfg(test)]
mod module_order;
pub mod settings;

use std::rc::Rc;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{Context, Env, Result, event};

use crate::environment::SettingError;
use crate::http::invocation::{Caller, Invocation};
use crate::http::method::Method;
use crate::http::problem::Problem;
use crate::http::response::{Failure, Responder};
use crate::http::target::Target;
use crate::http::{response, router};
use crate::isolate::instance;
use crate::logging::{Level, Line};
use crate::settings::Settings;
use crate::settings::deployment;

/// The entry point of the Worker. It takes and returns objects of the runtime: the types of the worker crate would call
/// into JavaScript for each property, and the response of an object is passed on unchanged.
#[event(fetch)]
async fn fetch(request: web_sys::Request, env: Env, context: Context) -> Result<web_sys::Response> {
    respond(&Invocation {
        request: &request,
        env: &env,
        context: context.as_ref(),
        caller: Caller::Client,
    })
    .await
}

/// Answers a request of the Worker's own code, which needs no token. `src/worker.mjs` makes such requests, and nothing
/// that a client sends leads here. `context` has the method `waitUntil` of the runtime.
#[wasm_bindgen(js_name = fetchForOwnCode)]
pub async fn fetch_for_own_code(
    request: web_sys::Request,
    env: Env,
    context: JsValue,
) -> Result<web_sys::Response> {
    respond(&Invocation {
        request: &request,
        env: &env,
        context: &context,
        caller: Caller::OwnCode,
    })
    .await
}

/// Answers any request. A failure is a response, too.
async fn respond(invocation: &Invocation<'_>) -> Result<web_sys::Response> {
    instance::watch();
    let request = invocation.request;
    let settings = deployment::settings(invocation.env);
    let responder = Responder::new(request, settings.as_deref().ok());
    let response = answer(invocation, settings, &responder).await;
    response.or_else(|failure| {
        let problem = match failure {
            Failure::Problem(problem) => problem,
            Failure::Runtime(error) => {
                Level::Error.log(|| Line::new("request failed").error(&error));
                Problem::Internal
            }
        };
        let stream = response::wanted_stream(request);
        responder.problem(&problem, stream.as_deref())
    })
}

/// Answers with 503 to a request that was in flight when the instance was lost, if the request must not be handled
/// again. That is a publish or a `DELETE`, which may have taken effect, or a request during which several instances
/// were lost. `src/hub.mjs` calls it.
#[wasm_bindgen]
pub fn unavailable(request: &web_sys::Request, env: Env) -> Result<web_sys::Response> {
    let settings = deployment::settings(&env).ok();
    let responder = Responder::new(request, settings.as_deref());
    let stream = response::wanted_stream(request);
    responder.problem(&Problem::ChannelUnavailable, stream.as_deref())
}

/// Checks the host first, because the path follows it in the URL, and everything else depends on the path.
async fn answer(
    invocation: &Invocation<'_>,
    settings: std::result::Result<Rc<Settings>, SettingError>,
    responder: &Responder,
) -> std::result::Result<web_sys::Response, Failure> {
    let request = invocation.request;
    let (url, method) = (request.url(), request.method());
    let method = Method::parse(&method);
    let host = request.headers().get("Host").ok().flatten();
    let target = Target::read(&url, host.as_deref(), method)?;
    let settings = settings.map_err(Problem::from)?;
    let imported = settings.access.import_keys().await;
    imported.map_err(Problem::from)?;
    router::answer(invocation, method, target, &settings, responder).await
}
