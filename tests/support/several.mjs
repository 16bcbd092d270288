// A subscriber to several channels with one stream. It checks each channel like the stream of that channel alone.
import { account, Subscriber } from "./subscriber.mjs";

const COMBINED_ID = /^([^/]+)\/([^;]+);([\w-]+)$/;

/** @typedef {import("./subscriber.mjs").Event} Event */
/** @typedef {import("./subscriber.mjs").SubscribeOptions} SubscribeOptions */

/**
 * Returns the parts of a combined id, `<channel>/<epoch>-<seq>;<positions>`. `id` is the event's id in a stream of its
 * channel alone.
 * @param {string} combined
 */
export function parseCombinedId(combined) {
  const [, channel, id, positions] = combined.match(COMBINED_ID) ?? [];
  if (!positions) throw new Error(`not a combined id: ${combined}`);
  return { channel, id, positions };
}

/**
 * Opens one stream of several channels, and waits until each of them has sent hub.open, hub.end or hub.error.
 * @param {{ channel: (list: string) => any }} hub
 * @param {string[]} ids
 * @param {SubscribeOptions} [options]
 */
export function subscribeToSeveral(hub, ids, options = {}) {
  return new SubscriberToSeveral(hub.channel(ids.join(",")), ids).start(options);
}

/**
 * Opens a stream of several channels with `id` in Last-Event-ID, as a client does after its connection has broken.
 * @param {{ channel: (list: string) => any }} hub
 * @param {string[]} ids
 * @param {string} id
 */
export function resumeSeveral(hub, ids, id, query = "") {
  return subscribeToSeveral(hub, ids, { query, headers: { "Last-Event-ID": id } });
}

export class SubscriberToSeveral extends Subscriber {
  /**
   * @param {any} channel the list of channels, as a channel
   * @param {string[]} ids
   */
  constructor(channel, ids) {
    super(channel);
    /** @type {Map<string, ChannelPart>} */
    this.parts = new Map(ids.map((id) => [id, new ChannelPart(id)]));
    /** The id that a client would send to resume this stream. */
    this.lastId = "";
  }

  /** @param {Event} event */
  receive(event) {
    const id = event.id === undefined ? undefined : parseCombinedId(event.id);
    const channel = id?.channel ?? JSON.parse(event.data).channel;
    const part = this.parts.get(channel);
    if (!part) throw new Error(`an event of a channel that is not in the list: ${JSON.stringify(event)}`);
    this.lastId = event.id ?? this.lastId;
    this.events.push(event);
    part.receive({ ...event, id: id?.id });
  }

  hasOpened() {
    return [...this.parts.values()].every((part) => part.hasBegun());
  }

  get lastEventId() {
    return this.lastId;
  }

  /** What the stream has delivered of the channel `id`. */
  part(id) {
    return this.parts.get(id);
  }

  /** Waits until the last event of each of these channels has the id that `ids` has for it. */
  async untilIds(ids) {
    for (const [channel, id] of Object.entries(ids)) {
      await this.until(() => this.part(channel).lastEventId === id, `id ${id} of ${channel}`);
    }
  }

  /** Checks each channel, as the stream of one channel is checked. Returns what `account` returns, by channel. */
  accounts() {
    return new Map([...this.parts].map(([id, part]) => [id, part.account()]));
  }

  /** Checks that no event of any channel is missing. Returns the data of the events, by channel. */
  complete() {
    const entries = [...this.accounts()].map(([id, { events, dropped, gap, unknown }]) => {
      if (dropped + gap + unknown > 0) throw new Error(`events of ${id} are missing: ${this.text}`);
      return [id, events.map(({ data }) => data)];
    });
    return Object.fromEntries(entries);
  }
}

/** What a stream of several channels has delivered of one of them, with the ids of that channel alone. */
class ChannelPart {
  /** @param {string} id */
  constructor(id) {
    this.channelId = id;
    /** @type {string | undefined} the id that the stream starts after in this channel */
    this.startId = undefined;
    /** @type {Event[]} events and notices except hub.open and hub.error */
    this.events = [];
    /** @type {any[]} the data of its notices hub.error */
    this.errors = [];
    /** Whether no hub.open has followed the last hub.error. */
    this.hasFailed = false;
  }

  /** @param {Event} event */
  receive(event) {
    if (event.event === "hub.error") {
      this.errors.push(JSON.parse(event.data));
      this.hasFailed = true;
    } else if (event.event === "hub.open") {
      const data = { channel: this.channelId, id: event.id };
      // A channel that goes on after a hub.error has a second hub.open, with its position.
      const isExpected = this.startId === undefined || (this.hasFailed && event.id === this.lastEventId);
      if (!isExpected || event.data !== JSON.stringify(data)) throw new Error(`wrong hub.open: ${event.data}`);
      this.startId ??= event.id;
      this.hasFailed = false;
    } else {
      // A channel of which nothing is missing when the stream begins has no hub.open if it has ended.
      if (event.event === "hub.end") this.startId ??= event.id;
      this.events.push(event);
    }
  }

  /** Whether the channel has sent its first notice. */
  hasBegun() {
    return this.startId !== undefined || this.errors.length > 0;
  }

  /** The types of its events and notices. */
  get types() {
    return this.events.map(({ event }) => event ?? "message");
  }

  get lastEventId() {
    return this.events.at(-1)?.id ?? this.startId;
  }

  account() {
    return account(this);
  }
}
