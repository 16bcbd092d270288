// With HOLD_STREAMS=worker the object of a channel sleeps while its streams are open.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { subscribeToSeveral } from "../support/several.mjs";
import { parseId, subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

/** The runtime lets an object sleep ten seconds after its last event. */
const SLEEP_MS = 12_500;

const hub = await startWorkerd(
  { HOLD_STREAMS: "worker", HEARTBEAT_SECONDS: "1", LOG_LEVEL: "info" },
  { withLog: true },
);

/** Opens streams of a channel that has one event. Returns them and the time at which the object woke. */
async function openStreams(channel, count) {
  await channel.publish("before");
  const streams = await Promise.all(Array.from({ length: count }, () => subscribe(channel)));
  const { awake_since: awakeSince, feeds, epoch } = await channel.stats();
  assert.equal(feeds, count);
  return { streams, awakeSince, epoch };
}

/** Waits until the object sleeps. Any request would wake it. */
const untilAsleep = () => sleep(SLEEP_MS);

/** Returns the stats of a channel, after a check that its object has slept. */
async function statsAfterSleep(channel, awakeSince) {
  const stats = await channel.stats();
  assert.ok(stats.awake_since > awakeSince, "the object has not slept");
  return stats;
}

describe("objects that sleep", { concurrency: true }, () => {
  test("a publish wakes an object that sleeps, and reaches all of its streams", { timeout: 60_000 }, async () => {
    const channel = hub.channel("wake");
    const { streams, awakeSince, epoch } = await openStreams(channel, 30);
    const several = await subscribeToSeveral(hub, ["wake", "wake-too"]);
    for (const round of [1, 2]) {
      await untilAsleep();
      const receipt = await channel.publish(`after sleep ${round}`);
      assert.deepEqual([receipt.subscribers, receipt.dropped], [31, 0]);
      assert.deepEqual(parseId(receipt.id), { epoch, seq: round + 1 });
      await Promise.all([
        ...streams.map((stream) => stream.untilId(receipt.id)),
        several.untilIds({ wake: receipt.id }),
      ]);
    }
    const { subscribers, feeds } = await statsAfterSleep(channel, awakeSince);
    assert.deepEqual([subscribers, feeds], [31, 31]);
    const expected = ["after sleep 1", "after sleep 2"];
    assert.deepEqual(several.complete(), { wake: expected, "wake-too": [] });
    for (const stream of streams) {
      const { events, gap, dropped } = stream.account();
      assert.deepEqual([events.map(({ data }) => data), gap, dropped], [expected, 0, 0]);
    }
  });

  test("streams get heartbeats while their object sleeps, and heartbeats do not wake it", {
    timeout: 60_000,
  }, async () => {
    const channel = hub.channel("heartbeat");
    const { streams, awakeSince } = await openStreams(channel, 3);
    const started = Date.now();
    await untilAsleep();
    for (const { comments } of streams) assert.ok(comments.length >= SLEEP_MS / 2_000, `${comments.length} heartbeats`);
    const stats = await statsAfterSleep(channel, awakeSince);
    assert.ok(stats.awake_since >= started + SLEEP_MS - 1_000, "something has woken the object before");
  });

  test("a channel that was never published to keeps its epoch while its object sleeps", {
    timeout: 60_000,
  }, async () => {
    const channel = hub.channel("never");
    const stream = await subscribe(channel);
    const { awake_since: awakeSince } = await channel.stats();
    await untilAsleep();
    const { epoch, seq } = await statsAfterSleep(channel, awakeSince);
    assert.equal(`${epoch}-${seq}`, stream.startId);
    await untilAsleep();
    const { id } = await channel.publish("first");
    assert.equal(id, `${epoch}-1`);
    await stream.untilId(id);
    assert.equal(stream.account().events.length, 1);
  });

  test("a client that leaves while the object sleeps does not count any more", { timeout: 60_000 }, async () => {
    const channel = hub.channel("leave");
    const { streams, awakeSince } = await openStreams(channel, 3);
    await untilAsleep();
    streams[0].close();
    // The runtime notices that a client has gone when it writes to it: at the next heartbeat.
    await sleep(3_000);
    await statsAfterSleep(channel, awakeSince);
    await eventually(async () => (await channel.stats()).subscribers === 2);
    await eventually(() => /^listener left: id=leave conn=[123]$/m.test(hub.log));
    assert.equal((await channel.publish("x")).subscribers, 2);
  });

  test("a channel that goes quiet while its object sleeps keeps its epoch, because a stream is open", {
    timeout: 60_000,
  }, async () => {
    const HISTORY_SECONDS = "12";
    const other = await startWorkerd({ HOLD_STREAMS: "worker", HISTORY_SECONDS, LOG_LEVEL: "error" });
    const channel = other.channel("outdated");
    const { id } = await channel.publish("old");
    const stream = await subscribe(channel);
    // The alarm that removes what is stored of a quiet channel comes up to a tenth later.
    await sleep(15_000);
    const next = await channel.publish("new");
    assert.deepEqual(parseId(next.id), { epoch: parseId(id).epoch, seq: 2 });
    await stream.untilId(next.id);
    assert.equal(stream.account().events.length, 1);
  });

  test("connection numbers go on after the object has slept", { timeout: 60_000 }, async () => {
    const channel = hub.channel("numbers");
    await openStreams(channel, 2);
    await untilAsleep();
    await subscribe(channel);
    await eventually(() => hub.log.includes("listener connected: id=numbers conn=3\n"));
    assert.equal((await channel.stats()).subscribers, 3);
  });

  test("a channel that ends or is deleted after its object has slept ends its streams", {
    timeout: 60_000,
  }, async () => {
    const [ended, deleted] = [hub.channel("ended"), hub.channel("deleted")];
    const [one, two] = [(await openStreams(ended, 1)).streams[0], (await openStreams(deleted, 1)).streams[0]];
    await untilAsleep();
    await ended.end("last");
    await deleted.delete();
    for (const stream of [one, two]) {
      await stream.untilEnded();
      assert.equal(stream.events.at(-1).event, "hub.end");
      stream.account();
    }
    assert.deepEqual(one.events[0].data, "last");
  });

  test("a slow stream with catch_up=1 still catches up after its object has slept", { timeout: 90_000 }, async () => {
    const other = await startWorkerd({
      HOLD_STREAMS: "worker",
      HISTORY_BYTES: String(64 << 20),
      STALL_SECONDS: "0",
      LOG_LEVEL: "error",
    });
    const channel = other.channel("catch-up");
    await channel.publish("before");
    const stream = await subscribe(channel, { query: "?catch_up=1", paused: true });
    const dropping = await subscribe(channel, { paused: true });
    const { awake_since: awakeSince } = await channel.stats();
    await untilAsleep();
    await statsAfterSleep(channel, awakeSince);
    // This is more than the buffers of the kernel between workerd and a client hold.
    const batch = Array.from({ length: 15 }, (_, n) => `${n} `.padEnd(50_000, "x"));
    let id;
    for (let n = 0; n < 40; n++) ({ id } = await channel.publishBatch(batch));
    for (const paused of [stream, dropping]) paused.unpause();
    await Promise.all([stream, dropping].map((slow) => slow.untilId(id)));
    const { events, dropped, gap } = stream.account();
    assert.deepEqual([events.length, dropped, gap], [600, 0, 0]);
    assert.ok(dropping.account().dropped > 0, "a stream without catch_up=1 drops events");
  });
});

test("the object holds the streams of a channel without a history, whatever HOLD_STREAMS says", async () => {
  const other = await startWorkerd({ HOLD_STREAMS: "worker", HISTORY_EVENTS: "0", LOG_LEVEL: "error" });
  const channel = other.channel("foo");
  const stream = await subscribe(channel);
  const { subscribers, feeds } = await channel.stats();
  assert.deepEqual([subscribers, feeds], [1, 0]);
  await stream.untilId((await channel.publish("x")).id);
});
