// A reader of a stream, close to the socket: it can stall, and leave with or without saying goodbye.
import { once } from "node:events";
import http from "node:http";
import { after } from "node:test";
import { createParser } from "eventsource-parser";

const TIMEOUT_MS = 20_000;
const listeners = new Set();

after(() => {
  for (const listener of listeners) listener.leave();
});

/** Opens a stream and waits until its first block is there. */
export async function listen(channel, { headers = {}, paused = false } = {}) {
  const listener = new Listener(channel);
  await listener.open(headers);
  if (paused) listener.stall();
  return listener;
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

  async open(headers) {
    listeners.add(this);
    this.request = http.get(this.channel.url, { agent: false, headers });
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
    const [, epoch, joinedAfter] = this.text.match(/^id: (\d+)-(\d+)$/m) ?? [];
    this.epoch = epoch;
    this.joinedAfter = Number(joinedAfter);
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
    this.joinedAfter = this.account().last;
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
   * Checks what a subscriber may rely on: ids of events and ranges of notices, read together, are contiguous, in one
   * epoch. Returns the events without the notices, and how many events the notices speak of.
   */
  account() {
    let last = this.joinedAfter;
    let dropped = 0;
    const events = [];
    const seq = (id) => {
      const [epoch, seq] = id.split("-");
      if (epoch !== this.epoch) throw new Error(`the epoch ${this.epoch} became ${epoch}`);
      return Number(seq);
    };
    for (const event of this.events) {
      if (event.event === "hub.dropped") {
        const { count, from, to } = JSON.parse(event.data);
        if (seq(from) !== last + 1 || count !== seq(to) - last || event.id !== to) {
          throw new Error(`after ${last} came the notice ${event.data} with id ${event.id}`);
        }
        dropped += count;
        last = seq(to);
      } else {
        if (seq(event.id) !== last + 1) throw new Error(`after ${last} came ${event.id}`);
        last = seq(event.id);
        events.push(event);
      }
    }
    return { events, dropped, last };
  }
}
