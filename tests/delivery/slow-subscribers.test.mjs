// Subscribers that read the history slowly, or read it to catch up: they need little memory, and notices report every
// event that they miss.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseId, resume, subscribe } from "../support/subscriber.mjs";
import { startWorkerd } from "../support/workerd.mjs";

// The buffers of the kernel between workerd and a client hold up to about 14 MB. The history has more.
const EVENT_BYTES = 50_000;
const HISTORY_EVENTS = 450;
const BATCH_EVENTS = 15;
const BUFFER_BYTES = 1_048_576;
/** What may wait in the Worker that holds a stream, beside the object's buffer (WINDOW_BYTES in crates/hub/src/feed). */
const WINDOW_BYTES = 131_072;
/** The heaps of the process vary by up to 30 MB. Readers that each kept the history would need 540 MB. */
const SLACK_BYTES = 64_000_000;

const hub = await startWorkerd({
  HISTORY_EVENTS: String(HISTORY_EVENTS),
  HISTORY_BYTES: "67108864",
  LOG_LEVEL: "error",
});

/** Publishes as many events as the history holds. Returns the last id, its epoch and the number of drops. */
async function flood(channel) {
  let id;
  let dropped = 0;
  for (let i = 0; i < HISTORY_EVENTS; i += BATCH_EVENTS) {
    const batch = Array.from({ length: BATCH_EVENTS }, (_, n) => `${i + n} `.padEnd(EVENT_BYTES, "x"));
    const receipt = await channel.publishBatch(batch);
    ({ id } = receipt);
    dropped += receipt.dropped;
  }
  return { id, epoch: parseId(id).epoch, dropped };
}

test("a slow reader of the history is told exactly what was removed before it was read", {
  timeout: 120_000,
}, async () => {
  const channel = hub.channel("removed");
  const { epoch } = await flood(channel);
  const slow = await resume(channel, `${epoch}-0`, { paused: true });
  const { id } = await flood(channel);
  slow.unpause();
  await slow.untilId(id);
  const { events, gap, dropped, unknown } = slow.account();
  assert.ok(gap > 0, "the subscriber had read all events before they were removed");
  assert.deepEqual([dropped, unknown, events.length + gap], [0, 0, 2 * HISTORY_EVENTS]);
});

test("slow readers of the history need no more memory than their buffers", { timeout: 240_000 }, async () => {
  const READERS = 24;
  const channel = hub.channel("memory");
  const { epoch } = await flood(channel);
  const replay = async () => {
    const reader = await resume(channel, `${epoch}-0`);
    await reader.untilEvents(HISTORY_EVENTS);
    assert.equal(reader.account().gap, 0);
    reader.close();
  };
  // The heap grows to its working size first.
  for (let i = 0; i < 3; i++) await replay();
  const before = hub.residentBytes();
  const slow = [];
  for (let i = 0; i < READERS; i++) slow.push(await resume(channel, `${epoch}-0`, { paused: true }));
  // When another reader has got all of the history, the slow ones have had the chance to read, too.
  await replay();
  const grown = hub.residentBytes() - before;
  console.log(`# ${READERS} readers wait for the history; the process grew by ${grown / 1e6} MB`);
  const allowed = READERS * (BUFFER_BYTES + WINDOW_BYTES) + SLACK_BYTES;
  assert.ok(grown < allowed, `the process grew by ${grown} bytes`);
  const [first, ...others] = slow;
  for (const reader of others) reader.close();
  first.unpause();
  await first.untilEvents(HISTORY_EVENTS);
  assert.equal(first.account().events.length, HISTORY_EVENTS);
});

test("with catch_up=1 a stream that backs up gets every event from the history", { timeout: 120_000 }, async () => {
  const channel = hub.channel("catch-up");
  const plain = await subscribe(channel, { query: "?catch_up=0", paused: true });
  const patient = await subscribe(channel, { query: "?catch_up=1", paused: true });
  const { id, dropped } = await flood(channel);
  assert.ok(dropped > 0);
  plain.unpause();
  patient.unpause();
  await Promise.all([plain.untilId(id), patient.untilId(id)]);
  assert.equal(plain.account().dropped, dropped, "the receipts count only the drops of the stream without catch_up");
  const { events, ...missing } = patient.account();
  assert.deepEqual(missing, { dropped: 0, gap: 0, unknown: 0, last: HISTORY_EVENTS });
  assert.ok(events.every((event, i) => event.data.startsWith(`${i} `)));
  const { id: live } = await channel.publish("live");
  await Promise.all([plain.untilId(live), patient.untilId(live)]);
  assert.equal(patient.account().events.at(-1).data, "live");
});

test("with catch_up=1 a stream is told exactly what the history no longer has", { timeout: 120_000 }, async () => {
  const channel = hub.channel("catch-up-gap");
  const patient = await subscribe(channel, { query: "?catch_up=1", paused: true });
  await flood(channel);
  const { id, dropped } = await flood(channel);
  patient.unpause();
  await patient.untilId(id);
  const account = patient.account();
  assert.ok(account.gap > 0);
  assert.deepEqual([dropped, account.dropped, account.events.length + account.gap], [0, 0, 2 * HISTORY_EVENTS]);
});

test("with catch_up=1 a stream that stalls twice misses no event", { timeout: 120_000 }, async () => {
  const channel = hub.channel("on-and-off");
  const patient = await subscribe(channel, { query: "?catch_up=1" });
  for (let round = 0; round < 2; round++) {
    patient.pause();
    const { id } = await flood(channel);
    patient.unpause();
    // The history holds one flood, so the stream has to get all of it before the next one.
    await patient.untilId(id);
  }
  const { events, ...missing } = patient.account();
  assert.equal(events.length, 2 * HISTORY_EVENTS);
  assert.deepEqual(missing, { dropped: 0, gap: 0, unknown: 0, last: 2 * HISTORY_EVENTS });
});
