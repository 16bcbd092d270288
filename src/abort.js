// src/hub.mjs and src/channel/storage/database.rs call this function. wasm-bindgen bundles this file for the latter.

/**
 * Aborts the Durable Object with this `state`. Its streams and calls break, and the next request creates a new object.
 *
 * An abort stops all JavaScript immediately. All objects of the WebAssembly instance share one queue of tasks. An abort
 * during a task would leave this queue waiting forever, so the abort happens in a timer.
 */
export function abortSoon(state, reason) {
  setTimeout(() => state.abort(reason));
}
