// Requests that cost the hub more than their sender: they delay no publish to another channel by more than a second, and
// need little memory.
// These tests run on bare workerd with the settings of `npm run serve`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startBurst } from "../support/burst.mjs";
import { measurePublishes } from "../support/latency.mjs";
import { repeatRequest } from "../support/repeat.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const MEMORY_BYTES = String(2 ** 27);
/** The limit of the 99th percentile. Some loads leave time for 40 publishes only, and it is the slowest of these. */
const MAX_DELAY_MS = 1_000;
// This load leaves time for 30 publishes only, and single turns of the event loop read from all of its connections. So
// the limit is that of the 90th percentile.
const MANY_CONNECTIONS = "publishes in chunks of one byte over 2,000 connections";
const MAX_MS = 4_000;
const MAX_PEAK_BYTES = 1e9;
const MS = 5_000;

/**
 * Publishes to a channel during `load` and at least for MS, and checks the times of these publishes, their delivery and
 * the memory of the hub. Returns the result of `load`.
 * @template T
 * @param {Awaited<ReturnType<typeof startWorkerd>>} hub
 * @param {string} name
 * @param {Promise<T>} load
 */
async function assertNoDelay(hub, name, load) {
  const channel = hub.channel("other");
  const subscriber = await subscribe(channel);
  let isOver = false;
  const over = load.finally(() => {
    isOver = true;
  });
  const end = performance.now() + MS;
  const { count, p50, p90, p99, max } = await measurePublishes(channel, () => isOver && performance.now() > end);
  const result = await over;
  const peak = hub.peakBytes();
  const figures = `p50 ${p50} ms, p90 ${p90} ms, p99 ${p99} ms, maximum ${max} ms, peak ${Math.round(peak / 1e6)} MB`;
  console.log(`# ${name}: ${JSON.stringify(result) ?? "done"}; ${count} other publishes: ${figures}`);
  if (name === MANY_CONNECTIONS) assert.ok(p90 < MAX_DELAY_MS && max < MAX_MS, figures);
  else assert.ok(p99 < MAX_DELAY_MS, figures);
  assert.ok(peak < MAX_PEAK_BYTES, figures);
  await subscriber.untilEvents(count);
  assert.equal(subscriber.account().events.length, count);
  return result;
}

const post = (path, headers, body) => `POST ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`;
const get = (path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** @type {Record<string, Omit<import("../support/repeat.mjs").Repetition, "ms">>} */
const REQUESTS = {
  "requests with paths of 30,000 segments": { connections: 16, text: get("/a".repeat(30_000)) },
  "publishes of 65,536 line ends to 40 channels": {
    connections: 40,
    text: post("/channels/lines-%N/broadcast", "Content-Length: 65536", "\n".repeat(65_536)),
  },
  [MANY_CONNECTIONS]: {
    connections: 2_000,
    text: post("/channels/bytes/broadcast", "Transfer-Encoding: chunked", `${"1\r\nx\r\n".repeat(5_000)}0\r\n\r\n`),
  },
  "requests for pages of a history that are not read": {
    connections: 500,
    text: get("/channels/large/events?limit=1000"),
    reads: false,
  },
  "requests for pages of a history": { connections: 50, text: get("/channels/large/events?limit=1000") },
};

for (const [name, requests] of Object.entries(REQUESTS)) {
  test(`${name} delay no publish to another channel`, { timeout: 60_000 }, async () => {
    const hub = await startWorkerd({ LOG_LEVEL: "error", MEMORY_BYTES, MAX_OPEN_CHANNELS: "3000" });
    // As JSON, these events are six times as long.
    for (let number = 0; number < 20; number++) await hub.channel("large").publish("\u0001".repeat(60_000));
    await assertNoDelay(hub, name, repeatRequest(hub.workerd.port, { ms: MS, ...requests }));
  });
}

/** Reads from one new channel after the other over 64 connections. Returns how many answers of each status came. */
async function openChannels(hub, path) {
  const statuses = {};
  const end = Date.now() + MS;
  let number = 0;
  const client = async () => {
    while (Date.now() < end) {
      const response = await fetch(`${hub.origin}/channels/new-${number++}${path}`);
      if (response.status === 200 && path === "") await response.body.cancel();
      else await response.text();
      statuses[response.status] = (statuses[response.status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: 64 }, client));
  return statuses;
}

for (const [name, path] of Object.entries({ "reads of new channels": "/events", "streams of new channels": "" })) {
  test(`${name} over 64 connections delay no publish to another channel`, { timeout: 60_000 }, async () => {
    const hub = await startWorkerd({ LOG_LEVEL: "error", MEMORY_BYTES, MAX_OPEN_CHANNELS: "2000" });
    await assertNoDelay(hub, name, openChannels(hub, path));
  });
}

for (const [name, burst] of Object.entries({
  "1,000 publishes of 1 MB at once": { count: 1_000, bytes: 1_000_000 },
  "720 publishes of 1 MB over 6 s": { count: 720, seconds: 6, bytes: 1_000_000 },
  "4,300 publishes of 531 kB that never end": { count: 4_300, bytes: 531_000, unfinished: true },
})) {
  test(`${name} to one channel delay no publish to another`, { timeout: 120_000 }, async () => {
    // BODY_SECONDS ends the publishes that never end.
    const hub = await startWorkerd({ LOG_LEVEL: "error", MEMORY_BYTES, BODY_SECONDS: "5" });
    const loaded = hub.channel("loaded");
    const { done } = await startBurst(hub.workerd.port, `${loaded.path}/broadcast`, burst);
    const answers = await assertNoDelay(hub, name, done);
    assert.ok(answers[503] > 0, "the hub has refused some of them");
    const { history, seq } = await loaded.stats();
    if ("unfinished" in burst) assert.deepEqual([seq, history.events, answers[200]], [0, 0, undefined]);
    else assert.equal(seq, answers[200] * Math.floor(burst.bytes / 60_000), "each acknowledged publish is there");
    assert.equal((await loaded.publish("after")).events, 1);
  });
}
