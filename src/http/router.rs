//! Dispatches a request to its endpoint. Ids, limits and tokens are checked here, before any object is created.
//!
//! - `channel_request`: a request to a channel, and its authorization
//! - `authorized`: an authorized request, and the endpoints that read
//! - `publish`: the endpoints that publish and end a channel
//! - `delete`: the endpoint that deletes a channel
//! - `call`: calls to the channel's object, with retries
//! - `failure`: explains failed calls

mod authorized;
mod call;
mod channel_request;
mod delete;
mod failure;
mod publish;

use wasm_bindgen::JsValue;
use web_sys::{Request, Response};
use worker::Env;

use self::channel_request::ChannelRequest;
use crate::http::method::Method;
use crate::http::problem::Problem;
use crate::http::publish::AfterEvents;
use crate::http::response::{Failure, Responder};
use crate::http::route::{self, ChannelEndpoint, Endpoint, Route};
use crate::http::target::Target;
use crate::http::{channel_id, files};
use crate::isolate::stopping::{self, ChangeInFlight};
use crate::settings::Settings;

/// Answers any request. It has the method `method` and is for `target`. `context` is its context of the runtime.
pub async fn answer(
    request: &Request,
    method: Method<'_>,
    target: Target<'_>,
    env: &Env,
    context: &JsValue,
    settings: &Settings,
    responder: &Responder,
) -> Result<Response, Failure> {
    let (path, id) = match Route::of(target.path) {
        Route::Api { path, id } => (path, id),
        Route::Server => return other_method(request, method, route::all_methods(), responder),
        Route::File => {
            let file = files::answer(request, method, target, env).await?;
            return match file {
                Some(file) => Ok(file),
                None => other_method(request, method, route::FILE_METHODS.to_owned(), responder),
            };
        }
    };
    match path.endpoint(method) {
        None => other_method(request, method, path.allow(), responder),
        Some(_) if stopping::is_stopping() => Err(Problem::Stopping.into()),
        Some(Endpoint::Health) => Ok(responder.text("ok")?),
        Some(Endpoint::Channel(endpoint)) => {
            let id = id.and_then(channel_id::parse);
            let request = ChannelRequest {
                channel: id.ok_or(Problem::InvalidChannelId)?,
                request,
                query: target.query,
                env,
                context,
                settings,
                responder,
            };
            answer_for_channel(request, endpoint).await
        }
    }
}

/// Answers a request to a channel. Only an authorized request has the methods of the endpoints.
async fn answer_for_channel(
    request: ChannelRequest<'_>,
    endpoint: ChannelEndpoint,
) -> Result<Response, Failure> {
    if endpoint == ChannelEndpoint::Subscribe && request.is_navigation() {
        let console = request.console_url();
        return Ok(request.responder.redirect(&console)?);
    }
    let _change = endpoint.changes_channel().then(ChangeInFlight::begin);
    let authorized = request.authorize(endpoint.permission()).await?;
    match endpoint {
        ChannelEndpoint::Subscribe => authorized.subscribe().await,
        ChannelEndpoint::CheckSubscribe => authorized.check_subscribe().await,
        ChannelEndpoint::DeleteChannel => authorized.delete_channel().await,
        ChannelEndpoint::Publish => authorized.publish(AfterEvents::GoOn).await,
        ChannelEndpoint::EndChannel => authorized.publish(AfterEvents::End).await,
        ChannelEndpoint::ReadEvents => authorized.read_events().await,
        ChannelEndpoint::ReadStats => authorized.read_stats().await,
    }
}

/// Answers a method for which the path has no endpoint. The path takes the methods `allow`.
fn other_method(
    request: &Request,
    method: Method,
    allow: String,
    responder: &Responder,
) -> Result<Response, Failure> {
    match method {
        Method::Options => Ok(responder.preflight(request, &allow)?),
        _ => Err(Problem::MethodNotAllowed {
            method: method.name().to_owned(),
            allow,
        }
        .into()),
    }
}
