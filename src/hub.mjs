// The hub: it answers requests with worker-build's shim, exports its object class, and recovers from the loss of the
// WebAssembly instance. src/entry.mjs and src/worker.mjs make a Worker and a library of it.
//
// The Worker and all objects of an isolate share one instance. If the instance traps (out of memory, or a panic), its
// pending promises never settle. Therefore this module fails the Worker's calls in flight at once, makes worker-build's
// shim create a new instance, and aborts each object of the old instance at its next call. src/isolate/instance.rs
// describes the whole recovery.
import ShimmedHub, { Channel as ShimmedChannel } from "../build/index.js";
import { abortSoon } from "./abort.js";

// The shim wraps each object and each call in a proxy. The proxies would take a noticeable part of the time of a
// publish, so this module uses the wrapped functions directly.
const hub = ShimmedHub.prototype;
const WasmChannel = /** @type {typeof ShimmedChannel} */ (ShimmedChannel.prototype.constructor);

/**
 * The state that worker-build's shim and src/isolate/instance.js share with this module. Each new instance gets another
 * id.
 */
const instance = globalThis.__worker_init_state;

/** Whether the current instance has trapped and has not been replaced yet. */
let lost = false;

// When `criticalError` is true, the shim creates a new instance and sets it to false. The shim also sets it to true
// when a trap reaches the runtime. That may happen after the instance was replaced, and would discard the new instance.
// So only `onLost` can set it to true.
Object.defineProperty(instance, "criticalError", {
  get: () => lost,
  set: (value) => {
    lost &&= value;
  },
});

class InstanceLost extends Error {}

/**
 * The reason for the abort of an object that was called, but had not begun to handle the call. Then the call can be
 * sent again. src/http/object.rs checks for the beginning of this text.
 */
const NOT_BEGUN = "not begun: the object's WebAssembly instance is gone";

/** How often a safe request is tried if the instance is lost each time. */
const MAX_TRIES = 3;

/** The functions that reject the Worker's calls in flight. */
const inFlight = new Set();

instance.onLost = () => {
  lost = true;
  const calls = [...inFlight];
  inFlight.clear();
  // Most of these calls belong to other requests. The runtime continues each of them in the context of its own request.
  for (const fail of calls) fail(new InstanceLost("the WebAssembly instance trapped"));
  // Their callbacks throw now, which ends them.
  for (const stream of globalThis.__sseBroadcasterHeldStreams ?? []) stream.interrupt();
};

/**
 * Makes the shim create a new instance if the current one is lost. The shim checks that when its class is constructed.
 */
function renewInstance(env, context) {
  if (lost) new ShimmedHub(context, env);
}

/** Returns the result of `call`. Rejects with InstanceLost if the instance is lost before that. */
function unlessLost(call) {
  return new Promise((resolve, reject) => {
    inFlight.add(reject);
    const complete = (settle) => (value) => {
      inFlight.delete(reject);
      settle(value);
    };
    try {
      call().then(complete(resolve), complete(reject));
    } catch (error) {
      complete(reject)(error);
    }
  });
}

/** Whether a request changes nothing on the server, so that it can be handled again. */
const isSafe = ({ method }) => ["GET", "HEAD", "OPTIONS"].includes(method);

/**
 * A function of the shim that answers requests.
 * @typedef {(request: Request, env: any, context: Context) => Promise<Response>} Handler
 */

/**
 * The part of the runtime's context that the hub uses.
 * @typedef {Pick<ExecutionContext, "waitUntil">} Context
 */

/** @type {Handler} */
const handleForClient = (request, env, ctx) => hub.fetch.call({ env, ctx }, request);
/** @type {Handler} */
const handleForOwnCode = (request, env, context) => hub.fetchForOwnCode(request, env, context);

/** Answers a request during which the instance was lost `tries` times. */
function answerAfterLoss(handle, request, env, context, tries) {
  if (tries < MAX_TRIES && isSafe(request)) return respond(handle, request, env, context, tries);
  renewInstance(env, context);
  return hub.unavailable(request, env);
}

function respond(handle, request, env, context, tries = 0) {
  renewInstance(env, context);
  return unlessLost(() => handle(request, env, context)).catch((error) => {
    if (error instanceof InstanceLost) return answerAfterLoss(handle, request, env, context, tries + 1);
    throw error;
  });
}

/** Answers a request to its end even if nobody waits for the answer, so that it releases the memory that it holds. */
function respondToTheEnd(handle, request, env, context) {
  const answer = respond(handle, request, env, context);
  context.waitUntil(answer);
  return answer;
}

/**
 * Answers a request of a client.
 * @type {Handler}
 */
export function answerClient(request, env, context) {
  return respondToTheEnd(handleForClient, request, env, context);
}

/**
 * Answers a request of the Worker's own code, which needs no token.
 * @type {Handler}
 */
export function answerOwnCode(request, env, context) {
  return respondToTheEnd(handleForOwnCode, request, env, context);
}

export class Channel {
  constructor(state, env) {
    this.state = state;
    // The constructor of the shim creates a new instance if the current one is lost.
    if (lost) new ShimmedChannel(state, env);
    this.channel = new WasmChannel(state, env);
    this.instanceId = instance.instanceId;
  }

  fetch(request) {
    return this.isLost() ? this.abort() : this.channel.fetch(request);
  }

  alarm() {
    return this.isLost() ? this.abort() : this.channel.alarm();
  }

  webSocketMessage(socket, message) {
    if (this.isLost()) return this.abort();
    this.channel.webSocketMessage(socket, message);
  }

  webSocketClose(socket) {
    if (this.isLost()) return this.abort();
    this.channel.webSocketClose(socket);
  }

  webSocketError(socket) {
    if (this.isLost()) return this.abort();
    this.channel.webSocketError(socket);
  }

  /** Whether the instance that created this object is lost. */
  isLost() {
    return lost || this.instanceId !== instance.instanceId;
  }

  /** Aborts the object. The promise never resolves: the runtime rejects all calls of an aborted object. */
  abort() {
    return new Promise(() => abortSoon(this.state, NOT_BEGUN));
  }
}
