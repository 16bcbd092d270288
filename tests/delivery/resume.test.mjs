// Rule 6: a client that comes back gets what it missed, and is told exactly what it cannot have.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseId, resume, subscribe } from "../support/subscriber.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ HISTORY_EVENTS: "20000", LOG_LEVEL: "error" });
const short = await startWorkerd({ HISTORY_EVENTS: "10", LOG_LEVEL: "error" });

/** Publishes the numbers from `first` to `last`, each as an event; returns the channel's epoch. */
async function count(channel, first, last) {
  for (let n = first; n < last; n++) await channel.publish(String(n));
  return parseId((await channel.publish(String(last))).id).epoch;
}

const numbers = (first, last) => Array.from({ length: last - first + 1 }, (_, n) => String(first + n));

/**
 * Publishes the number `next`, and checks that `stream` has got the numbers from `first` to that one. Returns its
 * account.
 */
async function assertHears(stream, first, next) {
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

test("after Last-Event-ID come the events that were missed, as they were, then live ones", async () => {
  const channel = hub.channel("header");
  const witness = await subscribe(channel);
  const epoch = await count(channel, 1, 3);
  await channel.publishBatch([["score", "7:3"], "half-time"]);
  const stream = await resume(channel, `${epoch}-2`);
  assert.equal(stream.status, 200);
  assert.equal(stream.headers["content-type"], "text/event-stream");
  assert.match(stream.text, new RegExp(`^retry: \\d+\n: .+\nid: ${epoch}-2\n\n`));
  await channel.publish("live");
  await Promise.all([stream.untilEvents(4), witness.untilEvents(6)]);
  assert.deepEqual(stream.events, witness.events.slice(2));
  assert.deepEqual(stream.account(), { events: stream.events, dropped: 0, gap: 0, unknown: 0, last: 6 });
});

test("?last_event_id does the same; the header wins over it, and either over history", async () => {
  const channel = hub.channel("query");
  const epoch = await count(channel, 1, 9);
  const query = `?last_event_id=${epoch}-4`;
  const streams = [
    [5, await subscribe(channel, { query })],
    [5, await subscribe(channel, { query: `${query}&history=1` })],
    [8, await resume(channel, `${epoch}-7`, { query })],
    [8, await resume(channel, `${epoch}-7`, { query: "?history=1" })],
    [8, await resume(channel, `${epoch}-7`, { query: `${query}&history=1` })],
  ];
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

test("<epoch>-0 is the beginning, and the newest id has missed nothing", async () => {
  const channel = hub.channel("edges");
  const { startId } = await subscribe(channel);
  assert.match(startId, /-0$/);
  const nothingYet = await resume(channel, startId);
  const epoch = await count(channel, 1, 3);
  assert.equal(startId, `${epoch}-0`);
  const all = await resume(channel, startId);
  const level = await resume(channel, `${epoch}-3`);
  for (const [first, stream] of [
    [1, nothingYet],
    [1, all],
    [4, level],
  ])
    await stream.untilEvents(4 - first);
  const { id } = await channel.publish("4");
  for (const [first, stream] of [
    [1, nothingYet],
    [1, all],
    [4, level],
  ]) {
    await stream.untilId(id);
    assert.deepEqual(
      stream.account().events.map((event) => event.data),
      numbers(first, 4),
    );
  }
});

test("history=n brings the last n, at most what there is", async () => {
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
    const { gap, unknown } = await assertHears(stream, first, next);
    assert.deepEqual([gap, unknown], [0, 0]);
  }
  const empty = await subscribe(hub.channel("no-history"), { query: "?history=5" });
  await assertHears(empty, 1, 1);
});

test("what is no longer retained is told, to the event", async () => {
  const channel = short.channel("gap");
  const epoch = await count(channel, 1, 20);
  await channel.publishBatch(numbers(21, 25));
  const stream = await resume(channel, `${epoch}-3`);
  assert.equal(stream.startId, `${epoch}-3`);
  await stream.untilEvents(11);
  const data = { count: 12, from: `${epoch}-4`, to: `${epoch}-15` };
  assert.deepEqual(stream.events[0], { id: data.to, event: "hub.gap", data: JSON.stringify(data) });
  assert.equal((await assertHears(stream, 16, 26)).gap, 12);

  // 17 is the oldest now: who has 16 missed nothing.
  const near = await resume(channel, `${epoch}-16`);
  assert.equal((await assertHears(near, 17, 27)).gap, 0);
  const far = await resume(channel, `${epoch}-0`);
  assert.equal((await assertHears(far, 18, 28)).gap, 17);
  const last = await subscribe(channel, { query: "?history=11" });
  assert.equal(last.startId, `${epoch}-18`);
  assert.equal((await assertHears(last, 19, 29)).gap, 0);
});

test("a batch that is larger than the history leaves its newest events", async () => {
  const channel = short.channel("large-batch");
  const { id } = await channel.publishBatch(numbers(1, 25));
  const { epoch } = parseId(id);
  const stream = await resume(channel, `${epoch}-5`);
  assert.equal((await assertHears(stream, 16, 26)).gap, 10);
});

for (const [what, unknown] of [
  ["of an older epoch", () => "1600000000000-3"],
  ["of a later epoch", () => "9999999999999-3"],
  ["from the future", (epoch) => `${epoch}-32`],
  ["from the far future", (epoch) => `${epoch}-18446744073709551615`],
  ["too large for any number", (epoch) => `${epoch}-${"9".repeat(400)}`],
  ["of a stranger", () => "garbage"],
  ["of another hub", () => "urn:uuid:e8e0bdd5-4bd2-4c5c-9d1b-5b1f0f9b9a39"],
  ["without a seq", (epoch) => epoch],
  ["with an empty seq", (epoch) => `${epoch}-`],
  ["with a sign", (epoch) => `${epoch}--3`],
  ["with a part too many", (epoch) => `${epoch}-3-3`],
  ["of blanks and brackets", () => "] [ {} ' \" \\ %00 \t x"],
]) {
  test(`an id ${what} is unknown: everything retained comes after a notice, then live events`, async () => {
    const channel = short.channel(`unknown-${what.replaceAll(" ", "-")}`);
    const epoch = await count(channel, 1, 30);
    const id = unknown(epoch);
    let next = 31;
    for (const open of [
      () => resume(channel, id),
      () => subscribe(channel, { query: `?last_event_id=${encodeURIComponent(id)}` }),
    ]) {
      const stream = await open();
      assert.equal(stream.status, 200);
      assert.match(stream.text, /^retry: \d+\n: .+\n\n/, "it begins nowhere");
      await stream.untilEvents(11);
      const to = `${epoch}-${next - 11}`;
      const data = JSON.stringify({ count: null, from: null, to });
      assert.deepEqual(stream.events[0], { id: to, event: "hub.gap", data });
      assert.equal((await assertHears(stream, next - 10, next)).unknown, 1);
      next++;
      stream.close();
    }
  });
}

test("an id that is no text is unknown, too", async () => {
  const channel = short.channel("no-text");
  await count(channel, 1, 3);
  const stream = await subscribe(channel, { query: "?last_event_id=%ff%fe" });
  assert.equal(stream.status, 200);
  assert.equal((await assertHears(stream, 1, 4)).unknown, 1);
});

test("an unknown id on a channel that nobody has used is told so, and hears what comes", async () => {
  const stream = await resume(short.channel("new"), "1600000000000-3");
  await stream.untilEvents(1);
  assert.match(stream.events[0].id, /-0$/);
  assert.equal((await assertHears(stream, 1, 1)).unknown, 1);
});

test("who comes back while others publish gets each event once", { timeout: 60_000 }, async () => {
  const channel = hub.channel("busy");
  const { epoch } = parseId((await channel.publish("start")).id);
  const published = new Map([[1, "start"]]);
  let open = true;
  const publishers = Array.from({ length: 4 }, async (_, publisher) => {
    for (let n = 0; open; n++) {
      const batch = Array.from({ length: 1 + (n % 5) }, (_, i) => `${publisher}:${n}:${i}`);
      const { seq } = parseId((await channel.publishBatch(batch)).id);
      batch.forEach((data, i) => published.set(seq - batch.length + 1 + i, data));
    }
  });
  const streams = [];
  for (let n = 0; n < 40; n++) {
    const { seq } = await channel.stats();
    // From the very last, from a few before, and from the beginning.
    streams.push(await resume(channel, `${epoch}-${[seq, Math.max(seq - n, 0), 0][n % 3]}`));
  }
  open = false;
  await Promise.all(publishers);
  const { id } = await channel.publish("end");
  published.set(parseId(id).seq, "end");
  for (const stream of streams) {
    await stream.untilId(id);
    const { events, ...told } = stream.account();
    assert.deepEqual(told, { dropped: 0, gap: 0, unknown: 0, last: published.size });
    assert.ok(events.every((event) => event.data === published.get(parseId(event.id).seq)));
  }
});

test("with HISTORY_EVENTS=0 the newest events are in memory all the same", async () => {
  const memory = await startWorkerd({ HISTORY_EVENTS: "0", BUFFER_EVENTS: "20", LOG_LEVEL: "error" });
  const channel = memory.channel("memory");
  const epoch = await count(channel, 1, 10);
  const stream = await resume(channel, `${epoch}-3`);
  assert.equal((await assertHears(stream, 4, 11)).gap, 0);
  await count(channel, 12, 60);
  const late = await resume(channel, `${epoch}-3`);
  const { id } = await channel.publish("61");
  await late.untilId(id);
  const { gap, events } = late.account();
  assert.ok(gap > 0 && events.length >= 20, `${gap} events are said to be missing, ${events.length} came`);
  assert.deepEqual(
    events.map((event) => event.data),
    numbers(62 - events.length, 61),
  );

  await memory.restart();
  const after = await resume(channel, id);
  await after.untilEvents(1);
  assert.ok(parseId(after.events[0].id).epoch > epoch, "a new epoch");
  assert.equal((await assertHears(after, 1, 1)).unknown, 1);
});
