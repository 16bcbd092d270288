// The entry module of the Worker: worker-build's exports, guarded against the loss of the WebAssembly instance.
//
// All objects of an isolate and the Worker share one instance. When it traps (out of memory, a panic), the promises that
// it was to resolve stay pending for ever. This module fails the calls in flight at once, lets the shim make a new
// instance, and aborts each object that the old one made. src/instance.rs has the whole picture.
import Hub, { Channel as WasmChannel } from "../build/index.js";

/** Shared with worker-build's shim and src/instance.js. The id changes with every new instance. */
const instance = globalThis.__worker_init_state;

/** The current instance has trapped, and no new one was made yet. */
let lost = false;

// The shim makes a new instance where this is true, and then sets it to false. It also sets it to true, for every trap that
// reaches the runtime: that may be later than the new instance, which would be lost for nothing.
Object.defineProperty(instance, "criticalError", {
  get: () => lost,
  set: (value) => (lost &&= value),
});

class InstanceLost extends Error {}

/** Begins a message of an object that was called, but did nothing of what it was called for. src/object.rs knows it. */
const NOT_BEGUN = "not begun:";

/** How often a request that changes nothing is answered anew after the loss of the instance. */
const ATTEMPTS = 3;

/** The functions that fail the calls in flight. */
const inFlight = new Set();

instance.onLost = () => {
  lost = true;
  const calls = [...inFlight];
  inFlight.clear();
  for (const fail of calls) fail(new InstanceLost("the WebAssembly instance trapped"));
};

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

async function respond(request, env, context) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await unlessLost(() => new Hub(context, env).fetch(request));
    } catch (error) {
      if (!(error instanceof InstanceLost)) throw error;
      if (attempt === ATTEMPTS || !changesNothing(request)) return new Hub(context, env).unavailable(request);
    }
  }
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
    this.channel = new WasmChannel(state, env);
    this.instanceId = instance.instanceId;
  }

  fetch(request) {
    return this.run(() => this.channel.fetch(request));
  }

  alarm() {
    return this.run(() => this.channel.alarm());
  }

  async run(call) {
    if (lost || this.instanceId !== instance.instanceId) {
      await this.abort(`${NOT_BEGUN} the object's WebAssembly instance is gone`);
    }
    try {
      return await unlessLost(call);
    } catch (error) {
      if (error instanceof InstanceLost) await this.abort(error.message);
      throw error;
    }
  }

  /**
   * Ends the object and its streams; the next request makes a new one. Never resolves: the runtime rejects all calls to the
   * object. In a timer, as an abort stops all JavaScript at once: in the middle of a task it would stop tasks of others.
   */
  abort(reason) {
    return new Promise(() => setTimeout(() => this.state.abort(reason)));
  }
}
