// The object of a channel is aborted, as the platform does when it replaces it: streams that the Worker holds go on.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { abort, startAbortable } from "../support/abortable.mjs";
import { publishWithRetries } from "../support/publisher.mjs";
import { ReconnectingSubscriber } from "../support/reconnecting.mjs";
import { subscribeToSeveral } from "../support/several.mjs";
import { parseId, resume, subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";

const hub = await startAbortable({ HEARTBEAT_SECONDS: "1" });

/** Publishes numbered events to `channel` until `isOver`. Returns the data of all, and the id of the last one. */
async function publishUntil(channel, isOver) {
  const data = [];
  let id;
  while (!isOver()) {
    const next = `${channel.id} ${data.length}`;
    ({ id } = await publishWithRetries(channel, next));
    data.push(next);
    await sleep(5);
  }
  return { data, id };
}

describe("objects that are aborted", { concurrency: true }, () => {
  test("streams lose and repeat no event, are not cut and get no notice while their object is aborted under load", {
    timeout: 60_000,
  }, async () => {
    const ids = ["load-a", "load-b"];
    const [channel, other] = ids.map((id) => hub.channel(id));
    const streams = await Promise.all(Array.from({ length: 20 }, () => subscribe(channel)));
    const several = await Promise.all(Array.from({ length: 5 }, () => subscribeToSeveral(hub, ids)));
    let isOver = false;
    const publishing = Promise.all([channel, other].map((to) => publishUntil(to, () => isOver)));
    for (let n = 0; n < 8; n++) {
      await sleep(400);
      await abort(hub, ids[n % 4 === 3 ? 1 : 0]);
    }
    await sleep(400);
    isOver = true;
    const [a, b] = await publishing;
    await Promise.all([
      ...streams.map((stream) => stream.untilId(a.id)),
      ...several.map((stream) => stream.untilIds({ "load-a": a.id, "load-b": b.id })),
    ]);
    for (const stream of streams) {
      const { events, dropped, gap, unknown } = stream.account();
      assert.deepEqual([dropped, gap, unknown, stream.ended], [0, 0, 0, false]);
      assert.deepEqual(
        events.map(({ data }) => data),
        a.data,
      );
    }
    for (const stream of several) {
      assert.deepEqual(stream.complete(), { "load-a": a.data, "load-b": b.data });
      assert.equal(stream.ended, false);
      assert.ok(ids.every((id) => stream.part(id).errors.length === 0));
    }
    const { subscribers, feeds } = await channel.stats();
    assert.deepEqual([subscribers, feeds], [25, 25]);
  });

  test("a quiet stream goes on after its object is aborted, gets heartbeats, and then the next event", {
    timeout: 30_000,
  }, async () => {
    for (const [id, before] of /** @type {const} */ ([
      ["quiet", ["1", "2"]],
      ["never-published", []],
    ])) {
      const channel = hub.channel(id);
      const stream = await subscribe(channel);
      for (const data of before) await channel.publish(data);
      await stream.untilEvents(before.length);
      await abort(hub, id);
      const { comments } = stream;
      const count = comments.length;
      await stream.until(() => comments.length >= count + 2, "two heartbeats");
      await eventually(async () => (await channel.stats()).subscribers === 1);
      const receipt = await channel.publish("after");
      await stream.untilId(receipt.id);
      assert.deepEqual(
        stream.account().events.map(({ data }) => data),
        [...before, "after"],
      );
      assert.equal(parseId(receipt.id).epoch, parseId(stream.startId).epoch);
    }
  });

  test("a stream gets what is published before its feed is open again, and a deletion then ends it", {
    timeout: 30_000,
  }, async () => {
    const [missed, deleted] = [hub.channel("missed"), hub.channel("deleted")];
    const stream = await subscribe(missed);
    await missed.publish("1");
    await stream.untilEvents(1);
    await abort(hub, "missed");
    const receipts = await Promise.all(["2", "3", "4"].map((data) => missed.publish(data)));
    const { id } = receipts.reduce((a, b) => (parseId(a.id).seq > parseId(b.id).seq ? a : b));
    await stream.untilId(id);
    assert.equal(stream.account().events.length, 4);

    const other = await subscribe(deleted);
    await deleted.publish("1");
    await other.untilEvents(1);
    await abort(hub, "deleted");
    await deleted.delete();
    await other.untilEnded();
    assert.equal(other.events.at(-1).event, "hub.end");
  });

  test("a channel that is deleted and published to while a feed is broken reports a gap in the open stream", {
    timeout: 30_000,
  }, async () => {
    const channel = hub.channel("replaced");
    const streams = await Promise.all(Array.from({ length: 5 }, () => subscribe(channel)));
    await channel.publish("old");
    await Promise.all(streams.map((stream) => stream.untilEvents(1)));
    await abort(hub, "replaced");
    await channel.delete();
    const { id } = await channel.publish("new");
    for (const stream of streams) {
      // A feed that was open again before the deletion has delivered hub.end.
      await stream.until(() => stream.ended || stream.events.at(-1).id === id, "the end, or the new event");
      const types = stream.events.map(({ event, data }) => event ?? data);
      if (stream.ended) {
        assert.deepEqual(types, ["old", "hub.end"]);
      } else {
        assert.deepEqual(types, ["old", "hub.gap", "new"]);
        const { count, from } = JSON.parse(stream.events[1].data);
        assert.deepEqual([count, from], [null, null]);
      }
      const late = await resume(channel, stream.lastEventId);
      await late.untilId((await channel.publish("next")).id);
      assert.equal(late.events.at(-1).data, "next");
    }
  });
});

test("an abort in the middle of a large event ends only the streams that have got a part of it, and they resume", {
  timeout: 90_000,
}, async () => {
  const large = await startAbortable({
    BUFFER_BYTES: String(8 << 20),
    MAX_BATCH_BYTES: String(8 << 20),
    MAX_EVENT_BYTES: String(4 << 20),
    HISTORY_BYTES: String(128 << 20),
    MEMORY_BYTES: String(512 << 20),
    STALL_SECONDS: "0",
  });
  const channel = large.channel("large");
  const fast = await subscribe(channel);
  const slow = await ReconnectingSubscriber.start(channel, { query: "?catch_up=1", paused: true });
  // This is more than the buffers of the kernel between workerd and a client hold.
  const data = Array.from({ length: 8 }, (_, n) => `${n} `.padEnd(4_000_000, "x"));
  let id;
  for (const text of data) {
    ({ id } = await channel.publish(text));
    await fast.untilId(id);
  }
  await abort(large, "large");
  slow.stream.unpause();
  await eventually(() => slow.hasReceived(id), 20_000, "the slow client has all events");
  const last = await channel.publish("last");
  await fast.untilId(last.id);
  await eventually(() => slow.hasReceived(last.id), 20_000, "the slow client has the last event");
  assert.deepEqual([slow.streams.length, fast.ended], [2, false]);
  assert.ok(slow.streams[0].response.complete, "the stream ends completely");
  const received = slow.check(last.id);
  assert.ok(received.every((text, n) => text === [...data, "last"][n]));
  slow.stop();
});
