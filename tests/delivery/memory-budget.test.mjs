// MEMORY_BYTES: the limit of the memory for the bodies of publishes and for the logs of channels.
import assert from "node:assert/strict";
import { test } from "node:test";
import { rawConnection } from "../support/raw.mjs";
import { smallMemoryModules } from "../support/small-memory.mjs";
import { resume, subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const MIB = 2 ** 20;
const QUIET = { LOG_LEVEL: "error" };
/** The smallest MEMORY_BYTES that the default BUFFER_BYTES permits. */
const LEAST_MEMORY = String(8 * MIB + 65_536);
const BATCH = Array.from({ length: 15 }, (_, number) => `${number} `.padEnd(60_000, "x"));

/** Sends a publish whose body never ends. */
async function unfinishedPublish(channel, headers, body) {
  const connection = await rawConnection(channel.hub.origin);
  connection.send(`POST ${channel.path}/broadcast HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`);
  return connection;
}

test("a body that does not arrive within BODY_SECONDS is answered with 408 and frees its memory", async () => {
  const hub = await startWorkerd({ ...QUIET, MEMORY_BYTES: LEAST_MEMORY, BODY_SECONDS: "1" });
  const channel = hub.channel("slow");
  const started = performance.now();
  const declared = await unfinishedPublish(channel, "Content-Length: 50000", "x");
  const chunked = await unfinishedPublish(channel, "Transfer-Encoding: chunked", "5\r\nhello\r\n");
  for (const connection of [declared, chunked]) {
    const answer = await connection.untilClosed();
    assert.match(answer, /^HTTP\/1\.1 408 /);
    assert.match(answer, /"type":"urn:sse-broadcaster:problem:body-too-slow".*BODY_SECONDS/);
  }
  const took = performance.now() - started;
  assert.ok(took > 950 && took < 10_000, `${took} ms`);
  assert.equal((await channel.publish("x".repeat(60_000))).events, 1);
});

test("a publish whose declared length exceeds the free memory is answered with 503 before its body is read", async () => {
  const hub = await startWorkerd({ ...QUIET, MEMORY_BYTES: LEAST_MEMORY });
  const [full, other] = [hub.channel("full"), hub.channel("other")];
  // Bodies may use a quarter of the limit, and those of one channel a third of that, which is 11 of these bodies.
  const held = await Promise.all(
    Array.from({ length: 15 }, () => unfinishedPublish(full, "Content-Length: 60000", "")),
  );
  const answered = () => held.filter((connection) => connection.received());
  await eventually(() => answered().length === 4);
  const refused = await answered()[0].untilClosed();
  assert.match(refused, /^HTTP\/1\.1 503 /);
  assert.match(refused, /^Retry-After: 1\r$/m);
  assert.match(refused, /"type":"urn:sse-broadcaster:problem:memory-full".*MEMORY_BYTES/);
  assert.equal((await other.publish("x".repeat(60_000))).events, 1);
  assert.equal(answered().length, 4);
  for (const { socket } of held) socket.resetAndDestroy();
  await eventually(async () => (await fetch(`${full.url}/broadcast`, { method: "POST", body: "now" })).status === 200);
});

test("the memory of a body is free again after its client has disconnected", async () => {
  const hub = await startWorkerd({ ...QUIET, MEMORY_BYTES: LEAST_MEMORY, BODY_SECONDS: "300" });
  const channel = hub.channel("broken");
  // These bodies have 18 MB in total. The limit for them is 1 MB.
  for (let round = 0; round < 20; round++) {
    const connections = await Promise.all(
      Array.from({ length: 15 }, (_, number) => {
        const declared = number % 2 === 0;
        const headers = declared ? "Content-Length: 60000" : "Transfer-Encoding: chunked";
        return unfinishedPublish(channel, headers, declared ? "x".repeat(30_000) : `7530\r\n${"x".repeat(30_000)}\r\n`);
      }),
    );
    await sleep(20);
    for (const [number, { socket }] of connections.entries()) {
      if (number % 3) socket.resetAndDestroy();
      else socket.destroy();
    }
    await sleep(20);
  }
  const publish = () => fetch(`${channel.url}/broadcast`, { method: "POST", body: "x".repeat(60_000) });
  await eventually(async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, publish));
    return answers.every(({ status }) => status === 200);
  });
});

