// The package's module "sse-broadcaster/worker": mounts the hub in a Worker of the user. src/worker.d.ts describes it
// for users.
import { waitUntil } from "cloudflare:workers";
import { answerClient, answerOwnCode } from "./hub.mjs";

export { Channel } from "./hub.mjs";

/** The binding of the object class. */
const BINDING = "CHANNEL";
/** The binding of the hub's own files. A Worker in which the hub is mounted has other files there, or none. */
const FILES = "ASSETS";
/** The address of requests of the Worker's own code. Nothing sends them through the network. */
const OWN_ORIGIN = "https://hub";

const NO_BINDING =
  `env.${BINDING} is no Durable Object namespace. Bind the class Channel in the configuration of the Worker: ` +
  `durable_objects.bindings = [{ name = "${BINDING}", class_name = "Channel" }], with a migration that has ` +
  'new_sqlite_classes = ["Channel"]. Export the class: export { Channel } from "sse-broadcaster/worker"';

/** The context of a call that has none of its own. */
const CONTEXT = { waitUntil };

/** The bindings for the hub, by the bindings of the Worker. @type {WeakMap<object, object>} */
const bindings = new WeakMap();

/** Returns the bindings for the hub: those of the Worker, without its files. */
function bindingsOf(env) {
  if (typeof env?.[BINDING]?.idFromName !== "function") throw new TypeError(NO_BINDING);
  const known = bindings.get(env);
  if (known) return known;
  const made = Object.create(env, { [FILES]: { value: undefined } });
  bindings.set(env, made);
  return made;
}

/** A refusal of the hub. Its members are those of the problem (RFC 9457). */
export class HubError extends Error {
  name = "HubError";

  constructor({ status, type, title, detail, channels }, retryAfter) {
    super(`${title}: ${detail}`);
    this.status = status;
    this.type = type;
    this.title = title;
    this.detail = detail;
    this.retryAfter = retryAfter;
    this.channels = channels;
  }
}

/** Returns the path of one or several channels. */
function pathOf(channels) {
  const ids = typeof channels === "string" ? [channels] : channels;
  return `/channels/${ids.map(encodeURIComponent).join(",")}`;
}

/**
 * The parts of a request that a publish has.
 * @typedef {{ query?: Record<string, string | undefined>, body?: string, headers?: Record<string, string | undefined>
 *   }} Parts
 */

/**
 * Sends a request to the hub. Returns its answer, and throws its problem.
 * @param {unknown} env
 * @param {string} method
 * @param {string} path
 * @param {Parts} parts
 */
async function ask(env, method, path, { query = {}, body, headers = {} } = {}) {
  const url = new URL(path, OWN_ORIGIN);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
  const request = new Request(url, { method, body });
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) request.headers.set(name, value);
  const response = await answerOwnCode(request, bindingsOf(env), CONTEXT);
  const answer = await response.json();
  if (response.ok) return answer;
  const seconds = response.headers.get("Retry-After");
  throw new HubError(answer, seconds === null ? undefined : Number(seconds));
}

/** Returns `data` as the text of an event. */
function textOf(data) {
  if (typeof data === "string") return data;
  const text = JSON.stringify(data);
  if (text === undefined)
    throw new TypeError(`The data of an event is a string, or a value that JSON can express, not ${typeof data}.`);
  return text;
}

/**
 * Returns the parts of the request of a publish.
 * @param {unknown} data
 * @param {{ type?: string, idempotencyKey?: string }} [options]
 * @returns {Parts}
 */
function publishOf(data, { type, idempotencyKey } = {}) {
  return { body: textOf(data), query: { event: type }, headers: { "Idempotency-Key": idempotencyKey } };
}

export const hub = {
  fetch(request, env, context = CONTEXT) {
    return answerClient(request, bindingsOf(env), context);
  },

  publish(env, channels, data, options) {
    return ask(env, "POST", `${pathOf(channels)}/broadcast`, publishOf(data, options));
  },

  end(env, channel, data, options) {
    const { idempotencyKey } = options ?? {};
    // An empty body without a type is no event.
    const publish = data === undefined ? publishOf("", { idempotencyKey }) : publishOf(data, options);
    return ask(env, "POST", `${pathOf(channel)}/end`, publish);
  },

  delete(env, channel) {
    return ask(env, "DELETE", pathOf(channel));
  },

  stats(env, channel) {
    return ask(env, "GET", `${pathOf(channel)}/stats`);
  },
};
