// src/isolate/instance.rs calls this function. wasm-bindgen bundles this file.

/** Tells src/hub.mjs that the instance has trapped (out of memory, or a panic) and runs no more code. */
export function instanceLost() {
  globalThis.__worker_init_state.onLost?.();
}
