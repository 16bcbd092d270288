// Writes to the storage fail: publishes are refused, and streams deliver only stored events.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { afterReset, parseId, resume, subscribe } from "../support/subscriber.mjs";
import { sleep } from "../support/wait.mjs";
import { editStorage, startWorkerd } from "../support/workerd.mjs";

// prlimit, of util-linux, limits the files of a running process. To limit a disk, a test would have to be root.
const skip = spawnSync("prlimit", ["--version"]).error ? "this machine has no prlimit" : false;
// A process that writes beyond its limit gets the signal XFSZ. If it ignores the signal, the write fails.
const THROUGH = ["sh", "-c", `trap "" XFSZ; exec "$@"`, "sh"];
const STORAGE_FAILED = "urn:sse-broadcaster:problem:storage-failed";
const problems = [STORAGE_FAILED, "urn:sse-broadcaster:problem:channel-unavailable"];

const hub = skip ? undefined : await startWorkerd({ LOG_LEVEL: "error" }, { through: THROUGH });

/** Limits the files of the hub to `bytes`. */
const limitFiles = (bytes) => execFileSync("prlimit", [`--pid=${hub.pid}`, `--fsize=${bytes}:`]);

/** Returns the length of the largest file of the storage. */
function largestFile() {
  const folder = join(hub.stateDir, "channel");
  return Math.max(...readdirSync(folder).map((name) => statSync(join(folder, name)).size));
}

/** Publishes, and returns either the receipt or the type of the problem. */
async function attempt(channel, body, headers = {}) {
  const response = await fetch(`${channel.url}/broadcast`, { method: "POST", body, headers });
  const answer = await response.json();
  if (response.status === 200) return { receipt: answer };
  assert.equal(response.status, 503, JSON.stringify(answer));
  assert.ok(problems.includes(answer.type), answer.type);
  assert.ok(Number(response.headers.get("retry-after")) > 0);
  return { problem: answer.type };
}

test("while writes fail, streams deliver only stored events and no refused publish is stored", {
  skip,
  timeout: 60_000,
}, async () => {
  const channel = hub.channel("full");
  let stream = await subscribe(channel);
  const { startId } = stream;
  const acknowledged = new Map();
  const refused = [];
  const delivered = [];
  const publish = async (what, length) => {
    const data = `${what} ${acknowledged.size + refused.length} `.padEnd(length, "x");
    const { receipt, problem } = await attempt(channel, data);
    if (receipt) acknowledged.set(receipt.id, data);
    else refused.push({ data, problem });
    return receipt;
  };
  // The files cannot be written at all, or cannot grow, or can grow a little.
  for (const room of [() => 0, largestFile, () => largestFile() + 100_000]) {
    for (let n = 0; n < 3; n++) assert.ok(await publish("before"));
    limitFiles(room());
    for (let n = 0; n < 5; n++) await publish("alone", n * 10_000);
    await Promise.all(Array.from({ length: 40 }, (_, n) => publish(`at once, ${n},`, n * 1_000)));
    limitFiles("unlimited");
    const { id } = await publish("after");
    // The runtime may have reset the object, which ends its streams.
    await stream.until(() => stream.ended || stream.lastEventId === id);
    delivered.push(...stream.account().events);
    stream = await resume(channel, stream.lastEventId);
  }
  const all = await resume(channel, startId);
  await all.untilId([...acknowledged.keys()].at(-1));
  const { events, ...missing } = all.account();
  assert.deepEqual(missing, { dropped: 0, gap: 0, unknown: 0, last: events.length });
  const stored = new Map(events.map(({ id, data }) => [id, data]));
  for (const [id, data] of acknowledged) assert.equal(stored.get(id), data);
  for (const { id, data } of delivered) assert.equal(stored.get(id), data, "delivered, but not stored");
  assert.equal(new Set(stored.values()).size, stored.size, "stored twice");
  // The runtime resets the object when a write fails. A publish may have been stored before that, and its answer is
  // lost. If the hub says that the storage has failed, the publish is not stored.
  const lost = refused.filter(({ data, problem }) => data.startsWith("alone") || problem === STORAGE_FAILED);
  assert.ok(lost.length >= 5);
  for (const { data } of lost) assert.ok(!events.some((event) => event.data === data), "refused, but stored");
  console.log(`# ${acknowledged.size} publishes were acknowledged, ${refused.length} refused`);
});

test("an open stream gets no refused event, and the next publish has the next id", {
  skip,
  timeout: 60_000,
}, async () => {
  const channel = hub.channel("deaf");
  const stream = await subscribe(channel);
  const { id } = await channel.publish("stored");
  await stream.untilId(id);
  limitFiles(0);
  for (let n = 0; n < 3; n++) assert.ok((await attempt(channel, "lost")).problem);
  limitFiles("unlimited");
  const next = await channel.publish("after that");
  assert.equal(parseId(next.id).seq, parseId(id).seq + 1, "a refused publish has used no id");
  await stream.until(() => stream.ended || stream.lastEventId === next.id);
  assert.ok(!stream.text.includes("lost"));
  stream.account();
});

