// Called by timer.rs; wasm-bindgen bundles this file.

/**
 * A function for `setTimeout` that calls `callback`, a closure of the Rust side, and aborts the Durable Object with this
 * `state` where that throws. It throws where the instance that made it has trapped: the object's streams would stay
 * open with no code behind them. Their clients reconnect to a new object instead.
 */
export function abortingOnFailure(state, callback) {
  return () => {
    try {
      callback();
    } catch (error) {
      // An abort stops all JavaScript at once: not before the tasks that wait now have had their turn.
      setTimeout(() => state.abort(`the WebAssembly instance of this object is gone (${error.message})`));
    }
  };
}
