// Used by src/entry.mjs and src/channel/storage/database.rs; wasm-bindgen bundles this file for the latter.

/**
 * Ends the Durable Object with this `state`; its streams and calls break off, and the next request makes a new object. An
 * abort stops all JavaScript at once. In the middle of a task that would leave the queue of tasks, which all objects of the
 * WebAssembly instance share, waiting for ever. So a timer aborts.
 */
export function abortSoon(state, reason) {
  setTimeout(() => state.abort(reason));
}