test("a publish that could not be stored does not use up its idempotency key", { skip, timeout: 60_000 }, async () => {
  const channel = hub.channel("key");
  const headers = { "Idempotency-Key": "a" };
  await channel.publish("first");
  limitFiles(0);
  assert.ok((await attempt(channel, "second", headers)).problem);
  limitFiles("unlimited");
  const { receipt } = await attempt(channel, "second", headers);
  assert.equal(parseId(receipt.id).seq, 2);
  assert.deepEqual(await attempt(channel, "second", headers), { receipt });
  assert.deepEqual(
    (await channel.history()).events.map((event) => event.data),
    ["first", "second"],
  );
});

test("a channel whose DELETE could not be stored has not ended", { skip, timeout: 60_000 }, async () => {
  const channel = hub.channel("end");
  const stream = await subscribe(channel);
  const { id } = await channel.publish("stored");
  await stream.untilId(id);
  limitFiles(0);
  assert.equal((await fetch(channel.url, { method: "DELETE" })).status, 503);
  limitFiles("unlimited");
  const back = await afterReset(stream);
  assert.deepEqual(
    stream.events.map((event) => event.event),
    [undefined],
    "the stream has no hub.end",
  );
  const next = await channel.publish("more");
  await back.untilId(next.id);
  assert.equal(back.account().last, 2);
});

test("a browser that subscribes while writes fail gets hub.error, and can subscribe later", {
  skip,
  timeout: 60_000,
}, async () => {
  // The channel is unused, so its first subscribe has to store its epoch.
  const channel = hub.channel("browser");
  limitFiles(0);
  const refused = await subscribe(channel, { headers: { Accept: "text/event-stream" } });
  limitFiles("unlimited");
  assert.equal(refused.status, 200);
  await refused.untilEnded();
  assert.deepEqual(
    refused.events.map(({ event }) => event),
    ["hub.error"],
  );
  assert.ok(problems.includes(JSON.parse(refused.events[0].data).type), refused.text);
  assert.ok(refused.retry >= 5_000 && refused.retry <= 15_000, `${refused.retry}`);
  const stream = await subscribe(channel);
  await channel.publish("stored");
  await stream.untilEvents(1);
  assert.equal(stream.account().events[0].data, "stored");
});

test("publishes that a failed commit refuses are not stored, and the stream stays open", async () => {
  const other = await startWorkerd({ LOG_LEVEL: "error" });
  const channel = other.channel("refused");
  const stream = await subscribe(channel);
  await channel.publish("stored");
  // The runtime reports this failure to the object and does not reset it.
  const rename = (from, to) => editStorage(other, (database) => database.exec(`ALTER TABLE ${from} RENAME TO ${to}`));
  rename("history_even", "hidden");
  const attempts = Array.from({ length: 5 }, () => attempt(channel, "lost", { "Idempotency-Key": "a" }));
  for (const { problem } of await Promise.all(attempts)) assert.equal(problem, STORAGE_FAILED);
  rename("hidden", "history_even");
  const { receipt } = await attempt(channel, "more", { "Idempotency-Key": "a" });
  await stream.untilId(receipt.id);
  assert.deepEqual(
    stream.account().events.map(({ data }) => data),
    ["stored", "more"],
  );
  await other.restart();
  assert.deepEqual(
    (await channel.history()).events.map(({ data }) => data),
    ["stored", "more"],
  );
});

test("an object that cannot read its storage ends the streams that it holds, and a new object continues the channel", {
  timeout: 60_000,
}, async () => {
  const other = await startWorkerd({ HOLD_STREAMS: "object", HEARTBEAT_SECONDS: "1", LOG_LEVEL: "error" });
  const channel = other.channel("unreadable");
  const stream = await subscribe(channel);
  const { id } = await channel.publish("x");
  await stream.untilId(id);
  const since = performance.now();
  // The object notices this at its next heartbeat, as an object does that the platform has replaced.
  editStorage(other, (database) => database.exec("ALTER TABLE channel RENAME TO hidden"));
  await stream.untilEnded();
  assert.ok(performance.now() - since < 15_000);
  editStorage(other, (database) => database.exec("ALTER TABLE hidden RENAME TO channel"));
  const late = await resume(channel, stream.lastEventId);
  const next = await channel.publish("y");
  await late.untilId(next.id);
  assert.deepEqual(
    late.account().events.map(({ data }) => data),
    ["y"],
  );
});

test("an object that fails during publishes does not block other channels", { timeout: 60_000 }, async () => {
  const hub = await startWorkerd({ HEARTBEAT_SECONDS: "1", LOG_LEVEL: "error" });
  const [channel, other] = [hub.channel("unreadable"), hub.channel("other")];
  await subscribe(channel);
  await channel.publish("x");
  editStorage(hub, (database) => database.exec("ALTER TABLE channel RENAME TO hidden"));
  // The object checks its storage at the first publish after a heartbeat period.
  const publish = () => fetch(`${channel.url}/broadcast`, { method: "POST", body: "y" });
  while ((await publish()).ok) await sleep(1);
  const subscriber = await subscribe(other);
  const { id } = await other.publish("z");
  await subscriber.untilId(id);
});
