//! Calls to the object of a channel, in as few calls into JavaScript as possible, because every publish makes one.

pub mod request;

use std::cell::OnceCell;

use js_sys::{Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{RequestInit, Response};
use worker::{Env, ObjectNamespace, Result};

use self::request::{Encoded, ObjectRequest};
use crate::auth::Grant;

/// The binding of the objects in `wrangler.toml`.
const BINDING: &str = "CHANNEL";

/// The beginning of the message with which `src/hub.mjs` aborts an object that had not begun the call.
const NOT_BEGUN: &str = "not begun:";

#[wasm_bindgen]
extern "C" {
    /// The stub of an object as the runtime has it. The stub of the worker crate would wrap every response, and unwrap
    /// it again for the client.
    type ObjectStub;

    /// Sends a request to `url`. `init` has the method, the headers and the body.
    #[wasm_bindgen(method, catch)]
    fn fetch(
        this: &ObjectStub,
        url: &str,
        init: &RequestInit,
    ) -> std::result::Result<Promise, JsValue>;
}

thread_local! {
    static NAMESPACE: OnceCell<ObjectNamespace> = const { OnceCell::new() };
}

/// A request to an object. It can be sent several times.
pub struct Call {
    url: String,
    init: RequestInit,
}

/// Why a call failed.
pub struct CallError {
    /// The message of the runtime.
    pub message: String,
    /// The runtime says that the object is overloaded.
    pub is_overloaded: bool,
    /// The object had not begun the call, so any call can be sent again.
    pub was_not_begun: bool,
}

impl Call {
    /// A call to the object of the grant's channel. `origin` is the origin of the client's page, if the response
    /// depends on it. `body` is the body of a publish.
    pub fn new(
        grant: &Grant,
        request: ObjectRequest,
        origin: Option<&str>,
        body: Option<&str>,
    ) -> Result<Self> {
        let Encoded {
            method,
            url,
            headers,
        } = request.encode(grant.channel());
        let init = RequestInit::new();
        init.set_method(method);
        // Most publishes have no header, and an object for the headers costs time.
        if !headers.is_empty() || origin.is_some() {
            let all = worker::Headers::new();
            if let Some(origin) = origin {
                all.set("Origin", origin)?;
            }
            for (name, value) in &headers {
                all.set(name, value)?;
            }
            init.set_headers(&all.0);
        }
        if let Some(body) = body {
            init.set_body(&JsValue::from_str(body));
        }
        Ok(Self { url, init })
    }

    /// Sends the request to the object of the grant's channel. An endpoint that does not authorize its request has no
    /// grant, so it does not compile.
    pub async fn send(
        &self,
        env: &Env,
        grant: &Grant,
    ) -> Result<std::result::Result<Response, CallError>> {
        // A new stub for each call: an old one fails forever once its object was replaced.
        let stub: ObjectStub = namespace(env)?.get_by_name(grant.channel())?.into_rpc();
        let response = response(stub.fetch(&self.url, &self.init)).await;
        Ok(response.map_err(|error| CallError {
            is_overloaded: is_overloaded(&error),
            was_not_begun: was_not_begun(&error),
            message: worker::Error::from(error).to_string(),
        }))
    }
}

/// Makes the object of `channel` end its streams, because the server stops. This needs no grant, because no request of
/// a client leads to it.
pub async fn shut_down(env: &Env, channel: &str) -> Result<()> {
    let Encoded { method, url, .. } = ObjectRequest::ShutDown.encode(channel);
    let init = RequestInit::new();
    init.set_method(method);
    let stub: ObjectStub = namespace(env)?.get_by_name(channel)?.into_rpc();
    response(stub.fetch(&url, &init)).await?;
    Ok(())
}

/// The id of the object of `channel`. The file of its database has this name.
pub fn object_id(env: &Env, channel: &str) -> Result<String> {
    Ok(namespace(env)?.id_from_name(channel)?.to_string())
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

async fn response(
    sent: std::result::Result<Promise, JsValue>,
) -> std::result::Result<Response, JsValue> {
    JsFuture::from(sent?).await?.dyn_into()
}

fn was_not_begun(error: &JsValue) -> bool {
    let message = Reflect::get(error, &JsValue::from_str("message")).ok();
    let message = message.and_then(|message| message.as_string());
    message.is_some_and(|message| message.starts_with(NOT_BEGUN))
}

fn is_overloaded(error: &JsValue) -> bool {
    Reflect::get(error, &JsValue::from_str("overloaded")).is_ok_and(|flag| flag.is_truthy())
}
