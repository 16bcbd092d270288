// HISTORY_EVENTS=0: what the history is for elsewhere, from the memory alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseId, resume, subscribe } from "../support/subscriber.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ HISTORY_EVENTS: "0", BUFFER_EVENTS: "20", LOG_LEVEL: "error" });

test("stats know of none", async () => {
  const channel = hub.channel("stats");
  await channel.publish("x");
  assert.equal((await channel.stats()).history, null);
});

test("a page has what is in memory, and tells of the rest", async () => {
  const channel = hub.channel("page");
  let last;
  for (let n = 1; n <= 60; n++) last = (await channel.publish(String(n))).id;
  const { epoch } = parseId(last);
  const { events, gap, next } = await channel.history(`?after=${epoch}-0`);
  assert.ok(events.length >= 20 && events.length < 60, `${events.length} events`);
  const lost = 60 - events.length;
  assert.deepEqual(
    events.map(({ data }) => data),
    events.map((_, i) => String(lost + 1 + i)),
  );
  assert.deepEqual(gap, { count: lost, from: `${epoch}-1`, to: `${epoch}-${lost}` });
  assert.equal(next, last);
  assert.deepEqual(await channel.history(`?after=${last}`), { events: [], gap: null, next: last });
});

test("with catch_up=1 a stream that backs up is told what it misses", { timeout: 120_000 }, async () => {
  const EVENTS = 600;
  const channel = hub.channel("catch-up");
  const patient = await subscribe(channel, { query: "?catch_up=1", paused: true });
  let id;
  for (let n = 0; n < EVENTS; n += 10) {
    ({ id } = await channel.publishBatch(Array.from({ length: 10 }, () => "x".repeat(50_000))));
  }
  patient.unpause();
  await patient.untilId(id);
  const { events, dropped, gap, unknown } = patient.account();
  assert.ok(dropped + gap > 0);
  assert.deepEqual([events.length + dropped + gap, unknown], [EVENTS, 0]);
  const { id: live } = await channel.publish("level again");
  await patient.untilId(live);
  assert.equal(patient.account().events.at(-1).data, "level again");
});

test("DELETE ends a channel, and the next publish begins a larger epoch", async () => {
  const channel = hub.channel("end");
  const stream = await subscribe(channel);
  const { id } = await channel.publish("last words");
  assert.deepEqual(await channel.end(), { id, subscribers: 1, dropped: 0 });
  await stream.untilEnded();
  assert.deepEqual(
    stream.events.map(({ event, data }) => event ?? data),
    ["last words", "hub.end"],
  );
  stream.account();
  const ended = async () => (await fetch(channel.url)).status;
  assert.equal(await ended(), 204);
  await hub.restart();
  assert.equal(await ended(), 204, "that is stored all the same");

  const next = await channel.publish("again");
  assert.ok(parseId(next.id).epoch > parseId(id).epoch && parseId(next.id).seq === 1);
  const late = await resume(channel, id);
  await late.untilId(next.id);
  assert.deepEqual([late.account().unknown, late.account().events.length], [1, 1]);
});
