// The bytes of a stream, receipts and stats.
import assert from "node:assert/strict";
import { test } from "node:test";
import { heldByWorker, startHub } from "../support/hub.mjs";
import { EPOCH, subscribe } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";

const hub = await startHub();
const batchHeaders = { "Content-Type": "text/event-stream" };

test("a stream starts at once with its headers, retry and hub.open with the id of the newest event", async () => {
  const channel = hub.channel("opening");
  const first = await subscribe(channel);
  assert.equal(first.status, 200);
  assert.equal(first.headers["content-type"], "text/event-stream; charset=utf-8");
  assert.equal(first.headers["cache-control"], "no-cache, no-transform");
  assert.equal(first.headers["x-accel-buffering"], "no");
  assert.equal(first.headers["access-control-allow-origin"], "*");
  const data = `{"channel":"opening","id":"${first.startId}"}`;
  assert.equal(first.text, `retry: ${first.retry}\nevent: hub.open\ndata: ${data}\nid: ${first.startId}\n\n`);
  assert.match(first.startId, new RegExp(`^${EPOCH}-0$`));
  assert.ok(first.retry >= 2000 && first.retry <= 4000, `${first.retry}`);
  assert.deepEqual(first.events, []);

  const { id } = await channel.publish("x");
  const second = await subscribe(channel);
  assert.equal(second.startId, id);
});

test("different streams have different values of retry", async () => {
  const channel = hub.channel("retry");
  const streams = await Promise.all(Array.from({ length: 8 }, () => subscribe(channel)));
  assert.ok(new Set(streams.map((stream) => stream.retry)).size > 1);
});

test("an event has the documented bytes, and the receipt has its id", async () => {
  const channel = hub.channel("bytes");
  const subscriber = await subscribe(channel);
  const opening = subscriber.text.length;
  const receipt = await channel.publish(new URLSearchParams({ foo: "bar" }));
  const { epoch } = await channel.stats();
  assert.deepEqual(receipt, { id: `${epoch}-1`, events: 1, subscribers: 1, dropped: 0 });
  await channel.publish("7 : 3", { query: "?event=score" });
  await subscriber.untilEvents(2);
  assert.equal(
    subscriber.text.slice(opening),
    `data: foo=bar\nid: ${epoch}-1\n\nevent: score\ndata: 7 : 3\nid: ${epoch}-2\n\n`,
  );
});

test("a subscriber receives any payload unchanged except for line ends", async () => {
  const channel = hub.channel("payloads");
  const subscriber = await subscribe(channel);
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
  await subscriber.untilEvents(payloads.length);
  const expected = payloads.map((payload) => payload.replaceAll("\r\n", "\n").replaceAll("\r", "\n"));
  assert.deepEqual(
    subscriber.events.map((event) => event.data),
    expected,
  );
  assert.ok(subscriber.events.every((event) => event.event === undefined));
  assert.equal(subscriber.account().events.length, payloads.length);
});

test("a batch is parsed as an event stream", async () => {
  const channel = hub.channel("batch");
  const subscriber = await subscribe(channel);
  const body =
    "\ufeff: comment\r\nid: 77\r\nretry: 9\r\nevent: a\r\ndata: 1\r\ndata:2\r\n\r\n" +
    "event: without data\n\ndata\rdata:  x\r\rdata: unfinished";
  const receipt = await channel.publish(body, { headers: { "Content-Type": "Text/Event-Stream; charset=utf-8" } });
  assert.equal(receipt.events, 3);
  assert.match(receipt.id, /-3$/);
  await subscriber.untilEvents(3);
  assert.deepEqual(
    subscriber.events.map(({ event, data }) => [event, data]),
    [
      ["a", "1\n2"],
      [undefined, "\n x"],
      [undefined, "unfinished"],
    ],
  );
  assert.equal(subscriber.retry < 4001 && subscriber.retry > 1999, true, "a publisher's retry is ignored");
});

test("a batch of MAX_BATCH_EVENTS is delivered in order", async () => {
  const channel = hub.channel("batch-256");
  const subscriber = await subscribe(channel);
  const receipt = await channel.publishBatch(Array.from({ length: 256 }, (_, i) => ["n", i]));
  assert.equal(receipt.events, 256);
  await subscriber.untilEvents(256);
  assert.deepEqual(
    subscriber.events.map((event) => event.data),
    Array.from({ length: 256 }, (_, i) => String(i)),
  );
});

