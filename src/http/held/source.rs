//! Asks a channel's object for a feed.

use js_sys::Reflect;
use wasm_bindgen::JsCast;
use web_sys::{Response, WebSocket};
use worker::Env;

use super::client_stream::ClientStream;
use crate::auth::Grant;
use crate::http::gate;
use crate::http::object::Call;
use crate::http::object::request::{FeedRequest, ObjectRequest, SubscribeRequest};
use crate::http::problem::Problem;
use crate::http::problem::document::Document;
use crate::http::response::POSITION_HEADER;
use sse_hub::sse::EventId;

/// The answer of an object that does not hold the stream itself.
pub enum Feed {
    /// A feed that continues after this position.
    Opened(WebSocket, EventId),
    /// The channel has ended after this position, and the client has everything.
    Ended(EventId),
}

impl Feed {
    /// Leaves the feed.
    pub fn discard(self) {
        if let Self::Opened(socket, _) = self {
            ClientStream::discard(&socket);
        }
    }
}

/// How an object has answered the request for a feed.
pub enum Answer {
    /// The Worker is to hold the stream.
    Feed(Feed),
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
                Some(socket) => Self::Feed(Feed::Opened(socket, start)),
                None => Self::Response(response),
            },
            (204, Some(last)) => Self::Feed(Feed::Ended(last)),
            _ => Self::Response(response),
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
    /// The channel.
    pub fn channel(&self) -> &str {
        self.grant.channel()
    }

    /// The problem if the object cannot be reached.
    pub fn unavailable(&self) -> Document<'static> {
        Problem::ChannelUnavailable.document_for(Some(self.channel()))
    }

    /// Asks for a feed that continues after `position`, or for one that starts as the client has asked.
    pub async fn ask_again(&self, position: Option<EventId>) -> Result<Feed, Document<'static>> {
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
        let response = self.send(ObjectRequest::Subscribe(request)).await?;
        self.feed_in(response).await
    }

    async fn send(&self, request: ObjectRequest<'_>) -> Result<Response, Document<'static>> {
        let channel = self.channel();
        let passed = gate::pass(channel, self.max_open_channels, || false).await;
        let passed = passed.map_err(|problem| problem.document_for(Some(channel)))?;
        let result = match Call::new(&self.grant, request, None, None) {
            Ok(call) => call.send(&self.env, &self.grant).await,
            Err(error) => Err(error),
        };
        gate::leave(channel, passed);
        match result {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(_)) | Err(_) => Err(self.unavailable()),
        }
    }

    /// Reads the response of the object to a request that requires a feed.
    pub async fn feed_in(&self, response: Response) -> Result<Feed, Document<'static>> {
        let response = match Answer::of(response) {
            Answer::Feed(feed) => return Ok(feed),
            Answer::Response(response) => response,
        };
        if response.ok() {
            // An object of another version has opened a response instead of a feed. The Worker cannot use it, so it
            // cancels the body, which makes the stream leave.
            if let Some(body) = response.body() {
                let _ = body.cancel();
            }
            return Err(self.unavailable());
        }
        let text = worker::Response::from(response).text().await;
        let problem = text.ok().as_deref().and_then(Document::parse);
        Err(problem.map_or_else(
            || self.unavailable(),
            |problem| Document {
                channel: Some(self.channel().to_owned().into()),
                ..problem
            },
        ))
    }
}
