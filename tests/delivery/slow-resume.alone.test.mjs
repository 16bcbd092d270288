// Rules 3 and 6 together: who reads the history slowly costs the hub little, and loses only what he is told of.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseId, resume, subscribe } from "../support/subscriber.mjs";
import { startWorkerd } from "../support/workerd.mjs";

// The kernel's buffers between workerd and a reader hold up to about 14 MB; the history is twice that.
const EVENT_BYTES = 50_000;
const HISTORY_EVENTS = 600;
const BATCH_EVENTS = 10;
const BUFFER_BYTES = 1_048_576;
/** What the process grows by anyway: the working sizes of its heaps. */
const SLACK_BYTES = 32_000_000;

const hub = await startWorkerd({
  HISTORY_EVENTS: String(HISTORY_EVENTS),
  HISTORY_BYTES: "67108864",
  LOG_LEVEL: "error",
});

/** Publishes as many events as the history holds. Returns the last id and the sum of drops. */
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

test("a slow reader of the history is told what was trimmed before he came to it", { timeout: 120_000 }, async () => {
  const channel = hub.channel("trimmed");
  const { epoch } = await flood(channel);
  const slow = await resume(channel, `${epoch}-0`, { paused: true });
  const { id } = await flood(channel);
  slow.unpause();
  await slow.untilId(id);
  const { events, gap, dropped, unknown } = slow.account();
  assert.ok(gap > 0, "he had read all before it was trimmed");
  assert.deepEqual([dropped, unknown, events.length + gap], [0, 0, 2 * HISTORY_EVENTS]);
});

test("slow readers of the history do not make the process grow", { timeout: 240_000 }, async () => {
  const READERS = 60;
  const channel = hub.channel("memory");
  const { epoch } = await flood(channel);
  const replay = async () => {
    const reader = await resume(channel, `${epoch}-0`);
    await reader.untilEvents(HISTORY_EVENTS);
    assert.equal(reader.account().gap, 0);
    reader.close();
  };
  // The garbage collector lets the heap grow to its working size first.
  for (let i = 0; i < 3; i++) await replay();
  const before = hub.residentBytes();
  const slow = [];
  for (let i = 0; i < READERS; i++) slow.push(await resume(channel, `${epoch}-0`, { paused: true }));
  // Once another one beside them has all of it, they have had their turns.
  await replay();
  const grown = hub.residentBytes() - before;
  assert.ok(grown < READERS * BUFFER_BYTES + SLACK_BYTES, `the process grew by ${grown} bytes`);
  console.log(`# ${READERS} readers wait for the history; the process grew by ${grown / 1e6} MB`);
  const [first, ...others] = slow;
  for (const reader of others) reader.close();
  first.unpause();
  await first.untilEvents(HISTORY_EVENTS);
  assert.equal(first.account().events.length, HISTORY_EVENTS);
});

test("with catch_up=1 a stream that backs up reads the history, and drops nothing", { timeout: 120_000 }, async () => {
  const channel = hub.channel("catch-up");
  const plain = await subscribe(channel, { query: "?catch_up=0", paused: true });
  const patient = await subscribe(channel, { query: "?catch_up=1", paused: true });
  const { id, dropped } = await flood(channel);
  assert.ok(dropped > 0);
  plain.unpause();
  patient.unpause();
  await Promise.all([plain.untilId(id), patient.untilId(id)]);
  assert.equal(plain.account().dropped, dropped, "the receipts count the drops of the other one alone");
  const { events, ...told } = patient.account();
  assert.deepEqual(told, { dropped: 0, gap: 0, unknown: 0, last: HISTORY_EVENTS });
  assert.ok(events.every((event, i) => event.data.startsWith(`${i} `)));
  const { id: live } = await channel.publish("level again");
  await Promise.all([plain.untilId(live), patient.untilId(live)]);
  assert.equal(patient.account().events.at(-1).data, "level again");
});

test("with catch_up=1 it is told what the history does not have either", { timeout: 120_000 }, async () => {
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

test("with catch_up=1 a reader that stalls again and again misses nothing", { timeout: 120_000 }, async () => {
  const channel = hub.channel("on-and-off");
  const patient = await subscribe(channel, { query: "?catch_up=1" });
  for (let round = 0; round < 3; round++) {
    patient.pause();
    const { id } = await flood(channel);
    patient.unpause();
    // The history holds one flood: the next one is not to trim what this one left.
    await patient.untilId(id);
  }
  const { events, ...told } = patient.account();
  assert.deepEqual(told, { dropped: 0, gap: 0, unknown: 0, last: 3 * HISTORY_EVENTS });
});
