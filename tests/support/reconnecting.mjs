// Subscribers that reconnect when their stream ends and resume, as a browser's EventSource does.
import assert from "node:assert/strict";
import { subscribeToSeveral } from "./several.mjs";
import { parseId, subscribe } from "./subscriber.mjs";
import { sleep } from "./wait.mjs";

const RETRY_MS = 50;

/** @typedef {import("./subscriber.mjs").SubscribeOptions} SubscribeOptions */
/** @typedef {ReturnType<typeof import("./subscriber.mjs").account>} Account */

/**
 * What follows a stream that ends.
 * @template {import("./subscriber.mjs").Subscriber} Stream
 */
class Reconnecting {
  /** @type {Stream[]} */
  streams = [];
  stopped = false;
  /** The last id that a stream has received. */
  #lastId = "";

  /** @param {(options: SubscribeOptions) => Promise<Stream>} open */
  constructor(open) {
    this.open = open;
  }

  /** @param {SubscribeOptions} options those of the first stream */
  async begin(options) {
    this.streams = [await this.open(options)];
    this.#follow();
    return this;
  }

  get stream() {
    return this.streams.at(-1);
  }

  async #follow() {
    for (;;) {
      await this.#ended(this.stream);
      if (this.stopped) return;
      // A stream that only reports an error has no id.
      this.#lastId = this.stream.lastEventId || this.#lastId;
      // The hub may be down, or starting.
      const next = await this.open({ headers: { "Last-Event-ID": this.#lastId } }).catch(() => undefined);
      if (next?.status === 200) this.streams.push(next);
      else await sleep(RETRY_MS);
    }
  }

  /** Waits without a timeout: a stream may stay open for the whole test. */
  async #ended(stream) {
    while (!stream.ended) await sleep(10);
  }

  stop() {
    this.stopped = true;
    this.stream.close();
  }
}

/**
 * Checks that the parts of a channel that several streams have delivered, one after the other, have every event up to
 * `lastId` once and in order, and no notice of missing events. Returns the data of the events.
 * @param {{ startId?: string, account: () => Account }[]} parts
 * @param {string} lastId
 */
function joined(parts, lastId) {
  let next = parseId(parts[0].startId).seq + 1;
  const data = [];
  for (const part of parts) {
    const { events, gap, dropped, unknown } = part.account();
    assert.deepEqual([gap, dropped, unknown], [0, 0, 0]);
    for (const event of events) {
      assert.equal(parseId(event.id).seq, next++);
      data.push(event.data);
    }
  }
  assert.equal(next - 1, parseId(lastId).seq);
  return data;
}

/** @extends {Reconnecting<import("./subscriber.mjs").Subscriber>} */
export class ReconnectingSubscriber extends Reconnecting {
  /**
   * Subscribes to the events that are published from now on.
   * @param {{ url: string }} channel
   * @param {{ query?: string, paused?: boolean }} [options] only the first stream is paused
   */
  static async start(channel, { query, paused } = {}) {
    const subscriber = new ReconnectingSubscriber((options) => subscribe(channel, { query, ...options }));
    await subscriber.begin({ paused });
    return subscriber;
  }

  /** Whether it has received the event with this id. */
  hasReceived(id) {
    return this.stream.lastEventId === id;
  }

  /** Checks that it has received every event up to `lastId` once and in order. Returns their data. */
  check(lastId) {
    return joined(this.streams, lastId);
  }
}

/** @extends {Reconnecting<import("./several.mjs").SubscriberToSeveral>} */
export class ReconnectingToSeveral extends Reconnecting {
  /**
   * Subscribes to the events of several channels that are published from now on.
   * @param {{ channel: (list: string) => any }} hub
   * @param {string[]} ids
   * @param {{ query?: string, paused?: boolean }} [options] only the first stream is paused
   */
  static async start(hub, ids, { query, paused } = {}) {
    const subscriber = new ReconnectingToSeveral((options) => subscribeToSeveral(hub, ids, { query, ...options }));
    await subscriber.begin({ paused });
    return subscriber;
  }

  /**
   * Whether it has received the events with these ids, by channel.
   * @param {Record<string, string>} ids
   */
  hasReceived(ids) {
    return Object.entries(ids).every(([channel, id]) => this.stream.part(channel).lastEventId === id);
  }

  /**
   * Checks that it has received every event up to these ids once and in order, in each channel. Returns their data.
   * @param {Record<string, string>} lastIds
   */
  check(lastIds) {
    const entries = Object.entries(lastIds).map(([channel, lastId]) => {
      const parts = this.streams.map((stream) => stream.part(channel));
      return [channel, joined(parts, lastId)];
    });
    return Object.fromEntries(entries);
  }
}
