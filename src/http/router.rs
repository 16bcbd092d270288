//! Dispatches a request to its endpoint. Ids, limits and tokens are checked here, before any object is created.
//!
//! - `channel_request`: a request to a channel, and its authorization
//! - `authorized`: a request that is authorized for one channel, and the endpoints that read
//! - `several`: a request that is authorized for several channels, and the endpoint that publishes to them
//! - `subscribe`, `subscribe_several`: the endpoints that open streams
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
mod several;
mod subscribe;
mod subscribe_several;

use web_sys::{Request, Response};

use self::channel_request::ChannelRequest;
use crate::http::channel_id::{self, ChannelIds};
use crate::http::files;
use crate::http::invocation::Invocation;
use crate::http::method::Method;
use crate::http::problem::Problem;
use crate::http::publish::AfterEvents;
use crate::http::response::{Failure, Responder};
use crate::http::route::{self, ChannelEndpoint, Endpoint, ListEndpoint, Route};
use crate::http::target::Target;
use crate::isolate::stopping::{self, ChangeInFlight};
use crate::settings::Settings;

/// Answers any request. It has the method `method` and is for `target`.
pub async fn answer(
    invocation: &Invocation<'_>,
    method: Method<'_>,
    target: Target<'_>,
    settings: &Settings,
    responder: &Responder,
) -> Result<Response, Failure> {
    let &Invocation { request, env, .. } = invocation;
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
            let max = settings.max_channels_per_stream;
            let channels = channel_id::parse_list(id.unwrap_or_default(), max);
            let request = ChannelRequest {
                request,
                query: target.query,
                env,
                context: invocation.context,
                caller: invocation.caller,
                settings,
                responder,
            };
            match channels.map_err(Problem::from)? {
                ChannelIds::One(channel) => answer_for_channel(request, &channel, endpoint).await,
                ChannelIds::Several(channels) => {
                    answer_for_channels(request, &channels, endpoint).await
                }
            }
        }
    }
}

/// Answers a request to one channel. Only an authorized request has the methods of the endpoints.
async fn answer_for_channel(
    request: ChannelRequest<'_>,
    channel: &str,
    endpoint: ChannelEndpoint,
) -> Result<Response, Failure> {
    if endpoint == ChannelEndpoint::Subscribe && request.leads_to_console() {
        let console = request.console_url(channel);
        return Ok(request.responder.redirect(&console)?);
    }
    let _change = endpoint.changes_channel().then(ChangeInFlight::begin);
    let authorized = request.authorize(endpoint.permission(), channel).await?;
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

/// Answers a request to several channels. As for one channel, only an authorized request has the methods of the
/// endpoints. Fails with [`Problem::OneChannelOnly`] if the endpoint takes one channel.
async fn answer_for_channels(
    request: ChannelRequest<'_>,
    channels: &[String],
    endpoint: ChannelEndpoint,
) -> Result<Response, Failure> {
    let Some(endpoint_of_list) = endpoint.of_list() else {
        let count = channels.len();
        return Err(Problem::OneChannelOnly { count }.into());
    };
    if endpoint == ChannelEndpoint::Subscribe && request.leads_to_console() {
        let console = request.console_url(&channels.join(","));
        return Ok(request.responder.redirect(&console)?);
    }
    let _change = endpoint.changes_channel().then(ChangeInFlight::begin);
    let authorized = request
        .authorize_all(endpoint.permission(), channels)
        .await?;
    match endpoint_of_list {
        ListEndpoint::Subscribe => authorized.subscribe().await,
        ListEndpoint::CheckSubscribe => authorized.check_subscribe().await,
        ListEndpoint::Publish => authorized.publish().await,
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