test("a body in chunks that end inside characters is delivered whole", async () => {
  const channel = hub.channel("pieces");
  const subscriber = await subscribe(channel);
  const bytes = new TextEncoder().encode("🎉é∑".repeat(50));
  let offset = 0;
  const body = new ReadableStream({
    async pull(controller) {
      if (offset >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(offset, offset + 3));
      offset += 3;
    },
  });
  await channel.publish(body, { duplex: "half" });
  await subscriber.untilEvents(1);
  assert.equal(subscriber.events[0].data, "🎉é∑".repeat(50));
});

test("stats count subscribers, events, connections, drops and stored rows", async () => {
  const channel = hub.channel("stats");
  const gone = await subscribe(channel);
  const stays = await subscribe(channel);
  await channel.publish("a");
  await channel.publishBatch(["b", "c"]);
  gone.reset();
  await stays.untilEvents(3);
  await channel.publish("d");
  await stays.untilEvents(4);
  // The hub notices a closed connection at the latest when it writes to it.
  await eventually(async () => (await channel.stats()).subscribers === 1);
  const stats = await channel.stats();
  assert.match(stats.epoch, new RegExp(`^${EPOCH}$`));
  assert.equal(typeof stats.uptime_seconds, "number");
  assert.ok(Math.abs(Date.now() - stats.awake_since) < 60_000, `${stats.awake_since}`);
  assert.deepEqual(stats, {
    channel: "stats",
    epoch: stats.epoch,
    seq: 4,
    subscribers: 1,
    feeds: heldByWorker ? 1 : 0,
    busy: 0,
    published: 4,
    dropped: 0,
    connected: 2,
    awake_since: stats.awake_since,
    uptime_seconds: stats.uptime_seconds,
    ended: false,
    history: {
      oldest: `${stats.epoch}-1`,
      events: 4,
      bytes: "data: a\n\n".length * 4,
      rows_written: stats.history.rows_written,
    },
  });
  // Each commit writes one row. The creation of the channel writes some more.
  assert.ok(stats.history.rows_written >= 3 && stats.history.rows_written <= 9, stats.history.rows_written);
});

test("an object that the platform has evicted continues its epoch and seq", async () => {
  const channel = hub.channel("epoch");
  const { id } = await channel.publish("x");
  await hub.server.getWorker().evictDurableObject("CHANNEL", { name: "epoch" });
  assert.equal((await channel.publish("x")).id, id.replace(/-1$/, "-2"));
});

test("HEAD of a stream and of stats has the headers of GET and opens no stream", async () => {
  const channel = hub.channel("head");
  const response = await hub.fetch(channel.path, { method: "HEAD" });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  const stats = await hub.fetch(`${channel.path}/stats`, { method: "HEAD" });
  assert.equal(stats.status, 200);
  assert.equal(stats.headers.get("content-type"), "application/json");
  assert.equal(await stats.text(), "");
  assert.equal((await channel.stats()).connected, 0);
});

test("a body may name UTF-8 or ASCII as its charset", async () => {
  const channel = hub.channel("charsets");
  const charsets = ["utf-8", "UTF-8", "utf8", '"utf-8"', "us-ascii", ""];
  for (const charset of charsets) {
    const headers = { "Content-Type": `text/plain; charset=${charset}` };
    assert.equal((await channel.publish("x", { headers })).events, 1, charset);
    const events = { "Content-Type": `text/event-stream; charset=${charset}` };
    assert.equal((await channel.publish("data: x\n\n", { headers: events })).events, 1, charset);
  }
  assert.equal((await channel.stats()).published, 2 * charsets.length);
});

test("only a body with the media type of an event stream is a batch", async () => {
  const channel = hub.channel("types");
  const subscriber = await subscribe(channel);
  await channel.publish("data: 1\n\n", { headers: { "Content-Type": "text/plain" } });
  await channel.publish("data: 1\n\n", { headers: batchHeaders });
  await subscriber.untilEvents(2);
  assert.deepEqual(
    subscriber.events.map((event) => event.data),
    ["data: 1\n\n", "1"],
  );
});
