// A subscriber that reads a stream close to its socket: a test can pause it, and choose how its connection ends.
import { once } from "node:events";
import http from "node:http";
import { after } from "node:test";
import { createParser } from "eventsource-parser";
import { heldByWorker } from "./hub.mjs";

const TIMEOUT_MS = 25_000;
/** The characters of an epoch: Crockford's base32. */
export const EPOCH = "[0-9A-HJKMNP-TV-Z]{13}";
/** Notices after which a stream ends. */
const FINAL_NOTICES = ["hub.end", "hub.expired"];
/** @type {Set<Subscriber>} */
const subscribers = new Set();

after(() => {
  for (const subscriber of subscribers) subscriber.close();
});

/**
 * @typedef {object} SubscribeOptions
 * @property {Record<string, string>} [headers]
 * @property {string} [query] the query of the URL, with its question mark
 * @property {boolean} [paused] whether the subscriber stops reading after the first block
 */

/**
 * Opens a stream and waits for the event hub.open.
 * @param {{ url: string }} channel
 * @param {SubscribeOptions} [options]
 */
export function subscribe(channel, options = {}) {
  return new Subscriber(channel).start(options);
}

/**
 * Opens a stream with `id` in Last-Event-ID, as a client does after its connection has broken.
 * @param {{ url: string }} channel
 * @param {string} id
 * @param {SubscribeOptions} [options]
 */
export function resume(channel, id, options = {}) {
  return subscribe(channel, { ...options, headers: { "Last-Event-ID": id } });
}

/**
 * Returns the stream that goes on after the object of a stream was reset: the same one if the Worker holds it, or one
 * that resumes where the stream has ended.
 * @param {Subscriber} stream
 */
export async function afterReset(stream) {
  if (heldByWorker) return stream;
  await stream.untilEnded();
  return resume(stream.channel, stream.lastEventId);
}

/**
 * Returns the parts of an event's id.
 * @param {string} id
 */
export function parseId(id) {
  const [epoch, seq] = id.split("-");
  return { epoch, seq: Number(seq) };
}

/** @typedef {import("eventsource-parser").EventSourceMessage} Event */

export class Subscriber {
  /** @param {any} channel */
  constructor(channel) {
    this.channel = channel;
    /** Everything that was received, as text, and its length in bytes. */
    this.text = "";
    this.bytes = 0;
    /** @type {Event[]} events and notices except hub.open, as the npm package eventsource-parser reads them */
    this.events = [];
    /** @type {Event | undefined} the event hub.open */
    this.opened = undefined;
    /** @type {string[]} */
    this.comments = [];
    this.ended = false;
    this.waiting = new Set();
  }

  /**
   * Opens the stream.
   * @param {SubscribeOptions} options
   * @returns {Promise<this>}
   */
  async start({ headers = {}, query = "", paused = false }) {
    await this.open(headers, query);
    if (paused) this.pause();
    return this;
  }

  /**
   * @param {Record<string, string>} headers
   * @param {string} query
   */
  async open(headers, query) {
    subscribers.add(this);
    this.request = http.get(this.channel.url + query, { agent: false, headers });
    // An error ends the stream. A test sees it in `ended`.
    this.request.on("error", () => this.end());
    const [response] = await once(this.request, "response");
    this.response = response;
    this.status = response.statusCode;
    this.headers = response.headers;
    const decoder = new TextDecoder();
    const parser = createParser({
      onEvent: (event) => this.receive(event),
      onComment: (comment) => this.comments.push(comment),
      onRetry: (retry) => {
        this.retry = retry;
      },
    });
    response.on("data", (chunk) => {
      this.bytes += chunk.length;
      const text = decoder.decode(chunk, { stream: true });
      this.text += text;
      parser.feed(text);
      this.checkConditions();
    });
    response.on("end", () => this.end());
    response.on("error", () => this.end());
    await this.until(() => this.hasOpened() || this.ended, "hub.open");
  }

  /** Whether it has received all that a stream begins with. */
  hasOpened() {
    return this.opened || this.events.at(-1)?.event === "hub.error";
  }

  receive(event) {
    if (event.event !== "hub.open") {
      this.events.push(event);
      return;
    }
    // A notice of a gap of unknown size comes before hub.open.
    const first = JSON.parse(this.events[0]?.data ?? "null");
    const isAfterUnknown = this.events.length === 1 && first.from === null && first.to === event.id;
    const data = { channel: this.channelId, id: event.id };
    if (this.opened || event.data !== JSON.stringify(data) || (this.events.length > 0 && !isAfterUnknown)) {
      throw new Error(`wrong hub.open: ${this.text}`);
    }
    this.opened = event;
    /** The id that the stream starts after. */
    this.startId = event.id;
  }

