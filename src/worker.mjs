// The package's module "sse-broadcaster/worker": mounts the hub in a Worker of the user. src/worker.d.ts describes it
// for users.
import { waitUntil } from "cloudflare:workers";
import { HubError } from "../build/client/index.js";
import { answerClient, answerOwnCode, Channel as HubChannel } from "./hub.mjs";
import { objectBindings, pathOf, requestBindings } from "./mounted.mjs";

export { HubError };

/** The address of requests of the Worker's own code. Nothing sends them through the network. */
const OWN_ORIGIN = "https://hub";

/** The context of a call that has none of its own. */
const CONTEXT = { waitUntil };

/** The object of a channel. */
export class Channel extends HubChannel {
  constructor(state, env) {
    super(state, objectBindings(env));
  }
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
  const response = await answerOwnCode(request, requestBindings(env), CONTEXT);
  const answer = await response.json();
  if (response.ok) return answer;
  const seconds = response.headers.get("Retry-After");
  const retryAfter = seconds === null ? undefined : Number(seconds);
  throw new HubError({ ...answer, status: response.status, retryAfter });
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
    return answerClient(request, requestBindings(env), context);
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