/** Publishes 0.9 MB to each of `count` channels with one stream. The logs keep these events. Returns the streams. */
async function fillLogs(hub, count) {
  const subscribers = [];
  for (let number = 0; number < count; number++) {
    const channel = hub.channel(`log-${number}`);
    subscribers.push(await subscribe(channel));
    await channel.publishBatch(BATCH);
  }
  return subscribers;
}

for (const HISTORY_EVENTS of ["1000", "0"]) {
  test(`logs free memory without a loss for streams that keep up (HISTORY_EVENTS=${HISTORY_EVENTS})`, {
    timeout: 60_000,
  }, async () => {
    // 50 logs of 0.9 MB exceed the 36 MiB of this instance, so the test fails if the logs exceed MEMORY_BYTES.
    const settings = { ...QUIET, HISTORY_EVENTS, MEMORY_BYTES: String(9 * MIB) };
    const hub = await startWorkerd(settings, { worker: smallMemoryModules(36 * MIB) });
    const subscribers = await fillLogs(hub, 50);
    for (const subscriber of subscribers) {
      await subscriber.channel.publish("after");
      await subscriber.untilEvents(BATCH.length + 1);
      const { events, dropped, gap } = subscriber.account();
      assert.deepEqual([events.length, dropped, gap, subscriber.ended], [BATCH.length + 1, 0, 0, false]);
    }
    const first = subscribers[0].channel;
    const resumed = await resume(first, subscribers[0].startId);
    await resumed.untilId(subscribers[0].lastEventId);
    const { events, gap } = resumed.account();
    // Without a history, only the log has events.
    assert.deepEqual([events.length, gap], HISTORY_EVENTS === "0" ? [1, BATCH.length] : [BATCH.length + 1, 0]);
  });
}

for (const HISTORY_EVENTS of ["1000", "0"]) {
  test(`logs free memory that stalled streams still need, and report the drops (HISTORY_EVENTS=${HISTORY_EVENTS})`, {
    timeout: 90_000,
  }, async () => {
    const settings = { ...QUIET, HISTORY_EVENTS, HEARTBEAT_SECONDS: "1", MEMORY_BYTES: String(9 * MIB) };
    // 40 logs of 1 MB exceed this memory.
    const hub = await startWorkerd(settings, { worker: smallMemoryModules(36 * MIB) });
    const stalled = [];
    let reported = 0;
    for (let number = 0; number < 40; number++) {
      const subscriber = await subscribe(hub.channel(`stalled-${number}`), { paused: true });
      stalled.push(subscriber);
      // The buffers of the kernel take some megabytes of this.
      for (let round = 0; round < 8; round++) reported += (await subscriber.channel.publishBatch(BATCH)).dropped;
    }
    let dropped = 0;
    for (const subscriber of stalled) {
      // A stalled stream keeps its object awake, and an object that sleeps forgets its counters.
      subscriber.unpause();
      const receipt = await subscriber.channel.publish("last");
      reported += receipt.dropped;
      await subscriber.untilId(receipt.id);
      subscriber.account();
      dropped += (await subscriber.channel.stats()).dropped;
    }
    const noticed = stalled.reduce((sum, subscriber) => sum + subscriber.account().dropped, 0);
    console.log(`# stalled streams, history ${HISTORY_EVENTS}: ${dropped} dropped`);
    assert.deepEqual(
      { noticed, reported },
      { noticed: dropped, reported: dropped },
      "receipts and notices count each drop",
    );
  });
}
