// A full disk: publishes are refused, everything else works, and exactly the acknowledged events are stored.
import assert from "node:assert/strict";
import { test } from "node:test";
import { serve } from "../support/serve.mjs";
import { smallDisk, whyNoDisk } from "../support/small-disk.mjs";
import { afterReset, parseId, resume, subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const skip = whyNoDisk();
const DISK_BYTES = 16 << 20;
const STORAGE_FAILED = "urn:sse-broadcaster:problem:storage-failed";
const CHANNEL_UNAVAILABLE = "urn:sse-broadcaster:problem:channel-unavailable";
const SETTINGS = { LOG_LEVEL: "error", MAX_EVENT_BYTES: "1000000" };

/** Starts a hub whose storage is on a small disk. */
async function startOnSmallDisk(settings = SETTINGS) {
  let disk;
  const makeStateDir = () => {
    disk = smallDisk(DISK_BYTES);
    return disk.folder;
  };
  const hub = await startWorkerd(settings, { makeStateDir, withLog: true });
  return { hub, disk };
}

/** Publishes, and returns either the receipt or the problem of a 503. */
async function attempt(channel, body, key) {
  const headers = key ? { "Idempotency-Key": key } : {};
  const response = await fetch(`${channel.url}/broadcast`, { method: "POST", body, headers });
  const answer = await response.json();
  if (response.status === 200) return { receipt: answer };
  assert.equal(response.status, 503, JSON.stringify(answer));
  assert.ok(Number(response.headers.get("retry-after")) > 0);
  return { problem: answer };
}

const dataOf = ({ events }) => events.map(({ data }) => data);

test("on a full disk publishes are answered with 503 while streams and reads work, and succeed when there is space", {
  skip,
  timeout: 60_000,
}, async () => {
  const { hub, disk } = await startOnSmallDisk();
  const channels = ["first", "second", "third"].map((id) => hub.channel(id));
  const [first, second] = channels;
  for (const channel of channels) await channel.publish("before");
  const streams = await Promise.all(channels.map((channel) => subscribe(channel)));
  disk.fill();
  assert.equal(disk.free, 0);

  const { problem } = await attempt(first, "x".repeat(64));
  assert.equal(problem.type, STORAGE_FAILED);
  assert.match(problem.detail, /takes no more data \(database or disk is full: SQLITE_FULL\).*nothing was published/);
  assert.ok(!problem.detail.includes("/"), problem.detail);
  // The runtime has reset the object whose write has failed.
  streams[0] = await afterReset(streams[0]);

  for (let round = 0; round < 2; round++) {
    for (const channel of [...channels, hub.channel("new")]) {
      const publishes = [{ size: 64 }, { size: 999_000 }].flatMap(({ size }) => [
        { size, key: undefined },
        { size, key: `key ${size} ${round}` },
      ]);
      for (const { size, key } of publishes) {
        const { problem } = await attempt(channel, "r".repeat(size), key);
        assert.equal(problem?.type, STORAGE_FAILED, `${channel.id}, ${size} bytes, ${key}`);
      }
    }
  }
  const many = await Promise.all(Array.from({ length: 100 }, (_, n) => attempt(channels[n % 3], "r")));
  for (const { problem } of many) assert.equal(problem?.type, STORAGE_FAILED);
  for (const channel of channels) assert.deepEqual(dataOf(await channel.history()), ["before"]);
  const late = await resume(second, `${parseId(streams[1].startId).epoch}-0`);
  await late.untilEvents(1);
  assert.equal(late.account().gap, 0);
  for (const stream of streams) assert.ok(!stream.ended, `the stream of ${stream.channel.id} has ended`);

  disk.clear();
  const receipts = [];
  for (const channel of [second, first, channels[2], hub.channel("new")]) receipts.push(await channel.publish("after"));
  assert.deepEqual(
    receipts.map(({ id }) => parseId(id).seq),
    [2, 2, 2, 1],
  );
  for (const stream of streams) {
    await stream.untilEvents(1);
    assert.deepEqual(dataOf(stream.account()), ["after"]);
  }
  // A refused publish has not used up its key.
  const { receipt } = await attempt(second, "r".repeat(64), "key 64 0");
  assert.equal(parseId(receipt.id).seq, 3);
  await hub.restart();
  assert.deepEqual(dataOf(await first.history()), ["before", "after"]);
  assert.deepEqual(dataOf(await second.history()), ["before", "after", "r".repeat(64)]);
});

test("an object that is reset with publishes in flight frees their memory", {
  skip,
  timeout: 60_000,
}, async () => {
  // The limit for bodies in objects is 2.1 MB.
  const { hub, disk } = await startOnSmallDisk({ ...SETTINGS, MEMORY_BYTES: String(8 * 2 ** 20 + 65_536) });
  const channel = hub.channel("reset");
  const body = "x".repeat(600_000);
  for (let round = 0; round < 8; round++) {
    disk.clear();
    while ((await attempt(channel, "space again")).problem) await sleep(20);
    const stream = await subscribe(channel);
    disk.fill();
    assert.equal((await attempt(channel, body)).problem?.type, STORAGE_FAILED);
    await afterReset(stream);
  }
  disk.clear();
  while ((await attempt(channel, "space again")).problem) await sleep(20);
  assert.equal((await attempt(channel, body)).problem, undefined);
});

test("a repeated publish gets its receipt on a full disk", { skip, timeout: 60_000 }, async () => {
  const { hub, disk } = await startOnSmallDisk();
  const channel = hub.channel("repeated");
  const { receipt } = await attempt(channel, "paid", "order-1");
  disk.fill();
  assert.equal((await attempt(channel, "other", "order-2")).problem.type, STORAGE_FAILED);
  assert.deepEqual(await attempt(channel, "paid", "order-1"), { receipt });
});

test("a channel whose object is not open can be read from a full disk", { skip, timeout: 60_000 }, async () => {
  const { hub, disk } = await startOnSmallDisk();
  const channel = hub.channel("asleep");
  await channel.publish("stored");
  await hub.workerd.stop();
  await hub.start();
  disk.fill();
  // Opening a database takes space, too.
  assert.deepEqual(dataOf(await channel.history()), ["stored"]);
  const stream = await subscribe(channel, { query: "?history=1" });
  await stream.untilEvents(1);
  assert.equal((await attempt(channel, "refused")).problem.type, STORAGE_FAILED);
  assert.ok(!stream.ended);
  disk.clear();
  await channel.publish("more");
  await stream.untilEvents(2);
});

test("a hub that starts on a full disk can read", { skip, timeout: 60_000 }, async () => {
  const { hub, disk } = await startOnSmallDisk();
  const channel = hub.channel("restarted");
  await channel.publish("stored");
  await hub.workerd.stop();
  disk.fill();
  await hub.start();
  assert.deepEqual(dataOf(await channel.history()), ["stored"]);
});

test("npm run serve starts on a full disk, also after workerd has ended", { skip, timeout: 60_000 }, async () => {
  const disk = smallDisk(DISK_BYTES);
  const start = () => serve({ STATE_DIR: disk.folder, LOG_LEVEL: "error" });
  let hub = await start();
  await hub.channel("kept").publish("stored");
  disk.fill();
  process.kill(hub.workerd, "SIGKILL");
  const reads = async () => {
    const answer = await hub
      .channel("kept")
      .history()
      .catch(() => undefined);
    return answer && dataOf(answer).join() === "stored";
  };
  await eventually(reads, 20_000, "the history is read");
  process.kill(hub.child.pid, "SIGTERM");
  await hub.exited;
  hub = await start();
  await eventually(reads, 20_000, "the history is read again");
});

test("DELETE works on a full disk and frees space for publishes to other channels", {
  skip,
  timeout: 60_000,
}, async () => {
  const { hub, disk } = await startOnSmallDisk({ ...SETTINGS, HISTORY_BYTES: String(64 << 20) });
  const [large, small] = [hub.channel("large"), hub.channel("small")];
  for (let n = 0; n < 5; n++) await large.publish("x".repeat(999_000));
  await small.publish("stored");
  const stream = await subscribe(large);
  disk.fill();
  assert.equal((await attempt(small, "refused")).problem.type, STORAGE_FAILED);
  await large.delete();
  await stream.untilEnded();
  assert.equal(stream.events.at(-1).event, "hub.end");
  assert.equal((await fetch(large.url)).status, 204);
  assert.ok(disk.free > 4_000_000, `${disk.free} bytes are free`);
  // The other channel can use this space.
  await small.publish("more");
  assert.deepEqual(dataOf(await small.history()), ["stored", "more"]);
});

test("while publishes fill the disk, every acknowledged event is stored once and no refused one", {
  skip,
  timeout: 120_000,
}, async () => {
  const { hub, disk } = await startOnSmallDisk({ ...SETTINGS, HISTORY_BYTES: String(64 << 20) });
  const channels = ["a", "b", "c"].map((id) => hub.channel(id));
  const cuts = new Map();
  const unknown = new Map(channels.map(({ id }) => [id, new Set()]));
  const acknowledged = new Map(channels.map(({ id }) => [id, new Map()]));
  const refused = new Map(channels.map(({ id }) => [id, new Set()]));
  let publishing = true;
  let sent = 0;
  async function keepSubscribing(channel) {
    let stream = await subscribe(channel);
    while (publishing) {
      await sleep(5);
      if (!stream.ended) continue;
      cuts.set(channel.id, (cuts.get(channel.id) ?? 0) + 1);
      stream.account();
      stream = await resume(channel, stream.lastEventId);
    }
    return stream;
  }
  async function keepPublishing(channel) {
    while (publishing) {
      const data = `${sent++} `.padEnd(sent % 10 === 0 ? 60_000 : 5_000, "x");
      const { receipt, problem } = await attempt(channel, data);
      if (receipt) acknowledged.get(channel.id).set(receipt.id, data);
      else if (problem.type === STORAGE_FAILED) refused.get(channel.id).add(data);
      else {
        assert.equal(problem.type, CHANNEL_UNAVAILABLE);
        unknown.get(channel.id).add(data);
      }
    }
  }
  const readers = channels.map(keepSubscribing);
  const publishers = [...channels, ...channels, ...channels].map(keepPublishing);
  const isFull = () => channels.every(({ id }) => refused.get(id).size > 3);
  const end = Date.now() + 60_000;
  while (!isFull() && Date.now() < end) await sleep(20);
  assert.ok(isFull(), `${disk.free} bytes are free`);
  await sleep(1_000);
  publishing = false;
  await Promise.all(publishers);
  const streams = await Promise.all(readers);
  for (const { id } of channels)
    assert.ok((cuts.get(id) ?? 0) <= 1, `the streams of ${id} have ended ${cuts.get(id)} times`);
  for (const stream of streams) stream.close();

  await hub.restart({ ...SETTINGS, HISTORY_BYTES: String(64 << 20) });
  for (const channel of channels) {
    const all = await resume(channel, `${parseId([...acknowledged.get(channel.id).keys()][0]).epoch}-0`);
    const { seq } = await channel.stats();
    await all.until(() => parseId(all.lastEventId).seq === seq, `event ${seq}`);
    const { events, gap } = all.account();
    const held = new Map(events.map(({ id, data }) => [id, data]));
    assert.equal(new Set(held.values()).size, held.size, "stored twice");
    for (const [id, data] of acknowledged.get(channel.id)) {
      if (parseId(id).seq > gap) assert.equal(held.get(id), data, `${id} was acknowledged`);
    }
    for (const data of held.values()) assert.ok(!refused.get(channel.id).has(data), "refused, but stored");
  }
  const count = (all) => [...all.values()].reduce((sum, { size }) => sum + size, 0);
  console.log(`# ${count(acknowledged)} acknowledged, ${count(refused)} refused, ${count(unknown)} unknown`);
});
