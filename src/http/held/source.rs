//! Asks a channel's object for a feed.

use js_sys::Reflect;
use wasm_bindgen::prelude::*;
use web_sys::{Response, WebSocket};
use worker::Env;

use crate::auth::Grant;
use crate::http::gate;
use crate::http::object::Call;
use crate::http::object::request::{FeedRequest, ObjectRequest, SubscribeRequest};
use crate::http::problem::Problem;
use crate::http::response::POSITION_HEADER;
use sse_hub::sse::EventId;

#[wasm_bindgen(module = "/src/http/held/client_stream.js")]
extern "C" {
    /// Closes the WebSocket of a feed that nobody needs any more.
    fn discard(socket: &WebSocket);
}

/// How an object has answered the request for a feed.
pub enum Answer {
    /// A feed that continues after this position.
    Feed(WebSocket, EventId),
    /// The channel has ended after this position, and the client has everything.
    Ended(EventId),
    /// Anything else: a stream that the object holds, or a problem.
    Response(Response),
}

impl Answer {
    /// Reads the response of an object to a request for a feed.
    pub fn of(response: Response) -> Self {
        let position = || {
            let position = response.headers().get(POSITION_HEADER).ok().flatten();
            position.and_then(|position| position.parse().ok())
        };
        match (response.status(), position()) {
            (101, Some(start)) => match socket_of(&response) {
                Some(socket) => Self::Feed(socket, start),
                None => Self::Response(response),
            },
            (204, Some(last)) => Self::Ended(last),
            _ => Self::Response(response),
        }
    }

    /// Closes the feed, if the answer is one.
    pub fn discard(self) {
        match self {
            Self::Feed(socket, _) => discard(&socket),
            Self::Response(response) => {
                // A stream that the object holds ends when nobody reads it.
                if let Some(body) = response.body() {
                    let _ = body.cancel();
                }
            }
            Self::Ended(_) => {}
        }
    }
}

fn socket_of(response: &Response) -> Option<WebSocket> {
    let socket = Reflect::get(response, &"webSocket".into()).ok()?;
    socket.is_truthy().then(|| socket.unchecked_into())
}

/// What is needed to ask the object of a channel again for the feed of a stream.
pub struct FeedSource {
    /// The bindings of the deployment.
    pub env: Env,
    /// The proof that the client may subscribe.
    pub grant: Grant,
    /// The request of the client.
    pub request: SubscribeRequest<'static>,
    /// How many objects may be open.
    pub max_open_channels: Option<usize>,
}

impl FeedSource {
    /// The data of the `hub.error` notice if the object cannot be reached.
    pub fn unavailable(&self) -> String {
        Problem::ChannelUnavailable.to_notice(self.grant.channel())
    }

    /// Asks for a feed that continues after `position`, or for one that starts as the client has asked. Fails with the
    /// data of a `hub.error` notice.
    pub async fn ask_again(&self, position: Option<EventId>) -> Result<Answer, String> {
        let mut request = self.request.clone();
        // The object describes a problem as JSON, which goes into the notice.
        request.accept = None;
        request.feed = Some(match position {
            Some(_) => FeedRequest::Continued,
            None => FeedRequest::Required,
        });
        if let Some(position) = position {
            request.last_event_id = Some(position.to_string());
        }
        let answer = self.send(ObjectRequest::Subscribe(request)).await?;
        let Answer::Response(response) = answer else {
            return Ok(answer);
        };
        Err(self.problem_in(response).await)
    }

    async fn send(&self, request: ObjectRequest<'_>) -> Result<Answer, String> {
        let channel = self.grant.channel();
        let passed = gate::pass(channel, self.max_open_channels, || false).await;
        let passed = passed.map_err(|problem| problem.to_notice(channel))?;
        let result = match Call::new(&self.grant, request, None, None) {
            Ok(call) => call.send(&self.env, &self.grant).await,
            Err(error) => Err(error),
        };
        gate::leave(channel, passed);
        match result {
            Ok(Ok(response)) => Ok(Answer::of(response)),
            Ok(Err(_)) | Err(_) => Err(self.unavailable()),
        }
    }

    /// The data of the notice that describes the problem in the object's response.
    async fn problem_in(&self, response: Response) -> String {
        if response.ok() {
            // A stream that the object holds is of no use here.
            Answer::Response(response).discard();
            return self.unavailable();
        }
        let text = worker::Response::from(response).text().await;
        let problem = text.unwrap_or_default();
        match problem.trim_end().strip_prefix('{') {
            // The id of a channel has no character that JSON escapes.
            Some(members) => format!("{{\"channel\":\"{}\",{members}", self.grant.channel()),
            None => self.unavailable(),
        }
    }
}
