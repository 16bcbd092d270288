//! The runtime's side of a held stream, which is in JavaScript: the client's stream, the WebSockets of the feeds, and a
//! timer.

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{ReadableStream, WebSocket};

#[wasm_bindgen(module = "/src/http/held/client_stream.js")]
extern "C" {
    /// See `client_stream.js`.
    pub type ClientStream;

    /// Closes the WebSocket of a feed that was opened too late to be used.
    #[wasm_bindgen(static_method_of = ClientStream)]
    pub fn discard(socket: &WebSocket);

    /// Ends all streams of the instance, because the server is stopping.
    #[wasm_bindgen(static_method_of = ClientStream, js_name = stopAll)]
    pub fn stop_all();

    /// The number of streams of the instance that are open.
    #[wasm_bindgen(static_method_of = ClientStream, js_name = openStreams)]
    pub fn open_streams() -> u32;

    /// `callbacks` is an object with the functions that the stream calls. `context` is the context of the request.
    #[wasm_bindgen(constructor, catch)]
    pub fn new(
        callbacks: &JsValue,
        number: f64,
        context: &JsValue,
    ) -> Result<ClientStream, JsValue>;

    /// The body of the response to the client.
    #[wasm_bindgen(method, getter)]
    pub fn body(this: &ClientStream) -> ReadableStream;

    /// Receives the messages of a feed.
    #[wasm_bindgen(method, catch)]
    pub fn attach(this: &ClientStream, feed: u32, socket: &WebSocket) -> Result<(), JsValue>;

    /// Whether the client has taken everything that was written.
    #[wasm_bindgen(method, js_name = isTaken)]
    pub fn is_taken(this: &ClientStream) -> bool;

    /// Writes a frame without its header. Fails if the client has gone.
    #[wasm_bindgen(method, catch, js_name = passOn)]
    pub fn pass_on(this: &ClientStream, data: &ArrayBuffer) -> Result<(), JsValue>;

    /// Writes bytes. Fails if the client has gone.
    #[wasm_bindgen(method, catch)]
    pub fn write(this: &ClientStream, bytes: &Uint8Array) -> Result<(), JsValue>;

    /// Sends a message to a feed. Fails if the feed is closed.
    #[wasm_bindgen(method, catch)]
    pub fn send(this: &ClientStream, feed: u32, text: &str) -> Result<(), JsValue>;

    /// Closes the WebSocket of a feed.
    #[wasm_bindgen(method, js_name = closeFeed)]
    pub fn close_feed(this: &ClientStream, feed: u32);

    /// Calls back in `ms` milliseconds, and not at the time that was set before.
    #[wasm_bindgen(method, js_name = setTimer)]
    pub fn set_timer(this: &ClientStream, ms: u32);

    /// Ends the client's stream, and leaves all feeds.
    #[wasm_bindgen(method)]
    pub fn end(this: &ClientStream);
}
