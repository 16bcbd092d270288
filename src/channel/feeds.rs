//! The feeds of a channel: WebSockets to the Workers that hold its streams. The object may sleep while they are open;
//! then the runtime keeps them, and returns them when the object wakes.

use std::rc::Rc;

use js_sys::Array;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use web_sys::{Response, WebSocket};
use worker::{Result, WebSocketPair, WebSocketRequestResponsePair};

use super::shared::Shared;
use super::state::ChannelState;
use super::stream::EventStream;
use crate::http::response::Responder;
use sse_hub::feed::FeedClose;
use sse_hub::sse::{Epoch, EventId};
use sse_hub::{ConnId, FeedMessage};

#[wasm_bindgen]
extern "C" {
    /// The part of the state of an object that concerns WebSockets. The functions of the worker crate panic if the
    /// runtime fails.
    type FeedState;

    #[wasm_bindgen(method, catch, js_name = acceptWebSocket)]
    fn accept(this: &FeedState, socket: &WebSocket) -> std::result::Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = getWebSockets)]
    fn sockets(this: &FeedState) -> std::result::Result<Array, JsValue>;

    #[wasm_bindgen(method, catch, js_name = setWebSocketAutoResponse)]
    fn set_auto_response(
        this: &FeedState,
        pair: &WebSocketRequestResponsePair,
    ) -> std::result::Result<(), JsValue>;

    /// A WebSocket that an object has accepted.
    type FeedSocket;

    #[wasm_bindgen(method, catch, js_name = serializeAttachment)]
    fn attach(this: &FeedSocket, text: &str) -> std::result::Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = deserializeAttachment)]
    fn attachment(this: &FeedSocket) -> std::result::Result<JsValue, JsValue>;
}

/// What the runtime keeps of a feed while the object sleeps, as JSON. Objects of two deploys may read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRecord {
    /// The id of the channel, which an object that is woken by a feed does not know otherwise.
    pub channel: String,
    /// The number of the stream.
    pub conn: ConnId,
    /// The epoch of the channel, which an object without stored data does not know otherwise.
    pub epoch: String,
    /// Whether the stream reads the history whenever it falls behind the log.
    pub catch_up: bool,
    /// The subject of the client's token.
    pub sub: Option<String>,
}

/// A feed that the runtime has kept.
pub struct KeptFeed {
    /// What is known of it.
    pub record: FeedRecord,
    socket: WebSocket,
}

/// Removes the record of a feed that the object closes. Until the Worker has confirmed the close, the runtime still
/// returns the socket to an object that wakes, which must not take it for an open feed.
pub fn forget(socket: &WebSocket) {
    let socket: &FeedSocket = socket.unchecked_ref();
    // This fails only if the socket is closed already; then the runtime does not return it.
    let _ = socket.attach("");
}

/// Returns the record of a feed. `None` if the object has closed the feed, or if another version of the hub
/// wrote the record in a form that this version cannot read.
pub fn record_of(socket: &WebSocket) -> Option<FeedRecord> {
    let socket: &FeedSocket = socket.unchecked_ref();
    let text = socket.attachment().ok()?.as_string()?;
    serde_json::from_str(&text).ok()
}

/// Returns the feeds that the runtime has kept while the object with this `state` slept.
pub fn kept_feeds(state: &JsValue) -> Vec<KeptFeed> {
    let state: &FeedState = state.unchecked_ref();
    let sockets = state.sockets().unwrap_or_default();
    let kept = sockets.iter().filter_map(|socket| {
        let socket: WebSocket = socket.unchecked_into();
        let record = record_of(&socket)?;
        Some(KeptFeed { record, socket })
    });
    kept.collect()
}

/// The epoch that the feeds know.
pub fn epoch_of(kept: &[KeptFeed]) -> Option<Epoch> {
    kept.iter().find_map(|feed| feed.record.epoch.parse().ok())
}

impl Shared {
    /// Accepts a feed. Returns the response to the Worker, and the end to write to.
    pub(super) fn open_feed(
        &self,
        record: &FeedRecord,
        start: EventId,
        responder: &Responder,
    ) -> Result<(Response, EventStream)> {
        let WebSocketPair { client, server } = WebSocketPair::new()?;
        let server: &WebSocket = server.as_ref();
        let state: &FeedState = self.database.state().unchecked_ref();
        if !self.answers_pings.get() {
            let pair = WebSocketRequestResponsePair::new(FeedMessage::PING, FeedMessage::PONG)?;
            state.set_auto_response(&pair)?;
            self.answers_pings.set(true);
        }
        state.accept(server)?;
        let socket: &FeedSocket = server.unchecked_ref();
        socket.attach(&serde_json::to_string(record)?)?;
        let response = responder.feed(client, start)?;
        Ok((response, EventStream::Feed(Rc::new(server.clone()))))
    }

    /// Adds the feeds that the runtime has kept while the object slept.
    pub(super) fn restore_feeds(&self, kept: Vec<KeptFeed>) {
        let now = self.clock.now();
        self.with(|ChannelState { hub, store }| {
            for KeptFeed { record, socket } in kept {
                let stream = EventStream::Feed(Rc::new(socket));
                let history = store.keeps_history();
                hub.restore(record.conn, stream, history, record.catch_up, now);
            }
        });
    }

    /// Notes a message of the Worker that holds the stream of `conn`. A message that cannot be read closes the feed.
    pub(super) fn feed_message(
        &self,
        conn: ConnId,
        message: Option<FeedMessage>,
        socket: &WebSocket,
    ) {
        let Some(message) = message else {
            forget(socket);
            // This fails only if the socket is closed already.
            let _ = socket.close_with_code(FeedClose::BadMessage.code());
            self.leave(conn);
            return;
        };
        let now = self.clock.now();
        let output = self.with(|state| state.hub.note_message(conn, message, now));
        if let Some(output) = output {
            self.perform(output);
        }
        self.set_timer();
    }
}
