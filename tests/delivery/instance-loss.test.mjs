// The loss of the WebAssembly instance that all objects and the Worker share. These tests fill its memory, whose limit is
// smaller than the runtime's 4 GiB, until it traps.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { EventSource } from "eventsource";
import { smallMemoryModules } from "../support/small-memory.mjs";
import { eventually } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const HEARTBEAT_SECONDS = 2;
const CHANNELS = 20;
const STREAMS_PER_CHANNEL = 10;
/** The channels without publishes between the trap and the end of their streams. */
const QUIET = 10;
const LARGE_BATCH = `data: ${"x".repeat(60_000)}\n\n`.repeat(15);

/** An EventSource, which reconnects and resumes by itself. */
class Reader {
  constructor(channel) {
    this.received = [];
    this.opened = 0;
    this.closed = [];
    this.source = new EventSource(channel.url);
    this.source.onopen = () => this.opened++;
    this.source.onmessage = ({ data }) => this.received.push(data);
    this.source.onerror = () => this.closed.push(performance.now());
    for (const notice of ["hub.gap", "hub.dropped"]) {
      this.source.addEventListener(notice, ({ data }) => this.received.push(`${notice} ${data}`));
    }
    after(() => this.source.close());
  }
}

/** Publishes with one idempotency key until that succeeds. */
async function publishWithRetries(channel, data) {
  const headers = { "Idempotency-Key": data };
  for (let attempt = 1; ; attempt++) {
    const request = { method: "POST", body: data, headers, signal: AbortSignal.timeout(5_000) };
    const response = await fetch(`${channel.url}/broadcast`, request);
    await response.text();
    if (response.status === 200) return;
    assert.equal(response.status, 503);
    assert.ok(attempt < 10);
  }
}

/** Publishes large batches to new channels, whose logs keep them, until a publish fails. Returns its problem. */
async function fillMemory(hub, round) {
  for (let number = 0; number < 1_000; number++) {
    const response = await fetch(`${hub.channel(`filler-${round}-${number}`).url}/broadcast`, {
      method: "POST",
      body: LARGE_BATCH,
      headers: { "Content-Type": "text/event-stream" },
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    if (response.status !== 200) return { status: response.status, ...JSON.parse(text) };
  }
  throw new Error("the memory has not been filled");
}

test("after a trap of the instance all streams end and resume, and every event is delivered once", async () => {
  const settings = { LOG_LEVEL: "error", HEARTBEAT_SECONDS: String(HEARTBEAT_SECONDS), MEMORY_BYTES: String(2 ** 31) };
  const hub = await startWorkerd(settings, { worker: smallMemoryModules(32 << 20) });
  const channels = Array.from({ length: CHANNELS }, (_, number) => hub.channel(`loss-${number}`));
  const published = new Map(channels.map((channel) => [channel, []]));
  const publish = async (channel, data) => {
    await publishWithRetries(channel, data);
    published.get(channel).push(data);
  };
  await Promise.all(channels.map((channel) => publish(channel, "before the readers")));
  const readers = channels.map((channel) => Array.from({ length: STREAMS_PER_CHANNEL }, () => new Reader(channel)));
  const all = readers.flat();
  await eventually(() => all.every(({ opened }) => opened === 1), 20_000, "all streams are open");
  await Promise.all(channels.map((channel) => publish(channel, "before the trap")));

  for (const round of [1, 2]) {
    const opened = all.map((reader) => reader.opened);
    const problem = await fillMemory(hub, round);
    const lostAt = performance.now();
    assert.equal(problem.status, 503);
    assert.match(problem.type, /channel-unavailable$/);
    const busy = channels.slice(QUIET);
    const publishing = Promise.all(busy.map((channel) => publish(channel, `after trap ${round}`)));
    // The timer of a quiet object notices the trap at the next heartbeat.
    const deadline = HEARTBEAT_SECONDS * 1_000 + 8_000;
    await eventually(() => all.every((reader) => reader.closed.length >= round), deadline, "all streams have ended");
    const slowest = Math.max(...all.map((reader) => reader.closed.at(-1) - lostAt));
    console.log(`# trap ${round}: the last of ${all.length} streams ended after ${Math.round(slowest)} ms`);
    await publishing;
    await eventually(() => all.every((reader, i) => reader.opened > opened[i]), 20_000, "all streams are open again");
    await Promise.all(channels.map((channel) => publish(channel, `after the readers came back from trap ${round}`)));
  }
  for (const [number, channel] of channels.entries()) {
    const [, ...expected] = published.get(channel);
    for (const { received } of readers[number]) {
      await eventually(() => received.length >= expected.length, 10_000, "all events are there");
      assert.deepEqual(received, expected);
    }
  }
});

test("after a trap a publish without a key to an object of the lost instance succeeds at once", async () => {
  const hub = await startWorkerd(
    { LOG_LEVEL: "error", MEMORY_BYTES: String(2 ** 31) },
    { worker: smallMemoryModules(32 << 20) },
  );
  const channel = hub.channel("unkeyed");
  await channel.publish("before");
  await fillMemory(hub, 1);
  assert.equal((await channel.publish("after")).events, 1);
  const { events } = await channel.history();
  assert.deepEqual(
    events.map(({ data }) => data),
    ["before", "after"],
  );
});
