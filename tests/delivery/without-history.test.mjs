// HISTORY_EVENTS=0: the hub stores no events, and has only the newest ones in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseId, resume, subscribe } from "../support/subscriber.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ HISTORY_EVENTS: "0", BUFFER_EVENTS: "20", LOG_LEVEL: "error" });

/** Publishes the numbers from `first` to `last`, each as an event. Returns the last id. */
async function count(channel, first, last) {
  let id;
  for (let n = first; n <= last; n++) ({ id } = await channel.publish(String(n)));
  return id;
}

const numbers = (first, last) => Array.from({ length: last - first + 1 }, (_, n) => String(first + n));
const dataOf = ({ events }) => events.map(({ data }) => data);

test("stats have no history if HISTORY_EVENTS is 0", async () => {
  const channel = hub.channel("stats");
  await channel.publish("x");
  assert.equal((await channel.stats()).history, null);
});

test("without a history a page has the events in memory and reports the others in a gap", async () => {
  const channel = hub.channel("page");
  const last = await count(channel, 1, 60);
  const { epoch } = parseId(last);
  const page = await channel.history(`?after=${epoch}-0`);
  const { length } = page.events;
  assert.ok(length >= 20 && length < 60, `${length} events`);
  const lost = 60 - length;
  assert.deepEqual(dataOf(page), numbers(lost + 1, 60));
  assert.deepEqual(page.gap, { count: lost, from: `${epoch}-1`, to: `${epoch}-${lost}` });
  assert.equal(page.next, last);
  assert.deepEqual(await channel.history(`?after=${last}`), { events: [], gap: null, next: last, ended: false });
});

test("without a history a client resumes from memory, and a new object starts a new epoch", async () => {
  const memory = await startWorkerd({ HISTORY_EVENTS: "0", BUFFER_EVENTS: "20", LOG_LEVEL: "error" });
  const channel = memory.channel("memory");
  const { epoch } = parseId(await count(channel, 1, 10));
  const stream = await resume(channel, `${epoch}-3`);
  await stream.untilId(await count(channel, 11, 11));
  assert.deepEqual([dataOf(stream.account()), stream.account().gap], [numbers(4, 11), 0]);
  await count(channel, 12, 60);
  const late = await resume(channel, `${epoch}-3`);
  const id = await count(channel, 61, 61);
  await late.untilId(id);
  const { gap, events } = late.account();
  assert.ok(gap > 0 && events.length >= 20, `${gap} events in the gap, ${events.length} events came`);
  assert.deepEqual(dataOf({ events }), numbers(62 - events.length, 61));

  await memory.restart();
  const after = await resume(channel, id);
  await after.untilEvents(1);
  assert.ok(parseId(after.events[0].id).epoch > epoch, "the epoch is larger");
  const next = await count(channel, 1, 1);
  assert.equal(parseId(next).seq, 1);
  await after.untilId(next);
  assert.deepEqual([dataOf(after.account()), after.account().unknown], [["1"], 1]);
});

test("without a history a stream with catch_up=1 that backs up is told what it misses", {
  timeout: 120_000,
}, async () => {
  const EVENTS = 450;
  const channel = hub.channel("catch-up");
  const patient = await subscribe(channel, { query: "?catch_up=1", paused: true });
  let id;
  for (let n = 0; n < EVENTS; n += 15) {
    ({ id } = await channel.publishBatch(Array.from({ length: 15 }, () => "x".repeat(50_000))));
  }
  patient.unpause();
  await patient.untilId(id);
  const { events, dropped, gap, unknown } = patient.account();
  assert.ok(dropped + gap > 0);
  assert.deepEqual([events.length + dropped + gap, unknown], [EVENTS, 0]);
  const { id: live } = await channel.publish("live");
  await patient.untilId(live);
  assert.equal(patient.account().events.at(-1).data, "live");
});

test("without a history a deleted channel stays ended across a restart, and the next publish starts a larger epoch", async () => {
  const channel = hub.channel("end");
  const stream = await subscribe(channel);
  const { id } = await channel.publish("last words");
  assert.deepEqual(await channel.delete(), { id, subscribers: 1, dropped: 0 });
  await stream.untilEnded();
  assert.deepEqual(
    stream.events.map(({ event, data }) => event ?? data),
    ["last words", "hub.end"],
  );
  stream.account();
  const status = async () => (await fetch(channel.url)).status;
  assert.equal(await status(), 204);
  await hub.restart();
  assert.equal(await status(), 204, "the end is stored");

  const next = await channel.publish("again");
  assert.ok(parseId(next.id).epoch > parseId(id).epoch && parseId(next.id).seq === 1);
  const late = await resume(channel, id);
  await late.untilId(next.id);
  assert.deepEqual([late.account().unknown, late.account().events.length], [1, 1]);
});
