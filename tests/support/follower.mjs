// A client that listens for ever, as a browser's EventSource does: it comes back when its stream ends, and resumes.
import assert from "node:assert/strict";
import { listen, parseId, resume } from "./listener.mjs";
import { sleep } from "./wait.mjs";

const RETRY_MS = 50;

export class Follower {
  /** Starts at the events that come from now on. */
  static async start(channel) {
    const follower = new Follower();
    follower.streams = [await listen(channel)];
    follower.done = follower.#follow(channel);
    return follower;
  }

  get stream() {
    return this.streams.at(-1);
  }

  async #follow(channel) {
    for (;;) {
      await this.#ended(this.stream);
      if (this.stopped) return;
      const id = this.stream.lastEventId;
      // The hub may be gone for the moment, or just be starting.
      const next = await resume(channel, id).catch(() => undefined);
      if (next?.status === 200) this.streams.push(next);
      else await sleep(RETRY_MS);
    }
  }

  /** A stream may be open for as long as the test goes on. */
  async #ended(stream) {
    while (!stream.ended) await sleep(10);
  }

  /** Whether it has read the event with this id. */
  hasRead(id) {
    return this.stream.lastEventId === id;
  }

  /** Checks that it has read every event up to `lastId` once and in order. Returns their data. */
  check(lastId) {
    let next = parseId(this.streams[0].joinedAfter).seq + 1;
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
    this.stream.leave();
  }
}