  get channelId() {
    return decodeURIComponent(new URL(this.channel.url).pathname.split("/")[2]);
  }

  /** The id that a client would send to resume this stream. */
  get lastEventId() {
    return this.events.at(-1)?.id ?? this.startId;
  }

  end() {
    this.ended = true;
    this.checkConditions();
  }

  checkConditions() {
    for (const check of this.waiting) check();
  }

  /**
   * Waits for `condition`, which it checks whenever data arrives.
   * @param {() => unknown} condition
   * @param {string} [description] the condition in words, for the error
   */
  async until(condition, description = condition.toString()) {
    if (condition()) return;
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(check);
        const state = `${this.events.length} events, ended=${this.ended}, last: ${this.text.slice(-300)}`;
        reject(new Error(`timed out waiting for ${description}: ${state}`));
      }, TIMEOUT_MS);
      const check = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.waiting.delete(check);
        resolve(undefined);
      };
      this.waiting.add(check);
    });
  }

  /** Waits until it has received `count` events. Notices count as events. */
  async untilEvents(count) {
    await this.until(() => this.events.length >= count, `${count} events`);
    return this.events;
  }

  /** Waits until the last event or notice that it has received has this id. */
  untilId(id) {
    return this.until(() => this.events.at(-1)?.id === id, `id ${id}`);
  }

  /** Waits for the end of the stream. */
  untilEnded() {
    return this.until(() => this.ended, "the end of the stream");
  }

  /** Discards everything that it has received, after a check that no event is missing. */
  clear() {
    this.account();
    this.startId = this.lastEventId;
    this.events.length = 0;
    this.text = "";
  }

  /** Stops reading. Soon the buffers of the kernel are full, and then those of the hub. */
  pause() {
    this.response.pause();
  }

  /** Reads again. */
  unpause() {
    this.response.resume();
  }

  /** Closes the connection. The kernel sends FIN, or RST if there is data that was not read. */
  close() {
    subscribers.delete(this);
    this.request.destroy();
  }

  /** Closes the connection with RST. */
  reset() {
    subscribers.delete(this);
    this.request.socket.resetAndDestroy();
  }

  /** Checks what a subscriber may rely on, as the function `account` does. */
  account() {
    return account(this);
  }
}

/**
 * Checks what a subscriber may rely on: the ids of events and the ranges of notices are contiguous within an epoch.
 * Returns the events without the notices, how many events the notices of each kind report as missing, how many notices
 * report a gap of unknown size, and the last seq.
 * @param {{ channelId: string, startId?: string, events: Event[] }} stream the id of its channel, the id that it starts
 *   after, and its events and notices
 */
export function account({ channelId, startId, events: all }) {
  let { epoch, seq: last } = startId ? parseId(startId) : { epoch: undefined, seq: undefined };
  const missing = { dropped: 0, gap: 0, unknown: 0 };
  const events = [];
  for (const [i, event] of all.entries()) {
    const wrong = () => new Error(`after ${epoch}-${last} came ${JSON.stringify(event).slice(0, 200)}`);
    const { epoch: eventEpoch, seq } = parseId(event.id);
    const notice = event.event?.match(/^hub\.(dropped|gap|end|expired)$/)?.[1];
    const isFinal = FINAL_NOTICES.includes(event.event);
    const ownRange = { channel: channelId, count: 1, from: event.id, to: event.id, id: event.id };
    const { channel, count, from, to, id } = notice ? JSON.parse(event.data) : ownRange;
    if ((isFinal ? id : to) !== event.id || channel !== channelId) throw wrong();
    if (isFinal && i + 1 < all.length) throw wrong();
    if (notice === "gap" && count === null && from === null) {
      // The epoch never changes within a stream, so this notice comes first.
      if (i > 0 || event.id !== startId) throw wrong();
      missing.unknown++;
    } else if (isFinal) {
      // The deletion of a channel begins another epoch.
      const wasDeleted = event.event === "hub.end" && seq === 0 && eventEpoch > epoch;
      if (id !== `${epoch}-${last}` && !wasDeleted) throw wrong();
      continue;
    } else {
      if (eventEpoch !== epoch || from !== `${epoch}-${last + 1}` || count < 1 || last + count !== seq) throw wrong();
      if (notice) missing[notice] += count;
      else events.push(event);
    }
    epoch = eventEpoch;
    last = seq;
  }
  return { events, ...missing, last };
}
