// timer.rs calls this function. wasm-bindgen bundles this file.

/**
 * Returns a function for `setTimeout` that calls `callback`, a Rust closure. If the callback throws, the function
 * aborts the Durable Object with this `state`.
 *
 * The callback throws if its WebAssembly instance has trapped. Without the abort, the object's streams would stay open
 * with no code to serve them. After the abort, their clients reconnect to a new object.
 */
export function abortingOnFailure(state, callback) {
  return () => {
    try {
      callback();
    } catch (error) {
      // An abort stops all JavaScript immediately. The timer lets the tasks that are already waiting run first.
      setTimeout(() => state.abort(`the WebAssembly instance of this object is gone (${error.message})`));
    }
  };
}
