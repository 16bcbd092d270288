//! The way to a channel's object, in as few calls into JavaScript as it takes: every publish goes it.

use std::cell::OnceCell;

use js_sys::{Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{RequestInit, Response};
use worker::{Env, ObjectNamespace, Result};

use crate::route::Action;

/// The header in which the Worker tells the object when a stream ends, in milliseconds since 1970. What a client sends
/// never gets to the object: the Worker makes a request of its own.
pub const EXPIRES_HEADER: &str = "Sse-Broadcaster-Expires";

/// The same, whose stream it is, percent-encoded.
pub const SUBJECT_HEADER: &str = "Sse-Broadcaster-Subject";

/// The parameter in which the Worker tells the object how many bytes the body of a publish has.
pub const BYTES_PARAMETER: &str = "bytes";

/// The URL of a request to a channel's object. It says nothing but what the Worker has read, and permitted: the client's own
/// URL may be read in another way by who parses it again.
pub fn url(id: &str, action: Action, query: &str) -> String {
    let mark = if query.is_empty() { "" } else { "?" };
    format!("https://hub/channels/{id}{}{mark}{query}", action.suffix())
}

/// The binding of the channels' objects in `wrangler.toml`.
const BINDING: &str = "CHANNEL";

#[wasm_bindgen]
extern "C" {
    /// The runtime's own stub of an object. worker's wraps every answer, and unwraps it again for the client.
    pub type ObjectStub;

    /// Sends a request that is made from a URL.
    #[wasm_bindgen(method, catch)]
    pub fn fetch(
        this: &ObjectStub,
        url: &str,
        init: &RequestInit,
    ) -> std::result::Result<Promise, JsValue>;
}

thread_local! {
    static NAMESPACE: OnceCell<ObjectNamespace> = const { OnceCell::new() };
}

/// A new stub of the object of channel `id`.
pub fn stub(env: &Env, id: &str) -> Result<ObjectStub> {
    let known = NAMESPACE.with(|namespace| namespace.get().cloned());
    let namespace = match known {
        Some(namespace) => namespace,
        None => {
            let found = env.durable_object(BINDING)?;
            NAMESPACE.with(|namespace| namespace.get_or_init(|| found).clone())
        }
    };
    Ok(namespace.get_by_name(id)?.into_rpc())
}

/// The answer to what was sent.
pub async fn response(
    sent: std::result::Result<Promise, JsValue>,
) -> std::result::Result<Response, JsValue> {
    JsFuture::from(sent?).await?.dyn_into()
}

/// Begins the message of an object that was aborted before it began what it was called for. `src/entry.mjs` writes it.
const NOT_BEGUN: &str = "not begun:";

/// Whether the object did nothing of what it was called for, so that anything can be sent again.
pub fn was_not_begun(error: &JsValue) -> bool {
    let message = Reflect::get(error, &JsValue::from_str("message")).ok();
    let message = message.and_then(|message| message.as_string());
    message.is_some_and(|message| message.starts_with(NOT_BEGUN))
}

/// Whether the runtime marked an error as the object being overloaded.
pub fn is_overloaded(error: &JsValue) -> bool {
    Reflect::get(error, &JsValue::from_str("overloaded")).is_ok_and(|flag| flag.is_truthy())
}
