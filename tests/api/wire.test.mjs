// What goes over the wire: the opening, events, batches, ids, stats.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startHub } from "../support/hub.mjs";
import { listen } from "../support/listener.mjs";
import { eventually } from "../support/wait.mjs";

const hub = await startHub();
const batchHeaders = { "Content-Type": "text/event-stream" };

test("a stream opens at once, with its headers, a retry and the place where the channel stands", async () => {
  const channel = hub.channel("opening");
  const first = await listen(channel);
  assert.equal(first.status, 200);
  assert.equal(first.headers["content-type"], "text/event-stream");
  assert.equal(first.headers["cache-control"], "no-cache, no-transform");
  assert.equal(first.headers["x-accel-buffering"], "no");
  assert.equal(first.headers["access-control-allow-origin"], "*");
  assert.match(first.text, /^retry: \d+\n: .+\nid: \d{13}-0\n\n$/);
  assert.ok(first.retry >= 2000 && first.retry <= 4000, first.retry);
  assert.deepEqual(first.events, [], "the first block dispatches nothing");

  const { id } = await channel.publish("x");
  const second = await listen(channel);
  assert.match(second.text, new RegExp(`\nid: ${id}\n\n$`));
});

test("retry differs from stream to stream", async () => {
  const channel = hub.channel("retry");
  const streams = await Promise.all(Array.from({ length: 8 }, () => listen(channel)));
  assert.ok(new Set(streams.map((stream) => stream.retry)).size > 1);
});

test("an event is exactly these bytes, and its receipt says so", async () => {
  const channel = hub.channel("bytes");
  const listener = await listen(channel);
  const opening = listener.text.length;
  const receipt = await channel.publish(new URLSearchParams({ foo: "bar" }));
  const { epoch } = await channel.stats();
  assert.deepEqual(receipt, { id: `${epoch}-1`, events: 1, subscribers: 1, dropped: 0 });
  await channel.publish("7 : 3", { query: "?event=score" });
  await listener.untilEvents(2);
  assert.equal(
    listener.text.slice(opening),
    `id: ${epoch}-1\ndata: foo=bar\n\nid: ${epoch}-2\nevent: score\ndata: 7 : 3\n\n`,
  );
});

test("any payload arrives as it was sent, line ends made alike", async () => {
  const channel = hub.channel("payloads");
  const listener = await listen(channel);
  const payloads = [
    "",
    " leading space",
    "a\nb\r\nc\rd",
    "\n\n\r\r\n\n",
    "\ufeffBOM",
    "data: x\n\nid: 99\nevent: hub.end\nretry: 1\n\n",
    "nul \0 nul",
    "🎉 ünï ∑ \u2028 \u2029 \u0085",
    "x".repeat(65536),
    "\n".repeat(65536),
    "🎉".repeat(16384),
  ];
  for (const payload of payloads) await channel.publish(payload, { headers: { "Content-Type": "anything/at-all" } });
  await listener.untilEvents(payloads.length);
  const expected = payloads.map((payload) => payload.replaceAll("\r\n", "\n").replaceAll("\r", "\n"));
  assert.deepEqual(
    listener.events.map((event) => event.data),
    expected,
  );
  assert.ok(listener.events.every((event) => event.event === undefined));
  assert.equal(listener.account().events.length, payloads.length);
});

test("a batch is read as an event stream", async () => {
  const channel = hub.channel("batch");
  const listener = await listen(channel);
  const body =
    "\ufeff: comment\r\nid: 77\r\nretry: 9\r\nevent: a\r\ndata: 1\r\ndata:2\r\n\r\n" +
    "event: without data\n\ndata\rdata:  x\r\rdata: unfinished";
  const receipt = await channel.publish(body, { headers: { "Content-Type": "Text/Event-Stream; charset=utf-8" } });
  assert.equal(receipt.events, 3);
  assert.match(receipt.id, /-3$/);
  await listener.untilEvents(3);
  assert.deepEqual(
    listener.events.map(({ event, data }) => [event, data]),
    [
      ["a", "1\n2"],
      [undefined, "\n x"],
      [undefined, "unfinished"],
    ],
  );
  assert.equal(listener.retry < 4001 && listener.retry > 1999, true, "a publisher's retry is ignored");
});

