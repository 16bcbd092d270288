// A client that resumes gets the events that it has missed, and is told exactly which ones the hub no longer has.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cases } from "../support/cases.mjs";
import { parseId, resume, subscribe } from "../support/subscriber.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ HISTORY_EVENTS: "20000", LOG_LEVEL: "error" });
const short = await startWorkerd({ HISTORY_EVENTS: "10", LOG_LEVEL: "error" });

/** Publishes the numbers from `first` to `last`, each as an event. Returns the channel's epoch. */
async function count(channel, first, last) {
  for (let n = first; n < last; n++) await channel.publish(String(n));
  return parseId((await channel.publish(String(last))).id).epoch;
}

const numbers = (first, last) => Array.from({ length: last - first + 1 }, (_, n) => String(first + n));

/**
 * Publishes the number `next`, and checks that `stream` has received the numbers from `first` to `next`. Returns what
 * `account` returns.
 */
async function assertReceives(stream, first, next) {
  const { id } = await stream.channel.publish(String(next));
  await stream.untilId(id);
  const account = stream.account();
  assert.deepEqual(
    account.events.map((event) => event.data),
    numbers(first, next),
  );
  assert.equal(account.dropped, 0);
  return account;
}

test("a client that resumes with Last-Event-ID gets the same events as a stream that stayed open", async () => {
  const channel = hub.channel("header");
  const witness = await subscribe(channel);
  const epoch = await count(channel, 1, 3);
  await channel.publishBatch([["score", "7:3"], "half-time"]);
  const stream = await resume(channel, `${epoch}-2`);
  assert.equal(stream.status, 200);
  assert.equal(stream.headers["content-type"], "text/event-stream; charset=utf-8");
  assert.match(stream.text, new RegExp(`^retry: \\d+\nevent: hub.open\n.+\nid: ${epoch}-2\n\n`));
  await channel.publish("live");
  await Promise.all([stream.untilEvents(4), witness.untilEvents(6)]);
  assert.deepEqual(stream.events, witness.events.slice(2));
  assert.deepEqual(stream.account(), { events: stream.events, dropped: 0, gap: 0, unknown: 0, last: 6 });
});

test("the header Last-Event-ID has precedence over last_event_id in the query, and both over history", async () => {
  const channel = hub.channel("query");
  const epoch = await count(channel, 1, 9);
  const query = `?last_event_id=${epoch}-4`;
  const streams = cases([
    [5, await subscribe(channel, { query })],
    [5, await subscribe(channel, { query: `${query}&history=1` })],
    [8, await resume(channel, `${epoch}-7`, { query })],
    [8, await resume(channel, `${epoch}-7`, { query: "?history=1" })],
    [8, await resume(channel, `${epoch}-7`, { query: `${query}&history=1` })],
  ]);
  await channel.publish("10");
  for (const [first, stream] of streams) {
    assert.equal(stream.startId, `${epoch}-${first - 1}`);
    await stream.untilEvents(11 - first);
    assert.deepEqual(
      stream.account().events.map((event) => event.data),
      numbers(first, 10),
    );
  }
});

test("resuming after <epoch>-0 delivers all events, and after the newest id none", async () => {
  const channel = hub.channel("edges");
  const { startId } = await subscribe(channel);
  assert.match(startId, /-0$/);
  const nothingYet = await resume(channel, startId);
  const epoch = await count(channel, 1, 3);
  assert.equal(startId, `${epoch}-0`);
  const all = await resume(channel, startId);
  const level = await resume(channel, `${epoch}-3`);
  for (const stream of [nothingYet, all]) await stream.untilEvents(3);
  await Promise.all([assertReceives(nothingYet, 1, 4), all.untilEvents(4), level.untilEvents(1)]);
  assert.deepEqual([all.events, level.events], [nothingYet.events, nothingYet.events.slice(3)]);
});

test("history=n delivers the last n events, or all if there are fewer", async () => {
  const channel = hub.channel("history");
  const epoch = await count(channel, 1, 5);
  for (const [n, first, next] of [
    [0, 6, 6],
    [2, 5, 7],
    [7, 1, 8],
    [1_000_000, 1, 9],
  ]) {
    const stream = await subscribe(channel, { query: `?history=${n}` });
    assert.equal(stream.startId, `${epoch}-${first - 1}`);
    const { gap, unknown } = await assertReceives(stream, first, next);
    assert.deepEqual([gap, unknown], [0, 0]);
  }
  const empty = await subscribe(hub.channel("no-history"), { query: "?history=5" });
  await assertReceives(empty, 1, 1);
});

