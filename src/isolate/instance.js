// Called by src/isolate/instance.rs; wasm-bindgen bundles this file.

/** The instance has trapped (out of memory, a panic) and runs no code any more: tells src/entry.mjs. */
export function instanceLost() {
  globalThis.__worker_init_state.onLost?.();
}