test("a batch of 256 events goes through as one", async () => {
  const channel = hub.channel("batch-256");
  const listener = await listen(channel);
  const receipt = await channel.publishBatch(Array.from({ length: 256 }, (_, i) => ["n", i]));
  assert.equal(receipt.events, 256);
  await listener.untilEvents(256);
  assert.deepEqual(
    listener.events.map((event) => event.data),
    Array.from({ length: 256 }, (_, i) => String(i)),
  );
});

test("a body cut inside a character, in small pieces, arrives whole", async () => {
  const channel = hub.channel("pieces");
  const listener = await listen(channel);
  const bytes = new TextEncoder().encode("🎉é∑".repeat(50));
  const body = new ReadableStream({
    async pull(controller) {
      if (this.at === undefined) this.at = 0;
      if (this.at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(this.at, this.at + 3));
      this.at += 3;
    },
  });
  await channel.publish(body, { duplex: "half" });
  await listener.untilEvents(1);
  assert.equal(listener.events[0].data, "🎉é∑".repeat(50));
});

test("stats count what the channel has seen", async () => {
  const channel = hub.channel("stats");
  const gone = await listen(channel);
  const stays = await listen(channel);
  await channel.publish("a");
  await channel.publishBatch(["b", "c"]);
  gone.reset();
  await stays.untilEvents(3);
  await channel.publish("d");
  await stays.untilEvents(4);
  // At the latest when it is written to.
  await eventually(async () => (await channel.stats()).subscribers === 1);
  const stats = await channel.stats();
  assert.match(stats.epoch, /^\d{13}$/);
  assert.equal(typeof stats.uptime_seconds, "number");
  assert.deepEqual(stats, {
    channel: "stats",
    epoch: stats.epoch,
    seq: 4,
    subscribers: 1,
    busy: 0,
    published: 4,
    dropped: 0,
    connected: 2,
    uptime_seconds: stats.uptime_seconds,
    history: {
      oldest: `${stats.epoch}-1`,
      events: 4,
      bytes: "data: a\n\n".length * 4,
      rows_written: stats.history.rows_written,
    },
  });
  // One for each commit: the rest of the channel's beginning.
  assert.ok(stats.history.rows_written >= 3 && stats.history.rows_written <= 9, stats.history.rows_written);
});

test("an object that starts again goes on where it was", async () => {
  const channel = hub.channel("epoch");
  const { id } = await channel.publish("x");
  await hub.server.getWorker().evictDurableObject("CHANNEL", { name: "epoch" });
  assert.equal((await channel.publish("x")).id, id.replace(/-1$/, "-2"));
});

test("without a history it begins a larger epoch", async () => {
  const forgetful = await startHub({ HISTORY_EVENTS: "0" });
  const channel = forgetful.channel("epoch");
  const before = await channel.publish("x");
  assert.equal((await channel.stats()).history, null);
  await forgetful.server.getWorker().evictDurableObject("CHANNEL", { name: "epoch" });
  const after = await channel.publish("x");
  assert.match(after.id, /-1$/);
  assert.ok(after.id > before.id);
});

test("HEAD answers like GET and opens no stream", async () => {
  const channel = hub.channel("head");
  const response = await hub.fetch(channel.path, { method: "HEAD" });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const stats = await hub.fetch(`${channel.path}/stats`, { method: "HEAD" });
  assert.equal(stats.status, 200);
  assert.equal(stats.headers.get("content-type"), "application/json");
  assert.equal(await stats.text(), "");
  assert.equal((await channel.stats()).connected, 0);
});

test("a batch's media type alone makes it one", async () => {
  const channel = hub.channel("types");
  const listener = await listen(channel);
  await channel.publish("data: 1\n\n", { headers: { "Content-Type": "text/plain" } });
  await channel.publish("data: 1\n\n", { headers: batchHeaders });
  await listener.untilEvents(2);
  assert.deepEqual(
    listener.events.map((event) => event.data),
    ["data: 1\n\n", "1"],
  );
});
