// Streams that back up: their buffers are bounded, notices report what was dropped, and other streams are not affected.
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ BUFFER_EVENTS: "64", MAX_BATCH_EVENTS: "64" }, { withLog: true });
// The buffers of the kernel between workerd and a client hold up to about 14 MB. A flood has more.
const EVENT_BYTES = 50_000;
const FLOOD_EVENTS = 450;
const BATCH_EVENTS = 15;

/** Publishes until the buffers of the kernel and of the hub are full, and more. Returns the number of drops. */
async function flood(channel) {
  let dropped = 0;
  for (let i = 0; i < FLOOD_EVENTS; i += BATCH_EVENTS) {
    const batch = Array.from({ length: BATCH_EVENTS }, (_, n) => `${i + n} `.padEnd(EVENT_BYTES, "x"));
    dropped += (await channel.publishBatch(batch)).dropped;
  }
  return dropped;
}

test("a stalled stream gets notices of exactly the dropped events and the newest events, and others get all", {
  timeout: 120_000,
}, async () => {
  const channel = hub.channel("stalled");
  const healthy = await subscribe(channel);
  const stalled = await subscribe(channel, { paused: true });
  const dropped = await flood(channel);
  assert.ok(dropped > 0);

  await healthy.untilEvents(FLOOD_EVENTS);
  const all = healthy.account();
  assert.equal(all.dropped, 0, "the other stream gets every event");
  assert.equal(all.events.length, FLOOD_EVENTS);
  const stats = await channel.stats();
  assert.deepEqual([stats.busy, stats.dropped, stats.subscribers], [1, dropped, 2]);

  stalled.unpause();
  await stalled.untilId(healthy.events.at(-1).id);
  const account = stalled.account();
  assert.equal(account.dropped, dropped, "notices and receipts count the same events");
  assert.equal(account.events.length + account.dropped, FLOOD_EVENTS);
  const notice = stalled.events.findLastIndex((event) => event.event === "hub.dropped");
  const after = stalled.events.slice(notice + 1);
  // BUFFER_BYTES of 1 MiB holds 20 of these events. The 64 events of BUFFER_EVENTS would have 3 MiB.
  assert.ok(after.length <= 20, `${after.length} events were in the buffer`);
  assert.deepEqual(after, healthy.events.slice(-after.length));

  await eventually(async () => (await channel.stats()).busy === 0);
  const lines = () => hub.log.split("\n").filter((line) => /^channel .*id=stalled/.test(line));
  await eventually(() => lines().length === 2);
  assert.deepEqual(lines(), [
    "channel busy: id=stalled conn=2",
    `channel caught up: id=stalled conn=2 dropped=${dropped}`,
  ]);
  const { id } = await channel.publish("after the flood");
  await Promise.all([healthy.untilId(id), stalled.untilId(id)]);
  assert.equal(stalled.account().dropped, dropped);
});

test("BUFFER_EVENTS bounds the events that wait for a stalled stream", { timeout: 120_000 }, async () => {
  const narrow = await startWorkerd({ BUFFER_EVENTS: "15", MAX_BATCH_EVENTS: "15", LOG_LEVEL: "error" });
  const channel = narrow.channel("narrow");
  const stalled = await subscribe(channel, { paused: true });
  const dropped = await flood(channel);
  stalled.unpause();
  await stalled.until(() => stalled.events.length && stalled.account().last === FLOOD_EVENTS);
  assert.equal(stalled.account().dropped, dropped);
  const notice = stalled.events.findLastIndex((event) => event.event === "hub.dropped");
  const after = stalled.events.length - 1 - notice;
  assert.ok(notice >= 0 && after <= 15, `${after} events were in the buffer`);
});

test("notices and stats count the same drops of a stream that stalls twice", { timeout: 120_000 }, async () => {
  const channel = hub.channel("on-and-off");
  const subscriber = await subscribe(channel);
  let dropped = 0;
  for (let round = 0; round < 2; round++) {
    subscriber.pause();
    dropped += await flood(channel);
    subscriber.unpause();
    await subscriber.until(() => subscriber.events.length > 0 && subscriber.account().last > round * FLOOD_EVENTS);
  }
  const { id } = await channel.publish("end");
  await subscriber.untilId(id);
  // The stats also count the events that were dropped while the stream caught up.
  assert.equal(subscriber.account().dropped, (await channel.stats()).dropped);
  assert.ok(dropped > 0);
});

test("receipts and stats count the drops of a stream that leaves without a notice", { timeout: 120_000 }, async () => {
  const channel = hub.channel("left");
  const stalled = await subscribe(channel, { paused: true });
  const dropped = await flood(channel);
  stalled.close();
  await eventually(async () => (await channel.stats()).subscribers === 0);
  const stats = await channel.stats();
  assert.deepEqual([stats.dropped, stats.busy], [dropped, 0]);
});
