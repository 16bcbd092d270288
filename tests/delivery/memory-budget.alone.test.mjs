// What publishers send has a bound in memory (MEMORY_BYTES), and one channel's publishes leave room for the others'. On bare
// workerd, whose memory is the hub's alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startBurst } from "../support/burst.mjs";
import { rawConnection } from "../support/raw.mjs";
import { smallMemoryModules } from "../support/small-memory.mjs";
import { resume, subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const MIB = 2 ** 20;
const QUIET = { LOG_LEVEL: "error" };
/** The least that the default BUFFER_BYTES permits. */
const LEAST_MEMORY = String(8 * MIB + 65_536);
const BATCH = Array.from({ length: 15 }, (_, number) => `${number} `.padEnd(60_000, "x"));

/** Publishes to `channel` until `isDone`, at least for `ms`. Returns the times that this took, in milliseconds, in order. */
async function measurePublishes(channel, ms, isDone) {
  const times = [];
  const end = performance.now() + ms;
  while (performance.now() < end || !isDone()) {
    const started = performance.now();
    await channel.publish("tick");
    times.push(performance.now() - started);
    await sleep(5);
  }
  return times.sort((a, b) => a - b);
}

/** Sends a publish whose body never ends. */
async function unfinishedPublish(channel, headers, body) {
  const connection = await rawConnection(channel.hub.origin);
  connection.send(`POST ${channel.path}/broadcast HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`);
  return connection;
}

for (const [what, load] of Object.entries({
  "1,000 publishes of 1 MB at once": { count: 1_000, bytes: 1_000_000 },
  "3,500 publishes of 1 MB over 30 s": { count: 3_500, seconds: 30, bytes: 1_000_000 },
  "4,300 publishes of 531 kB that never end": { count: 4_300, bytes: 531_000, unfinished: true },
})) {
  test(`${what} to one channel delay no publish to another, and fit into 1 GB`, { timeout: 120_000 }, async () => {
    // The least that `npm run serve` sets, and a short time for bodies, so that those that never end do not last for longer than this.
    const hub = await startWorkerd({ ...QUIET, MEMORY_BYTES: String(128 * MIB), BODY_SECONDS: "10" });
    const [other, loaded] = [hub.channel("other"), hub.channel("loaded")];
    const subscriber = await subscribe(other);
    await other.publish("before");
    const burst = await startBurst(hub.workerd.port, `${loaded.path}/broadcast`, load);
    let answers;
    burst.done.then((all) => (answers = all));
    const times = await measurePublishes(other, 5_000, () => answers);
    const p99 = times[Math.floor(times.length * 0.99)];
    const peak = hub.peakBytes();
    const figures = `p50 ${Math.round(times[times.length >> 1])} ms, p99 ${Math.round(p99)} ms, peak ${Math.round(peak / 1e6)} MB`;
    console.log(`# ${what}: ${JSON.stringify(answers)}; ${times.length} other publishes: ${figures}`);
    assert.ok(p99 < 500, figures);
    assert.ok(peak < 1e9, figures);
    await subscriber.untilEvents(times.length + 1);
    assert.equal(subscriber.account().events.length, times.length + 1);
    assert.ok(answers[503] > 0, "some were refused");
    const { history, seq } = await loaded.stats();
    if (!load.unfinished)
      assert.equal(seq, answers[200] * Math.floor(load.bytes / 60_000), "all that was acknowledged is there");
    else assert.deepEqual([seq, history.events, answers[200]], [0, 0, undefined]);
    assert.equal((await loaded.publish("after")).events, 1);
  });
}

test("a body that does not arrive in time is answered with 408, and gives its room back", async () => {
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
  assert.ok(took > 950 && took < 5_000, `${took} ms`);
  assert.equal((await channel.publish("x".repeat(60_000))).events, 1);
});

test("beyond the limit a publish is refused by its declared length, before its body is read, and told when to come again", async () => {
  const hub = await startWorkerd({ ...QUIET, MEMORY_BYTES: LEAST_MEMORY });
  const [full, other] = [hub.channel("full"), hub.channel("other")];
  // Bodies may take a quarter of the limit, one channel's a third of that: 11 of these.
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

test("clients that break off in the middle of a body leave nothing behind", async () => {
  const hub = await startWorkerd({ ...QUIET, MEMORY_BYTES: LEAST_MEMORY, BODY_SECONDS: "300" });
  const channel = hub.channel("broken");
  // 18 MB altogether, where there is room for 1 MB.
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
  await eventually(
    async () => (await fetch(`${channel.url}/broadcast`, { method: "POST", body: "x".repeat(60_000) })).status === 200,
  );
  const all = await Promise.all(Array.from({ length: 5 }, () => channel.publish("x".repeat(60_000))));
  assert.equal(all.length, 5);
});

/** Publishes 0.9 MB to each of `count` channels with a stream each, whose logs keep that. Returns the streams. */
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
  test(`logs give memory back, and nothing is lost for streams that keep up (HISTORY_EVENTS=${HISTORY_EVENTS})`, {
    timeout: 60_000,
  }, async () => {
    // 100 logs of 0.9 MB do not fit into the 64 MiB of this instance, but what it may count does.
    const settings = { ...QUIET, HISTORY_EVENTS, MEMORY_BYTES: String(16 * MIB) };
    const hub = await startWorkerd(settings, { worker: smallMemoryModules(64 * MIB) });
    const subscribers = await fillLogs(hub, 100);
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
    // Without a history the log is all that there was.
    assert.deepEqual([events.length, gap], HISTORY_EVENTS === "0" ? [1, BATCH.length] : [BATCH.length + 1, 0]);
  });
}

for (const HISTORY_EVENTS of ["1000", "0"]) {
  test(`logs that stalled streams still need give memory back, too (HISTORY_EVENTS=${HISTORY_EVENTS})`, {
    timeout: 90_000,
  }, async () => {
    const settings = { ...QUIET, HISTORY_EVENTS, HEARTBEAT_SECONDS: "1", MEMORY_BYTES: String(9 * MIB) };
    // 60 logs of 1 MB do not fit.
    const hub = await startWorkerd(settings, { worker: smallMemoryModules(48 * MIB) });
    const stalled = [];
    let reported = 0;
    for (let number = 0; number < 60; number++) {
      const subscriber = await subscribe(hub.channel(`stalled-${number}`), { paused: true });
      stalled.push(subscriber);
      // The kernel takes some megabytes of it.
      for (let round = 0; round < 8; round++) reported += (await subscriber.channel.publishBatch(BATCH)).dropped;
    }
    for (const subscriber of stalled) subscriber.unpause();
    for (const subscriber of stalled) {
      const { id, dropped } = await subscriber.channel.publish("last");
      reported += dropped;
      await subscriber.untilId(id);
      subscriber.account();
    }
    const totals = await Promise.all(stalled.map(({ channel }) => channel.stats()));
    const dropped = totals.reduce((sum, stats) => sum + stats.dropped, 0);
    const told = stalled.reduce((sum, subscriber) => sum + subscriber.account().dropped, 0);
    console.log(`# stalled streams, history ${HISTORY_EVENTS}: ${dropped} dropped`);
    assert.deepEqual(
      { told, reported },
      { told: dropped, reported: dropped },
      "each drop is in a receipt and in a notice",
    );
  });
}
