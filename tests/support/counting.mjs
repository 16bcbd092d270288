// Streams that only count, so that one process can read hundreds of them at a high rate.
import { once } from "node:events";
import http from "node:http";
import { after } from "node:test";

const ID = /^id: \w+-(\d+)$/gm;
const NOTICE = /^event: (hub\.\w+)$/gm;

/** A stream of one channel. It checks that the seqs are contiguous, and measures how long nothing arrives. */
export class CountingStream {
  /** The last seq; -1 before hub.open. */
  seq = -1;
  /** How many events were missing, and how many came twice. */
  lost = 0;
  doubled = 0;
  /** @type {string[]} the types of notices other than hub.open */
  notices = [];
  isCut = false;
  #rest = "";
  #arrivedAt = 0;
  #longest = 0;

  /**
   * Opens a stream, and waits for hub.open.
   * @param {{ url: string }} channel
   */
  static async open(channel) {
    const stream = new CountingStream();
    const request = http.get(channel.url, { agent: false });
    let isOver = false;
    after(() => {
      isOver = true;
      request.destroy();
    });
    const end = () => {
      stream.isCut ||= !isOver;
    };
    request.on("error", end);
    const [response] = await once(request, "response");
    response.setEncoding("latin1");
    const opened = new Promise((resolve) => {
      response.on("data", (text) => {
        stream.#receive(text);
        if (stream.seq >= 0) resolve(undefined);
      });
    });
    response.on("end", end).on("error", end);
    await opened;
    return stream;
  }

  /** @param {string} text */
  #receive(text) {
    const all = this.#rest + text;
    const end = all.lastIndexOf("\n") + 1;
    this.#rest = all.slice(end);
    const lines = all.slice(0, end);
    if (lines.includes("\nevent: hub.") || lines.startsWith("event: hub.")) {
      for (const [, type] of lines.matchAll(NOTICE)) if (type !== "hub.open") this.notices.push(type);
    }
    for (const [, digits] of lines.matchAll(ID)) this.#count(Number(digits));
  }

  /** @param {number} seq */
  #count(seq) {
    const now = performance.now();
    if (this.seq >= 0) {
      if (seq <= this.seq) this.doubled++;
      else this.lost += seq - this.seq - 1;
      this.#longest = Math.max(this.#longest, now - this.#arrivedAt);
    }
    this.seq = Math.max(this.seq, seq);
    this.#arrivedAt = now;
  }

  /** Returns the longest time between two events since the last call, in milliseconds. */
  longestPause() {
    const longest = this.#longest;
    this.#longest = 0;
    return longest;
  }
}
