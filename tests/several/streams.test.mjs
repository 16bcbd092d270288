// GET /channels/foo,bar: one stream of several channels.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCombinedId, subscribeToSeveral } from "../support/several.mjs";
import { EPOCH, subscribe } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const QUIET = { LOG_LEVEL: "error" };
const hub = await startWorkerd(QUIET);

/** Returns the numbers from 0 to `count` - 1 as texts. */
const numbers = (count) => Array.from({ length: count }, (_, n) => String(n));

test("a stream of three channels has a hub.open of each, and ids of the documented form", async () => {
  const ids = ["form-a", "form-b", "form.c~1:2@x"];
  const stream = await subscribeToSeveral(hub, ids);
  assert.deepEqual([stream.status, stream.headers["content-type"]], [200, "text/event-stream; charset=utf-8"]);
  const block = (id) =>
    `event: hub\\.open\ndata: \\{"channel":"${id}","id":"${EPOCH}-0"\\}\nid: ${id}/${EPOCH}-0;[\\w-]+\n\n`;
  assert.match(stream.text, new RegExp(`^retry: \\d+\n${ids.map(block).join("")}$`));
  const plain = await hub.channel("form-b").publish("x");
  await stream.untilIds({ "form-b": plain.id });
  assert.match(stream.text, new RegExp(`\ndata: x\nid: form-b/${plain.id};[\\w-]+\n\n$`));
  assert.deepEqual(stream.complete(), { "form-a": [], "form-b": ["x"], "form.c~1:2@x": [] });
});

test("each channel of a stream has every event once and in order while several publishers write to all of them", {
  timeout: 60_000,
}, async () => {
  const ids = ["order-a", "order-b", "order-c"];
  const stream = await subscribeToSeveral(hub, ids);
  const witnesses = await Promise.all(ids.map((id) => subscribe(hub.channel(id))));
  const last = {};
  const publishing = ids.flatMap((id) =>
    [1, 2].map(async (publisher) => {
      for (let n = 0; n < 100; n++) {
        const receipt = await hub.channel(id).publishBatch(numbers(1 + (n % 4)).map((i) => `${publisher}:${n}:${i}`));
        assert.equal(receipt.subscribers, 2);
        assert.equal(receipt.dropped, 0);
      }
    }),
  );
  await Promise.all(publishing);
  for (const id of ids) last[id] = (await hub.channel(id).publish("end")).id;
  await stream.untilIds(last);
  const received = stream.complete();
  for (const [n, witness] of witnesses.entries()) {
    await witness.untilId(last[ids[n]]);
    assert.deepEqual(
      received[ids[n]],
      witness.account().events.map(({ data }) => data),
    );
    assert.equal(received[ids[n]].length, 501);
  }
});

test("a stream of 20 channels delivers the events of all, and its ids are at most 300 bytes longer", async () => {
  const ids = numbers(20).map((n) => `twenty-${n}`);
  const stream = await subscribeToSeveral(hub, ids);
  const last = {};
  for (const round of [1, 2, 3]) {
    for (const id of ids) last[id] = (await hub.channel(id).publish(`${id} ${round}`)).id;
  }
  await stream.untilIds(last);
  assert.deepEqual(stream.complete(), Object.fromEntries(ids.map((id) => [id, [1, 2, 3].map((n) => `${id} ${n}`)])));
  const added = stream.events.map(({ id }) => id.length - parseCombinedId(id).id.length);
  assert.ok(Math.max(...added) <= 300, `${Math.max(...added)} bytes`);
  const stats = await Promise.all(ids.map((id) => hub.channel(id).stats()));
  assert.deepEqual(
    stats.map(({ subscribers, feeds }) => [subscribers, feeds]),
    ids.map(() => [1, 1]),
  );
});

test("a client that leaves a stream of several channels leaves all of them", async () => {
  const ids = ["leave-a", "leave-b"];
  const stream = await subscribeToSeveral(hub, ids);
  stream.close();
  for (const id of ids) {
    await eventually(async () => {
      // The runtime notices that a client has gone when it writes to it.
      await hub.channel(id).publish("x");
      return (await hub.channel(id).stats()).subscribers === 0;
    });
  }
});

