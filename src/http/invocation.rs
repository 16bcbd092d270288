//! One invocation of the Worker: a request, and what the runtime gives with it.

use wasm_bindgen::JsValue;
use web_sys::Request;
use worker::Env;

/// Who has sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A client, through the network. It needs a token, and the limits of its address apply.
    Client,
    /// The code of the Worker in which the hub is mounted. It may do everything.
    OwnCode,
}

/// A request, and what the runtime gives with it.
#[derive(Clone, Copy)]
pub struct Invocation<'a> {
    /// The request.
    pub request: &'a Request,
    /// The bindings of the deployment.
    pub env: &'a Env,
    /// The request's context of the runtime.
    pub context: &'a JsValue,
    /// Who has sent the request.
    pub caller: Caller,
}
