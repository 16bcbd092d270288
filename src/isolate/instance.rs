//! The WebAssembly instance that the Worker and all objects of an isolate share, and the consequences of its loss.
//!
//! A failed allocation or a panic traps. After a trap every call into the instance fails, and the shim of worker-build
//! makes a new instance before the next request. Calls in flight in the old instance would never end, and its open
//! streams would stay open with no code behind them. Three mechanisms prevent that:
//!
//! - a trap calls the handler that [`watch`] installs. It marks the instance as lost, and `src/hub.mjs` then fails
//!   the Worker's calls in flight;
//! - `src/hub.mjs` aborts an object of a lost instance when the object is called;
//! - an object's timers abort it: the timer of an object with open streams after at most one heartbeat period, and the
//!   watchdog of an object with commands in flight within a second.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/isolate/instance.js")]
extern "C" {
    #[wasm_bindgen(js_name = instanceLost)]
    fn instance_lost();
}

/// Installs the handler that reports the loss of this instance. Every entry point calls it; it only stores a pointer.
///
/// It replaces the handler that the worker crate installs when the instance starts. That one schedules a new instance
/// for the next call of any closure, and the closure would then run in the new instance with an address of the old one.
pub fn watch() {
    wasm_bindgen::handler::set_on_abort(instance_lost);
}
