// A reader of a stream, close to the socket: it can stall, and leave with or without saying goodbye.
import { once } from "node:events";
import http from "node:http";
import { after } from "node:test";
import { createParser } from "eventsource-parser";

const TIMEOUT_MS = 20_000;
/** Notices after which a stream ends: the channel has, or the stream's token has expired. */
const LAST = ["hub.end", "hub.expired"];
const listeners = new Set();

after(() => {
  for (const listener of listeners) listener.leave();
});

/** Opens a stream and waits until its first block is there. */
export async function listen(channel, { headers = {}, query = "", paused = false } = {}) {
  const listener = new Listener(channel);
  await listener.open(headers, query);
  if (paused) listener.stall();
  return listener;
}

/** Opens a stream as a client that was cut off after `id`. */
export function resume(channel, id, options = {}) {
  return listen(channel, { ...options, headers: { "Last-Event-ID": id } });
}

/** An id's parts. */
export function parseId(id) {
  const [epoch, seq] = id.split("-");
  return { epoch, seq: Number(seq) };
}

class Listener {
  constructor(channel) {
    this.channel = channel;
    /** All that came, as text and in bytes. */
    this.text = "";
    this.bytes = 0;
    /** Events and notices: { id, event, data }, as a parser written by others reads them. */
    this.events = [];
    this.comments = [];
    this.ended = false;
    this.waiting = new Set();
  }

  async open(headers, query) {
    listeners.add(this);
    this.request = http.get(this.channel.url + query, { agent: false, headers });
    // Its end is the test's doing, or seen in `ended`.
    this.request.on("error", () => this.end());
    const [response] = await once(this.request, "response");
    this.response = response;
    this.status = response.statusCode;
    this.headers = response.headers;
    const decoder = new TextDecoder();
    const parser = createParser({
      onEvent: (event) => this.events.push(event),
      onComment: (comment) => this.comments.push(comment),
      onRetry: (retry) => (this.retry = retry),
    });
    response.on("data", (chunk) => {
      this.bytes += chunk.length;
      const text = decoder.decode(chunk, { stream: true });
      this.text += text;
      parser.feed(text);
      this.look();
    });
    response.on("end", () => this.end());
    response.on("error", () => this.end());
    await this.until(() => this.text.includes("\n\n") || this.ended, "the first block");
    const [opening] = this.text.split("\n\n");
    const [, id] = opening.match(/^id: (.+)$/m) ?? [];
    /** Where the stream starts; undefined where the hub does not know the id to resume from. */
    this.joinedAfter = id;
  }

  /** What the client would resume from. */
  get lastEventId() {
    return this.events.at(-1)?.id ?? this.joinedAfter;
  }

  end() {
    this.ended = true;
    this.look();
  }

  look() {
    for (const wake of this.waiting) wake();
  }

  /** Waits for `condition`, looked at whenever something comes. */
  async until(condition, what = condition.toString()) {
    if (condition()) return;
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(wake);
        const seen = `${this.events.length} events, ended=${this.ended}, last: ${this.text.slice(-300)}`;
        reject(new Error(`waited in vain for ${what}: ${seen}`));
      }, TIMEOUT_MS);
      const wake = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.waiting.delete(wake);
        resolve();
      };
      this.waiting.add(wake);
    });
  }

  /** Waits until it has `count` events, notices included. */
  async untilEvents(count) {
    await this.until(() => this.events.length >= count, `${count} events`);
    return this.events;
  }

  /** Waits until an event or a notice has brought it to `id`. */
  untilId(id) {
    return this.until(() => this.events.at(-1)?.id === id, `id ${id}`);
  }

  /** Forgets all that came until now. */
  forget() {
    // Throws where something is missing.
    this.account();
    this.joinedAfter = this.lastEventId;
    this.events.length = 0;
    this.text = "";
  }

  /** Stops reading: soon the kernel's buffers are full, and then the hub's. */
  stall() {
    this.response.pause();
  }

  resume() {
    this.response.resume();
  }

  /** Closes the connection: the kernel sends FIN (or RST where unread bytes are left). */
  leave() {
    listeners.delete(this);
    this.request.destroy();
  }

  /** Breaks the connection off: the kernel sends RST. */
  reset() {
    listeners.delete(this);
    this.request.socket.resetAndDestroy();
  }

  /**
   * Checks what a subscriber may rely on: ids of events and ranges of notices, read together, are contiguous within an
   * epoch. Returns the events without the notices, how many events the notices of each kind speak of, how many notices
   * say that nobody knows what is missing, and the seq that it all ends with.
   */
  account() {
    let { epoch, seq: last } = this.joinedAfter ? parseId(this.joinedAfter) : {};
    const told = { dropped: 0, gap: 0, unknown: 0 };
    const events = [];
    for (const [i, event] of this.events.entries()) {
      const wrong = () => new Error(`after ${epoch}-${last} came ${JSON.stringify(event).slice(0, 200)}`);
      const { epoch: eventEpoch, seq } = parseId(event.id);
      const notice = event.event?.match(/^hub\.(dropped|gap|end|expired)$/)?.[1];
      const isLast = LAST.includes(event.event);
      const { count, from, to, id } = notice ? JSON.parse(event.data) : { count: 1, from: event.id, to: event.id };
      if ((isLast ? id : to) !== event.id) throw wrong();
      if (isLast && i + 1 < this.events.length) throw wrong();
      if (notice === "gap" && count === null && from === null) {
        // Told at once, to who came from nowhere: no epoch changes in the middle of a stream.
        if (i > 0 || this.joinedAfter) throw wrong();
        told.unknown++;
      } else if (isLast) {
        if (id !== `${epoch}-${last}`) throw wrong();
      } else {
        if (eventEpoch !== epoch || from !== `${epoch}-${last + 1}` || count < 1 || last + count !== seq) throw wrong();
        if (notice) told[notice] += count;
        else events.push(event);
      }
      epoch = eventEpoch;
      last = seq;
    }
    return { events, ...told, last };
  }
}
