// The client of this project, in Node, for tests.
import { after } from "node:test";
import { connect } from "../../build/client/index.js";
import { eventually } from "./wait.mjs";

/** @typedef {import("../../build/client/index.js").ConnectOptions} ConnectOptions */
/** @typedef {import("../../build/client/index.js").SubscribeOptions<any>} SubscribeOptions */

/**
 * Connects to a hub, and closes all subscriptions after the test or file that has connected.
 * @param {string} origin
 * @param {ConnectOptions} [options]
 */
export function connectTo(origin, options) {
  const hub = connect(origin, options);
  after(() => hub.close());
  return hub;
}

/**
 * Subscribes with a function for each option of the subscription, and notes what they get, in order.
 * @param {ReturnType<typeof connect>} hub
 * @param {string | string[]} channels
 * @param {SubscribeOptions} [options]
 */
export function follow(hub, channels, options = {}) {
  /** @type {any[]} events, and notices as [name, value] */
  const received = [];
  /** @type {import("../../build/client/index.js").Status[]} */
  const statuses = [];
  const note = (name) => (value) => received.push([name, value]);
  const subscription = hub.subscribe(channels, {
    onEvent: (event) => received.push(event),
    onGap: note("gap"),
    onDropped: note("dropped"),
    onEnd: note("end"),
    onError: note("error"),
    onStatus: (status) => statuses.push(status),
    ...options,
  });
  const events = () => received.filter((entry) => !Array.isArray(entry));
  return {
    subscription,
    received,
    statuses,
    events,
    data: () => events().map(({ data }) => data),
    notices: () => received.filter((entry) => Array.isArray(entry)),
    states: () => statuses.map(({ state }) => state),
    isOpen: () => eventually(() => subscription.status.state === "open", 20_000, "the subscription is open"),
    /** Waits until it has received `count` events. */
    has: (count, ms = 40_000) => eventually(() => events().length >= count, ms, `${count} events`),
  };
}
