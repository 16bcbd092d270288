// Rules 3 and 5: a stream that backs up is bounded, is told what it dropped, and is nobody else's trouble.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startHub } from "../support/hub.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";

const hub = await startHub({ BUFFER_EVENTS: "64", MAX_BATCH_EVENTS: "64" });
// The kernel's buffers between workerd and a reader hold up to about 14 MB; this is well beyond.
const EVENT_BYTES = 50_000;
const FLOOD_EVENTS = 600;
const BATCH_EVENTS = 10;

/** Publishes until the kernel's buffers and the hub's are full, and then some. Returns the sum of drops. */
async function flood(channel) {
  let dropped = 0;
  for (let i = 0; i < FLOOD_EVENTS; i += BATCH_EVENTS) {
    const batch = Array.from({ length: BATCH_EVENTS }, (_, n) => `${i + n} `.padEnd(EVENT_BYTES, "x"));
    dropped += (await channel.publishBatch(batch)).dropped;
  }
  return dropped;
}

test("a stalled reader drops, is told exactly what, and finds the newest events", { timeout: 120_000 }, async () => {
  const channel = hub.channel("stalled");
  const healthy = await subscribe(channel);
  const stalled = await subscribe(channel, { paused: true });
  const dropped = await flood(channel);
  assert.ok(dropped > 0);

  await healthy.untilEvents(FLOOD_EVENTS);
  const all = healthy.account();
  assert.equal(all.dropped, 0, "the others get every event");
  assert.equal(all.events.length, FLOOD_EVENTS);
  const stats = await channel.stats();
  assert.deepEqual([stats.busy, stats.dropped, stats.subscribers], [1, dropped, 2]);

  stalled.unpause();
  await stalled.untilId(healthy.events.at(-1).id);
  const told = stalled.account();
  assert.equal(told.dropped, dropped, "notices and receipts speak of the same events");
  assert.equal(told.events.length + told.dropped, FLOOD_EVENTS);
  const notice = stalled.events.findLastIndex((event) => event.event === "hub.dropped");
  const after = stalled.events.slice(notice + 1);
  // 1 MiB holds 20 of them; the 64 of BUFFER_EVENTS would be 3 MiB.
  assert.ok(after.length <= 20, `${after.length} events waited for it`);
  assert.deepEqual(after, healthy.events.slice(-after.length));

  await eventually(async () => (await channel.stats()).busy === 0);
  const { id } = await channel.publish("after all that");
  await Promise.all([healthy.untilId(id), stalled.untilId(id)]);
  assert.equal(stalled.account().dropped, dropped);
});

test("BUFFER_EVENTS bounds what waits, too", { timeout: 120_000 }, async () => {
  const narrow = await startHub({ BUFFER_EVENTS: "10" });
  const channel = narrow.channel("narrow");
  const stalled = await subscribe(channel, { paused: true });
  const dropped = await flood(channel);
  stalled.unpause();
  await stalled.until(() => stalled.events.length && stalled.account().last === FLOOD_EVENTS);
  assert.equal(stalled.account().dropped, dropped);
  const notice = stalled.events.findLastIndex((event) => event.event === "hub.dropped");
  const after = stalled.events.length - 1 - notice;
  assert.ok(notice >= 0 && after <= 10, `${after} events waited for it`);
});

test("being busy and catching up is logged once each", { timeout: 120_000 }, async () => {
  const channel = hub.channel("busy-log");
  const stalled = await subscribe(channel, { paused: true });
  const dropped = await flood(channel);
  stalled.unpause();
  await stalled.until(() => stalled.events.length && stalled.account().last === FLOOD_EVENTS);
  await eventually(async () => (await channel.stats()).busy === 0);
  const lines = () => hub.logLines().filter((line) => /^channel .*id=busy-log/.test(line));
  await eventually(() => lines().length === 2);
  assert.deepEqual(lines(), [
    "channel busy: id=busy-log conn=1",
    `channel caught up: id=busy-log conn=1 dropped=${dropped}`,
  ]);
});

test("a reader that stalls again and again stays accounted for", { timeout: 120_000 }, async () => {
  const channel = hub.channel("on-and-off");
  const reader = await subscribe(channel);
  let dropped = 0;
  for (let round = 0; round < 3; round++) {
    reader.pause();
    dropped += await flood(channel);
    reader.unpause();
    await reader.until(() => reader.events.length > 0 && reader.account().last > round * FLOOD_EVENTS);
  }
  const { id } = await channel.publish("end");
  await reader.untilId(id);
  // What was dropped while it caught up is in the last receipts, too.
  assert.equal(reader.account().dropped, (await channel.stats()).dropped);
  assert.ok(dropped > 0);
});

test("drops of streams that leave untold are in the receipts all the same", { timeout: 120_000 }, async () => {
  const channel = hub.channel("untold");
  const stalled = await subscribe(channel, { paused: true });
  const dropped = await flood(channel);
  stalled.close();
  await eventually(async () => (await channel.stats()).subscribers === 0);
  const stats = await channel.stats();
  assert.deepEqual([stats.dropped, stats.busy], [dropped, 0]);
});
