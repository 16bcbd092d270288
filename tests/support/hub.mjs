// A hub on the real runtime, on a free port, with settings of the test's own.
import { after } from "node:test";
import { createTestHarness } from "wrangler";
import { root } from "../../scripts/install.mjs";

/**
 * Starts a hub; it is stopped after the test or file that started it. `settings` are environment variables; it is open
 * unless they say otherwise ("" for what is not set).
 */
export async function startHub(settings = {}, worker = { configPath: "wrangler.toml" }) {
  const { ACCESS } = openByDefault(settings);
  // What .dev.vars has is stronger than `vars`.
  const secrets = { ACCESS, LOG_LEVEL: "info", ...worker.secrets };
  const server = createTestHarness({ root, workers: [{ ...worker, vars: { ...settings }, secrets }] });
  const { url } = await server.listen();
  after(() => server.close());
  return new Hub(server, url.origin);
}

/** The settings of a test's hub: open to all, unless they say otherwise. */
export function openByDefault(settings) {
  return { ACCESS: "open", ...settings };
}

class Hub {
  constructor(server, origin) {
    this.server = server;
    this.origin = origin;
  }

  /** A channel of this hub. */
  channel(id) {
    return new Channel(this, id);
  }

  fetch(path, init) {
    return fetch(this.origin + path, init);
  }

  /** What the Worker and its objects have logged, line by line. */
  logLines() {
    return this.server.getLogs().map((log) => log.message);
  }
}

/** One channel of a hub. */
export class Channel {
  constructor(hub, id) {
    this.hub = hub;
    this.id = id;
    this.path = `/channels/${id}`;
    this.url = `${hub.origin}${this.path}`;
  }

  /** Publishes `body` as one event; returns the receipt. */
  async publish(body, { query = "", ...init } = {}) {
    const response = await fetch(`${this.url}/broadcast${query}`, { method: "POST", body, ...init });
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    return response.json();
  }

  /** Publishes events (data, or [type, data]) as one batch; returns the receipt. */
  publishBatch(events) {
    const lines = (event) => (Array.isArray(event) ? `event: ${event[0]}\ndata: ${event[1]}` : `data: ${event}`);
    const batch = events.map((event) => `${lines(event)}\n\n`).join("");
    return this.publish(batch, { headers: { "Content-Type": "text/event-stream" } });
  }

  async stats() {
    return (await fetch(`${this.url}/stats`)).json();
  }

  /** A page of the history. */
  async history(query = "") {
    const response = await fetch(`${this.url}/events${query}`);
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    return response.json();
  }

  /** Ends the channel; returns the receipt. */
  async end() {
    const response = await fetch(this.url, { method: "DELETE" });
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    return response.json();
  }
}
