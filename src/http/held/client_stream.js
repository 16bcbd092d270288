// client_stream.rs calls this module. wasm-bindgen bundles this file.

/** The close code with which the Worker leaves a feed (RFC 6455, section 7.4.1: normal closure). */
const LEFT = 1000;
/** The close code of a connection that broke (RFC 6455, section 7.4.1). */
const BROKEN = 1006;
/** The bytes of a frame's header, which crates/hub/src/feed/frame.rs describes. */
const HEADER_BYTES = 8;

/** The streams of this isolate that the Worker holds. src/hub.mjs interrupts them if the instance is lost. */
const streams = () => {
  globalThis.__sseBroadcasterHeldStreams ??= new Set();
  return globalThis.__sseBroadcasterHeldStreams;
};

/**
 * The stream of one client, which the Worker holds, with the WebSockets of its feeds and a timer. It calls `callbacks`,
 * which are Rust closures: `frame`, `text`, `closed`, `left`, `due` and `stop`. Their first argument is `number`, the
 * number of the stream.
 *
 * The stream has no `pull`, which would make each delivery cost an eighth more. So it does not report that the client
 * has taken everything: Rust asks `isTaken` when it has to know.
 *
 * A callback throws if its WebAssembly instance has trapped. Then this class ends the stream, whose client reconnects.
 */
export class ClientStream {
  /** Ends all streams, because the server is stopping. */
  static stopAll() {
    for (const stream of streams()) stream.interrupt();
  }

  /** The number of streams that are open. */
  static openStreams() {
    return streams().size;
  }

  /** Closes the WebSocket of a feed that was opened too late to be used. */
  static discard(socket) {
    socket.accept();
    close(socket);
  }

  constructor(callbacks, number, context) {
    this.callbacks = callbacks;
    this.number = number;
    /** @type {(WebSocket | undefined)[]} by the numbers of their feeds */
    this.sockets = [];
    this.isOpen = true;
    /** @type {number | null} */
    this.timer = null;
    const source = {
      start: (controller) => {
        this.controller = controller;
      },
      cancel: () => {
        this.call("left");
        this.release();
      },
    };
    this.body = new ReadableStream(source, { highWaterMark: 1 });
    // The platform may stop the timers of a request that has been answered, unless the request waits for something.
    const finished = Promise.withResolvers();
    this.finish = () => finished.resolve(undefined);
    context.waitUntil(finished.promise);
    // Other requests resolve this promise, but the runtime runs its continuation in the context of this request.
    const interrupted = Promise.withResolvers();
    this.interrupt = () => interrupted.resolve(undefined);
    interrupted.promise.then(() => this.call("stop"));
    streams().add(this);
  }

  /** Calls back. If that throws, ends the stream. */
  call(name, ...args) {
    if (!this.isOpen) return;
    try {
      this.callbacks[name](this.number, ...args);
    } catch {
      this.end();
    }
  }

  /** Receives the messages of the feed `feed`. */
  attach(feed, socket) {
    this.sockets[feed] = socket;
    const isCurrent = () => this.sockets[feed] === socket;
    const closed = (code) => {
      if (!isCurrent()) return;
      this.sockets[feed] = undefined;
      this.call("closed", feed, code);
    };
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      if (!isCurrent()) return;
      if (typeof data === "string") this.call("text", feed, data);
      else if (data.byteLength >= HEADER_BYTES) this.frame(feed, data);
    });
    socket.addEventListener("close", ({ code }) => closed(code));
    socket.addEventListener("error", () => closed(BROKEN));
    socket.accept();
  }

  /** Whether the client has taken everything that was written. */
  isTaken() {
    return this.controller.desiredSize >= 1;
  }

  frame(feed, data) {
    const header = new DataView(data);
    const bytes = data.byteLength - HEADER_BYTES;
    this.call("frame", feed, header.getUint32(0, true), header.getUint32(4, true), bytes, this.isTaken(), data);
  }

  /** Writes a frame without its header. */
  passOn(data) {
    this.controller.enqueue(new Uint8Array(data, HEADER_BYTES));
  }

  write(bytes) {
    this.controller.enqueue(bytes);
  }

  send(feed, text) {
    this.sockets[feed]?.send(text);
  }

  closeFeed(feed) {
    const socket = this.sockets[feed];
    this.sockets[feed] = undefined;
    close(socket);
  }

  /** Calls `due` in `ms` milliseconds, and not at the time that was set before. */
  setTimer(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.call("due"), ms);
  }

  /** Ends the client's stream after what was written, and leaves the feeds. */
  end() {
    try {
      this.controller.close();
    } catch {
      // The client has gone already.
    }
    this.release();
  }

  release() {
    clearTimeout(this.timer);
    for (const socket of this.sockets) close(socket);
    this.sockets = [];
    this.isOpen = false;
    streams().delete(this);
    this.finish();
  }
}

function close(socket) {
  try {
    socket?.close(LEFT);
  } catch {
    // It is closed already.
  }
}
