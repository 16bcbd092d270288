// A subscriber that reconnects when its stream ends and resumes, as a browser's EventSource does.
import assert from "node:assert/strict";
import { parseId, resume, subscribe } from "./subscriber.mjs";
import { sleep } from "./wait.mjs";

const RETRY_MS = 50;

export class ReconnectingSubscriber {
  /** @type {Awaited<ReturnType<typeof subscribe>>[]} */
  streams = [];
  stopped = false;

  /**
   * Subscribes to the events that are published from now on.
   * @param {{ url: string }} channel
   * @param {import("./subscriber.mjs").SubscribeOptions} [options] only the first stream is paused
   */
  static async start(channel, { query, paused } = {}) {
    const subscriber = new ReconnectingSubscriber();
    subscriber.streams = [await subscribe(channel, { query, paused })];
    subscriber.#follow(channel, query);
    return subscriber;
  }

  get stream() {
    return this.streams.at(-1);
  }

  async #follow(channel, query) {
    for (;;) {
      await this.#ended(this.stream);
      if (this.stopped) return;
      const id = this.stream.lastEventId;
      // The hub may be down, or starting.
      const next = await resume(channel, id, { query }).catch(() => undefined);
      if (next?.status === 200) this.streams.push(next);
      else await sleep(RETRY_MS);
    }
  }

  /** Waits without a timeout: a stream may stay open for the whole test. */
  async #ended(stream) {
    while (!stream.ended) await sleep(10);
  }

  /** Whether it has received the event with this id. */
  hasReceived(id) {
    return this.stream.lastEventId === id;
  }

  /** Checks that it has received every event up to `lastId` once and in order. Returns their data. */
  check(lastId) {
    let next = parseId(this.streams[0].startId).seq + 1;
    const data = [];
    for (const stream of this.streams) {
      const { events, gap, dropped, unknown } = stream.account();
      assert.deepEqual([gap, dropped, unknown], [0, 0, 0]);
      for (const event of events) {
        assert.equal(parseId(event.id).seq, next++);
        data.push(event.data);
      }
    }
    assert.equal(next - 1, parseId(lastId).seq);
    return data;
  }

  stop() {
    this.stopped = true;
    this.stream.close();
  }
}
