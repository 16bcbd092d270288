//! The WebAssembly instance that all objects of an isolate and the Worker share, and what happens when it is lost.
//!
//! A failed allocation or a panic traps. From then on every call into the instance fails, and the shim of worker-build
//! makes a new instance before the next request. Whatever was in flight in the old one would never end, and its open
//! streams would stay open with no code behind them. Three things prevent that:
//!
//! - a trap calls [`watch`]'s handler, which marks the instance as lost and lets `src/entry.mjs` fail the Worker's calls in
//!   flight;
//! - `src/entry.mjs` aborts an object that was made by a lost instance when it is called;
//! - the timer of an object with open streams aborts it, at the latest after a heartbeat, and the watchdog of an object with
//!   work in flight, within a second.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/isolate/instance.js")]
extern "C" {
    #[wasm_bindgen(js_name = instanceLost)]
    fn instance_lost();
}

/// Installs the handler that reports the loss of this instance. Every entry point calls it; it only stores a pointer.
///
/// It replaces the handler of the worker crate, which is set when the instance starts and schedules a new instance for the
/// next call of any closure: that call would then run in the new instance with an address of the old one.
pub fn watch() {
    wasm_bindgen::handler::set_on_abort(instance_lost);
}
