// src/http/publish/body.rs calls these functions. wasm-bindgen bundles this file.

/**
 * Returns the body of a request as an ArrayBuffer, or undefined if it is incomplete after `ms` milliseconds.
 *
 * This is JavaScript because a Rust future that waits for a promise that never settles would keep memory of the
 * WebAssembly instance forever.
 */
export function bodyWithin(request, ms) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    const complete = (settle) => (value) => {
      clearTimeout(timer);
      settle(value);
    };
    request.arrayBuffer().then(complete(resolve), complete(reject));
  });
}

/** Reads a body in pieces. */
export class PieceReader {
  constructor(stream) {
    this.reader = stream.getReader({ mode: "byob" });
  }

  /** Returns the next `bytes` bytes as a Uint8Array, or fewer at the end of the body. */
  async next(bytes) {
    const { value } = await this.reader.readAtLeast(bytes, new Uint8Array(bytes));
    return value ?? new Uint8Array();
  }
}
