// Called by src/publish/body.rs; wasm-bindgen bundles this file.

/**
 * The body of a request as an ArrayBuffer, or undefined where it has not come after `ms` milliseconds. In JavaScript, as a
 * promise that never settles would keep memory of the WebAssembly instance for ever.
 */
export function bodyWithin(request, ms) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    const end = (settle) => (value) => {
      clearTimeout(timer);
      settle(value);
    };
    request.arrayBuffer().then(end(resolve), end(reject));
  });
}

/** Reads a body in pieces. */
export class PieceReader {
  constructor(stream) {
    this.reader = stream.getReader({ mode: "byob" });
  }

  /** The next `bytes` bytes as a Uint8Array; fewer where the body ends. */
  async next(bytes) {
    const { value } = await this.reader.readAtLeast(bytes, new Uint8Array(bytes));
    return value ?? new Uint8Array();
  }
}
