// The object of a channel is aborted, as the platform does when it replaces it: streams that the Worker holds go on.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { abort, startAbortable } from "../support/abortable.mjs";
import { publishWithRetries } from "../support/publisher.mjs";
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
  test("streams lose and repeat no event, stay open and get no notice while their object is aborted under load", {
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
    const channel = hub.channel("quiet");
    const stream = await subscribe(channel);
    for (const data of ["1", "2"]) await channel.publish(data);
    await stream.untilEvents(2);
    await abort(hub, "quiet");
    const { comments } = stream;
    const count = comments.length;
    await stream.until(() => comments.length >= count + 2, "two heartbeats");
    await eventually(async () => (await channel.stats()).subscribers === 1);
    await stream.untilId((await channel.publish("after")).id);
    assert.deepEqual(
      stream.account().events.map(({ data }) => data),
      ["1", "2", "after"],
    );
  });

  test("a stream of a channel without events gets the first ones after its object is aborted", {
    timeout: 30_000,
  }, async () => {
    const channel = hub.channel("unpublished");
    const stream = await subscribe(channel);
    await abort(hub, "unpublished");
    await channel.publish("1");
    const { id } = await channel.publish("2");
    await stream.untilId(id);
    // Such a channel has nothing stored, so the new object may have another epoch. The stream has all events of that
    // epoch, so it gets no notice.
    assert.deepEqual(
      stream.events.map(({ event, data, id }) => [event, data, parseId(id).seq]),
      [
        [undefined, "1", 1],
        [undefined, "2", 2],
      ],
    );
    const late = await resume(channel, stream.startId);
    await late.untilId(id);
    assert.equal(late.account().events.length, 2);
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
      // A feed that was open again before "new" has delivered that the channel was deleted.
      await stream.until(() => stream.ended || stream.events.at(-1).id === id, "the end, or the new event");
      const types = stream.events.map(({ event, data }) => event ?? data);
      const gap = stream.events.find(({ event }) => event === "hub.gap");
      assert.deepEqual(types, ["old", ...(gap ? ["hub.gap"] : []), stream.ended ? "hub.end" : "new"]);
      assert.ok(gap || stream.ended);
      const { count, from } = JSON.parse(gap?.data ?? '{"count":null,"from":null}');
      assert.deepEqual([count, from], [null, null]);
    }
    for (const stream of streams.filter(({ ended }) => ended)) {
      const late = await resume(channel, stream.lastEventId);
      await late.untilId(id);
      assert.equal(late.events.at(-1).data, "new");
    }
  });
});