test("a gap reports the exact range of events that the history no longer has", async () => {
  const channel = short.channel("gap");
  const epoch = await count(channel, 1, 20);
  await channel.publishBatch(numbers(21, 25));
  const stream = await resume(channel, `${epoch}-3`);
  assert.equal(stream.startId, `${epoch}-3`);
  await stream.untilEvents(11);
  const data = { channel: "gap", count: 12, from: `${epoch}-4`, to: `${epoch}-15` };
  assert.deepEqual(stream.events[0], { id: data.to, event: "hub.gap", data: JSON.stringify(data) });
  assert.equal((await assertReceives(stream, 16, 26)).gap, 12);

  // Event 17 is the oldest now, so a client with event 16 has no gap.
  const near = await resume(channel, `${epoch}-16`);
  assert.equal((await assertReceives(near, 17, 27)).gap, 0);
  const far = await resume(channel, `${epoch}-0`);
  assert.equal((await assertReceives(far, 18, 28)).gap, 17);
  const last = await subscribe(channel, { query: "?history=11" });
  assert.equal(last.startId, `${epoch}-18`);
  assert.equal((await assertReceives(last, 19, 29)).gap, 0);
});

test("the history has the newest events of a batch that is larger than the history", async () => {
  const channel = short.channel("large-batch");
  const { id } = await channel.publishBatch(numbers(1, 25));
  const { epoch } = parseId(id);
  const stream = await resume(channel, `${epoch}-5`);
  assert.equal((await assertReceives(stream, 16, 26)).gap, 10);
});

for (const [name, unknown] of cases([
  ["of an older epoch", () => "000000000000Z-3"],
  ["of a later epoch", () => "ZZZZZZZZZZZZZ-3"],
  ["with a future seq", (epoch) => `${epoch}-32`],
  ["with the largest seq", (epoch) => `${epoch}-18446744073709551615`],
  ["with a seq of 400 digits", (epoch) => `${epoch}-${"9".repeat(400)}`],
  ["of another form", () => "garbage"],
  ["of another hub", () => "urn:uuid:e8e0bdd5-4bd2-4c5c-9d1b-5b1f0f9b9a39"],
  ["without a seq", (epoch) => epoch],
  ["with an empty seq", (epoch) => `${epoch}-`],
  ["with a negative seq", (epoch) => `${epoch}--3`],
  ["with three parts", (epoch) => `${epoch}-3-3`],
  ["of spaces and punctuation", () => "] [ {} ' \" \\ %00 \t x"],
])) {
  test(`resuming after an id ${name} delivers a gap of unknown size and all retained events`, async () => {
    const channel = short.channel(`unknown-${name.replaceAll(" ", "-")}`);
    const epoch = await count(channel, 1, 30);
    const id = unknown(epoch);
    let next = 31;
    for (const open of [
      () => resume(channel, id),
      () => subscribe(channel, { query: `?last_event_id=${encodeURIComponent(id)}` }),
    ]) {
      const stream = await open();
      assert.equal(stream.status, 200);
      assert.match(stream.text, /^retry: \d+\nevent: hub\.gap\n/, "the notice comes before hub.open");
      await stream.untilEvents(11);
      const to = `${epoch}-${next - 11}`;
      const data = JSON.stringify({ channel: channel.id, count: null, from: null, to });
      assert.deepEqual(stream.events[0], { id: to, event: "hub.gap", data });
      assert.equal((await assertReceives(stream, next - 10, next)).unknown, 1);
      next++;
      stream.close();
    }
  });
}

test("resuming after an id that is not UTF-8 delivers a gap of unknown size", async () => {
  const channel = short.channel("no-text");
  await count(channel, 1, 3);
  const stream = await subscribe(channel, { query: "?last_event_id=%ff%fe" });
  assert.equal(stream.status, 200);
  assert.equal((await assertReceives(stream, 1, 4)).unknown, 1);
});

test("resuming an unused channel after an unknown id delivers a gap of unknown size and new events", async () => {
  const stream = await resume(short.channel("new"), "000000000000Z-3");
  await stream.untilEvents(1);
  assert.match(stream.events[0].id, /-0$/);
  assert.equal((await assertReceives(stream, 1, 1)).unknown, 1);
});

test("clients that resume during publishes get every event once", { timeout: 60_000 }, async () => {
  const channel = hub.channel("busy");
  const { epoch } = parseId((await channel.publish("start")).id);
  const published = new Map([[1, "start"]]);
  let open = true;
  const publishers = Array.from({ length: 4 }, async (_, publisher) => {
    for (let n = 0; open; n++) {
      const batch = Array.from({ length: 1 + (n % 5) }, (_, i) => `${publisher}:${n}:${i}`);
      const { seq } = parseId((await channel.publishBatch(batch)).id);
      for (const [i, data] of batch.entries()) published.set(seq - batch.length + 1 + i, data);
    }
  });
  const streams = [];
  for (let n = 0; n < 40; n++) {
    const { seq } = await channel.stats();
    // The clients resume after the newest event, after an older one, or from the beginning.
    streams.push(await resume(channel, `${epoch}-${[seq, Math.max(seq - n, 0), 0][n % 3]}`));
  }
  open = false;
  await Promise.all(publishers);
  const { id } = await channel.publish("end");
  published.set(parseId(id).seq, "end");
  for (const stream of streams) {
    await stream.untilId(id);
    const { events, ...missing } = stream.account();
    assert.deepEqual(missing, { dropped: 0, gap: 0, unknown: 0, last: published.size });
    assert.ok(events.every((event) => event.data === published.get(parseId(event.id).seq)));
  }
});
