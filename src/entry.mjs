// The entry module of the Worker: worker-build's exports, guarded against the loss of the WebAssembly instance.
//
// All objects of an isolate and the Worker share one instance. When it traps (out of memory, a panic), the promises that
// it was to resolve stay pending for ever. This module fails the Worker's calls in flight at once, lets the shim make a new
// instance, and aborts an object that the old one made when it is called. src/isolate/instance.rs has the whole picture.
import ShimmedHub, { Channel as ShimmedChannel } from "../build/index.js";
import { abortSoon } from "./abort.js";

// The shim wraps each object and each call in proxies, which cost as much as a part of a publish. These are what it wraps.
const callHub = ShimmedHub.prototype;
const WasmChannel = ShimmedChannel.prototype.constructor;

/** Shared with worker-build's shim and src/isolate/instance.js. The id changes with every new instance. */
const instance = globalThis.__worker_init_state;

/** The current instance has trapped, and no new one was made yet. */
let lost = false;

// The shim makes a new instance where this is true, and then sets it to false. The shim also sets it to true when a trap
// reaches the runtime, perhaps after the new instance was made. That would discard the new instance, so only `onLost` sets it.
Object.defineProperty(instance, "criticalError", {
  get: () => lost,
  set: (value) => (lost &&= value),
});

class InstanceLost extends Error {}

/**
 * Why an object is aborted that was called, but had not begun the call, so that the call can be sent again. src/http/object.rs
 * knows the beginning.
 */
const NOT_BEGUN = "not begun: the object's WebAssembly instance is gone";

/** How often a request that changes nothing is answered anew after the loss of the instance. */
const MAX_TRIES = 3;

/** The functions that fail the Worker's calls in flight. */
const inFlight = new Set();

instance.onLost = () => {
  lost = true;
  const calls = [...inFlight];
  inFlight.clear();
  // Most of them are calls of other requests. The runtime goes on with each of them in its own request.
  for (const fail of calls) fail(new InstanceLost("the WebAssembly instance trapped"));
};

/** Has the shim make a new instance where the current one was lost: it looks when a class is constructed. */
function renewInstance(env, context) {
  if (lost) new ShimmedHub(context, env);
}

/** What `call` resolves to. Rejects with InstanceLost where the instance is lost before. */
function unlessLost(call) {
  return new Promise((resolve, reject) => {
    inFlight.add(reject);
    const end = (settle) => (value) => {
      inFlight.delete(reject);
      settle(value);
    };
    try {
      call().then(end(resolve), end(reject));
    } catch (error) {
      end(reject)(error);
    }
  });
}

const changesNothing = ({ method }) => ["GET", "HEAD", "OPTIONS"].includes(method);

/** Answers a request whose instance was lost `tries` times. */
function answerAgain(request, env, context, tries) {
  if (tries < MAX_TRIES && changesNothing(request)) return respond(request, env, context, tries);
  renewInstance(env, context);
  return callHub.unavailable(request, env);
}

function respond(request, env, context, tries = 0) {
  renewInstance(env, context);
  return unlessLost(() => callHub.fetch.call({ env, ctx: context }, request)).catch((error) => {
    if (error instanceof InstanceLost) return answerAgain(request, env, context, tries + 1);
    throw error;
  });
}

export default {
  fetch(request, env, context) {
    const answer = respond(request, env, context);
    // Where the client goes away, the request is handled to its end all the same, and gives back the memory that it holds.
    context.waitUntil(answer);
    return answer;
  },
};

export class Channel {
  constructor(state, env) {
    this.state = state;
    // Its constructor makes a new instance where the current one was lost.
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

  isLost() {
    return lost || this.instanceId !== instance.instanceId;
  }

  /** Aborts the object. Never resolves: the runtime rejects all calls to the object. */
  abort() {
    return new Promise(() => abortSoon(this.state, NOT_BEGUN));
  }
}
