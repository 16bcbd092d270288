//! The way to a channel's object, in as few calls into JavaScript as it takes: every publish goes it.

use std::cell::OnceCell;

use js_sys::{Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{RequestInit, Response};
use worker::{Env, ObjectNamespace, Result};

use crate::http::route::Action;

/// The header in which the Worker tells the object when a stream ends, in milliseconds since 1970. What a client sends
/// never gets to the object: the Worker makes a request of its own.
pub const EXPIRES_HEADER: &str = "Sse-Broadcaster-Expires";

/// The same, whose stream it is, percent-encoded.
pub const SUBJECT_HEADER: &str = "Sse-Broadcaster-Subject";

/// The URL of a request to a channel's object. It says nothing but what the Worker has read, and permitted: the client's own
/// URL may be read in another way by who parses it again.
pub fn url(id: &str, action: Action, query: &str) -> String {
    let mark = if query.is_empty() { "" } else { "?" };
    format!("https://hub/channels/{id}{}{mark}{query}", action.suffix())
}

/// The method at which an object ends itself, so that the next request makes a new one. No client's request has it.
pub const ABORT_METHOD: &str = "PURGE";

/// What the Worker tells the object of a publish beside its body and key, in the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishQuery {
    /// The Worker's number of the publish; see [`crate::isolate::attempts`].
    pub number: u64,
    /// How many bytes the body has, which the object has to know before it reads it.
    pub bytes: usize,
    /// It may only be answered with the receipt of an earlier publish: the storage takes no more data.
    pub only_replay: bool,
}

impl PublishQuery {
    /// Writes the query.
    pub fn to_text(self) -> String {
        let only_replay = u8::from(self.only_replay);
        format!("{}.{}.{only_replay}", self.number, self.bytes)
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    pub fn read(query: &str) -> Option<Self> {
        let mut parts = query.split('.');
        let query = Self {
            number: parts.next()?.parse().ok()?,
            bytes: parts.next()?.parse().ok()?,
            only_replay: match parts.next()? {
                "0" => false,
                "1" => true,
                _ => return None,
            },
        };
        parts.next().is_none().then_some(query)
    }
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
    Ok(namespace(env)?.get_by_name(id)?.into_rpc())
}

/// The id of the object of channel `id`, after which its files are named.
pub fn object_id(env: &Env, id: &str) -> Result<String> {
    Ok(namespace(env)?.id_from_name(id)?.to_string())
}

fn namespace(env: &Env) -> Result<ObjectNamespace> {
    let known = NAMESPACE.with(|namespace| namespace.get().cloned());
    match known {
        Some(namespace) => Ok(namespace),
        None => {
            let found = env.durable_object(BINDING)?;
            Ok(NAMESPACE.with(|namespace| namespace.get_or_init(|| found).clone()))
        }
    }
}

/// The answer to what was sent.
pub async fn response(
    sent: std::result::Result<Promise, JsValue>,
) -> std::result::Result<Response, JsValue> {
    JsFuture::from(sent?).await?.dyn_into()
}

/// Begins the message of an object that was aborted before it began the call. `src/entry.mjs` writes it.
const NOT_BEGUN: &str = "not begun:";

/// Whether the object had not begun the call, so that anything can be sent again.
pub fn was_not_begun(error: &JsValue) -> bool {
    let message = Reflect::get(error, &JsValue::from_str("message")).ok();
    let message = message.and_then(|message| message.as_string());
    message.is_some_and(|message| message.starts_with(NOT_BEGUN))
}

/// Whether the runtime marked an error as the object being overloaded.
pub fn is_overloaded(error: &JsValue) -> bool {
    Reflect::get(error, &JsValue::from_str("overloaded")).is_ok_and(|flag| flag.is_truthy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_a_publish_is_read_as_it_was_written() {
        for (number, bytes, only_replay) in [(1, 0, false), (u64::MAX, 1 << 20, true)] {
            let query = PublishQuery {
                number,
                bytes,
                only_replay,
            };
            assert_eq!(PublishQuery::read(&query.to_text()), Some(query));
        }
        for query in ["", "1", "1.2", "1.2.3", "1.2.0.", "1.x.0", "event=a"] {
            assert_eq!(PublishQuery::read(query), None);
        }
    }
}
