// A hub in wrangler's test harness, as `wrangler dev` runs it, on a free port and with settings of the test.
import { after } from "node:test";
import { createTestHarness } from "wrangler";
import { root } from "../../scripts/install.mjs";

/** @typedef {Record<string, string | number>} Settings */

/**
 * Starts a hub, and stops it after the test or file that has started it.
 * @param {Settings} settings variables of the Worker; ACCESS is "open" by default, and "" stands for a variable that is
 *   not set
 * @param {any} worker where the harness finds the Worker's configuration, and its secrets
 */
export async function startHub(settings = {}, worker = { configPath: "wrangler.toml" }) {
  const vars = openByDefault(settings);
  // The file .dev.vars has precedence over `vars`, and secrets have precedence over the file.
  const secrets = { ACCESS: vars.ACCESS, LOG_LEVEL: "info", ...worker.secrets };
  const server = createTestHarness({ root, workers: [{ ...worker, vars, secrets }] });
  const { url } = await server.listen();
  after(() => server.close());
  return new Hub(server, url.origin);
}

/**
 * The setting HOLD_STREAMS of all hubs, unless a test sets it. CI runs the tests whose rules concern streams with
 * `object` and with `worker`.
 */
export const HOLD_STREAMS = process.env.HOLD_STREAMS || "object";

/** Whether the Worker holds the streams, so that they outlast their objects. */
export const heldByWorker = HOLD_STREAMS === "worker";

/**
 * Returns `settings` with the defaults of the tests: the hub needs no tokens, and its streams have no limit of
 * messages.
 * @param {Settings} settings
 * @returns {Settings}
 */
export function openByDefault(settings) {
  return { ACCESS: "open", HOLD_STREAMS, HELD_STREAM_MESSAGES: "0", ...settings };
}

class Hub {
  constructor(server, origin) {
    this.server = server;
    this.origin = origin;
  }

  channel(id) {
    return new Channel(this, id);
  }

  /**
   * @param {string} path
   * @param {RequestInit} [init]
   */
  fetch(path, init) {
    return fetch(this.origin + path, init);
  }

  /** Returns the lines that the Worker and its objects have logged. */
  logLines() {
    return this.server.getLogs().map((log) => log.message);
  }
}

/** A channel of a hub, with the requests of the API. */
export class Channel {
  /**
   * @param {{ origin: string }} hub
   * @param {string} id
   */
  constructor(hub, id) {
    this.hub = hub;
    this.id = id;
    this.path = `/channels/${id}`;
    this.url = `${hub.origin}${this.path}`;
  }

  /**
   * Publishes `body` as one event, and returns the receipt.
   * @param {BodyInit} body
   * @param {RequestInit & { query?: string, duplex?: "half" }} [options]
   */
  async publish(body, { query = "", ...init } = {}) {
    return receiptOf(await fetch(`${this.url}/broadcast${query}`, { method: "POST", body, ...init }));
  }

  /**
   * Publishes events as one batch, and returns the receipt.
   * @param {(string | [type: string, data: string | number])[]} events
   */
  publishBatch(events) {
    const lines = (event) => (Array.isArray(event) ? `event: ${event[0]}\ndata: ${event[1]}` : `data: ${event}`);
    const batch = events.map((event) => `${lines(event)}\n\n`).join("");
    return this.publish(batch, { headers: { "Content-Type": "text/event-stream" } });
  }

  async stats() {
    return (await fetch(`${this.url}/stats`)).json();
  }

  /** Returns a page of the history. */
  async history(query = "") {
    return receiptOf(await fetch(`${this.url}/events${query}`));
  }

  /**
   * Publishes `body` as one event if there is one, ends the channel, and returns the receipt.
   * @param {BodyInit} [body]
   * @param {RequestInit & { query?: string }} [options]
   */
  async end(body, { query = "", ...init } = {}) {
    return receiptOf(await fetch(`${this.url}/end${query}`, { method: "POST", body, ...init }));
  }

  /** Deletes the channel, and returns the receipt. */
  async delete() {
    return receiptOf(await fetch(this.url, { method: "DELETE" }));
  }
}

/** Returns the JSON of an answer with status 200. Any other status is an error. */
async function receiptOf(response) {
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  return response.json();
}
