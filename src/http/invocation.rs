//! One invocation of the Worker: a request, and the objects that the runtime passes with it.

use wasm_bindgen::JsValue;
use web_sys::Request;
use worker::Env;

/// The sender of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A client, through the network. It needs a token, and the limits of its address apply.
    Client,
    /// The code of the Worker in which the hub is mounted. It needs no token, and no limits by
    /// address apply.
    OwnCode,
}

/// A request, and the objects that the runtime passes with it.
#[derive(Clone, Copy)]
pub struct Invocation<'a> {
    /// The request.
    pub request: &'a Request,
    /// The bindings of the deployment.
    pub env: &'a Env,
    /// The context of the request in the runtime, with its method `waitUntil`.
    pub context: &'a JsValue,
    /// The sender of the request.
    pub caller: Caller,
}