test("history=n delivers the last n events of each channel", async () => {
  const ids = ["history-a", "history-b", "history-c"];
  for (const [n, id] of ids.entries()) {
    if (n > 0) await hub.channel(id).publishBatch(numbers(n * 3));
  }
  const stream = await subscribeToSeveral(hub, ids, { query: "?history=4" });
  const last = {};
  for (const id of ids) last[id] = (await hub.channel(id).publish("live")).id;
  await stream.untilIds(last);
  assert.deepEqual(stream.complete(), {
    "history-a": ["live"],
    "history-b": ["0", "1", "2", "live"],
    "history-c": ["2", "3", "4", "5", "live"],
  });
});

test("large events of two channels that are published at the same time never mix", { timeout: 60_000 }, async () => {
  const large = await startWorkerd({
    ...QUIET,
    MAX_EVENT_BYTES: "400000",
    MAX_BATCH_BYTES: "1000000",
    HISTORY_BYTES: "67108864",
  });
  const ids = ["large-a", "large-b"];
  const stream = await subscribeToSeveral(large, ids, { query: "?catch_up=1" });
  const sizes = [1, 65_535, 65_536, 65_537, 131_072, 400_000 - 10, 200_000];
  const dataOf = (id, n) => `${id} ${n} `.padEnd(sizes[n % sizes.length], id.at(-1));
  const last = {};
  const publishing = ids.map(async (id) => {
    for (let n = 0; n < 35; n++) last[id] = (await large.channel(id).publish(dataOf(id, n))).id;
  });
  await Promise.all(publishing);
  await stream.untilIds(last);
  const received = stream.complete();
  for (const id of ids) {
    const expected = numbers(35).map((n) => dataOf(id, Number(n)));
    assert.equal(received[id].length, 35);
    assert.ok(received[id].every((data, n) => data === expected[n]));
  }
});

// This is more than the buffers of the kernel between workerd and a client hold.
const BATCH = numbers(15).map((n) => `${n} `.padEnd(50_000, "x"));
const BATCHES = 40;

test("a reader that is slow gets hub.dropped of the busy channel, and with catch_up=1 every event of each channel", {
  timeout: 90_000,
}, async () => {
  const slow = await startWorkerd({ ...QUIET, HISTORY_BYTES: "67108864", STALL_SECONDS: "0" });
  const ids = ["slow-busy", "slow-quiet"];
  const dropping = await subscribeToSeveral(slow, ids, { paused: true });
  const catching = await subscribeToSeveral(slow, ids, { paused: true, query: "?catch_up=1" });
  for (let n = 0; n < BATCHES; n++) await slow.channel("slow-busy").publishBatch(BATCH);
  const last = { "slow-quiet": (await slow.channel("slow-quiet").publish("quiet")).id };
  await eventually(async () => (await slow.channel("slow-busy").stats()).busy >= 1);
  for (const stream of [dropping, catching]) stream.unpause();
  await catching.until(() => catching.part("slow-busy").events.length === BATCHES * BATCH.length, "all events");
  last["slow-busy"] = (await slow.channel("slow-busy").publish("last")).id;
  await Promise.all([dropping.untilIds(last), catching.untilIds(last)]);

  const [busy, quiet] = ids.map((id) => dropping.part(id).account());
  assert.ok(busy.dropped > 0 && dropping.part("slow-busy").types.includes("hub.dropped"));
  assert.equal(busy.events.length + busy.dropped, BATCHES * BATCH.length + 1);
  assert.deepEqual([quiet.dropped, quiet.events.map(({ data }) => data)], [0, ["quiet"]]);
  const all = catching.complete();
  assert.equal(all["slow-busy"].length, BATCHES * BATCH.length + 1);
  assert.deepEqual(all["slow-quiet"], ["quiet"]);
});
