// A channel's database that is broken: its clients and the log are told, DELETE starts the channel anew, and no other
// channel notices.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseId, resume, subscribe } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const STORAGE_FAILED = "urn:sse-broadcaster:problem:storage-failed";
const PAGE = 4_096;

/** Overwrites bytes of a file. */
function garble(file, from, to = statSync(file).size) {
  const handle = openSync(file, "r+");
  writeSync(handle, Buffer.alloc(to - from, "garbage "), 0, to - from, from);
  closeSync(handle);
}

/** Puts a folder that is not empty in the place of a file. */
function replaceByFolder(file) {
  rmSync(file, { force: true });
  mkdirSync(file);
  writeFileSync(join(file, "file"), "x");
}

const BREAK = {
  "garbage from end to end": (file) => garble(file, 0),
  "a garbled header": (file) => garble(file, 0, 100),
  "a garbled first page": (file) => garble(file, 100, PAGE),
  "garbage after the first pages": (file) => garble(file, 2 * PAGE),
  "garbled events": (file) => garble(file, Math.floor(statSync(file).size / PAGE / 2) * PAGE),
  "a file cut short": (file) => truncateSync(file, PAGE + PAGE / 2),
  "a folder in its place": replaceByFolder,
  "a folder in the place of its log": (file) => replaceByFolder(`${file}-wal`),
};

const NOT_READABLE = { "a file that may not be read": (file) => chmodSync(file, 0) };

/** Makes channel "broken" of a stopped hub unusable. Returns the database's path in the storage. */
async function makeBroken(hub, name) {
  await hub.start();
  const channel = hub.channel("broken");
  for (let n = 0; n < 100; n++) await channel.publish(`event ${n} `.padEnd(500, "x"));
  const folder = join(hub.stateDir, "channel");
  const before = readdirSync(folder);
  await hub.workerd.stop();
  const files = readdirSync(folder).filter((file) => /^[0-9a-f]{64}\.sqlite$/.test(file));
  assert.equal(files.length, 1, before.join());
  ({ ...BREAK, ...NOT_READABLE })[name](join(folder, files[0]));
  return `channel/${files[0]}`;
}

/** Checks that an answer says what is wrong with the channel, and what to do. */
async function checkRefused(response, what) {
  const text = await response.text();
  assert.equal(response.status, 503, `${what}: ${text}`);
  const { type, detail } = JSON.parse(text);
  assert.equal(type, STORAGE_FAILED, what);
  assert.match(detail, /database cannot be used .*DELETE of the channel starts it anew; what it held is lost/, what);
  assert.ok(!detail.includes("/"), detail);
}

for (const name of Object.keys(BREAK)) {
  test(`${name}: told, logged, and started anew by DELETE`, { timeout: 60_000 }, async () => {
    const hub = await startWorkerd({ LOG_LEVEL: "warn" }, { withLog: true });
    await hub.workerd.stop();
    const file = await makeBroken(hub, name);
    await hub.start();
    const other = hub.channel("other");
    const [channel, url] = [hub.channel("broken"), hub.channel("broken").url];
    const subscriber = await subscribe(other);

    await checkRefused(await fetch(url), "subscribe");
    await checkRefused(await fetch(`${url}/events`), "events");
    await checkRefused(await fetch(`${url}/stats`), "stats");
    await checkRefused(await fetch(`${url}/broadcast`, { method: "POST", body: "x" }), "publish");
    const headers = { "Idempotency-Key": "a" };
    await checkRefused(await fetch(`${url}/broadcast`, { method: "POST", body: "x", headers }), "publish with a key");
    const named = hub.log.split("\n").filter((line) => line.includes("id=broken") && line.includes(`file=${file}`));
    assert.ok(named.length >= 5, hub.log);
    const browser = await subscribe(channel, { headers: { Accept: "text/event-stream" } });
    assert.deepEqual([browser.status, browser.events[0]?.event], [200, "hub.error"]);

    await channel.end();
    await eventually(() => hub.log.includes(`channel starts anew, its database was removed: id=broken file=${file}`));
    assert.equal((await fetch(url)).status, 204, "it has ended");
    const { id } = await channel.publish("anew");
    assert.equal(parseId(id).seq, 1);
    const stream = await resume(channel, `${parseId(id).epoch}-0`);
    await stream.untilEvents(1);
    const elsewhere = await other.publish("elsewhere");
    await subscriber.untilId(elsewhere.id);
    assert.ok(!subscriber.ended);
    await hub.restart();
    assert.deepEqual(
      (await channel.history()).events.map(({ data }) => data),
      ["anew"],
    );
    assert.deepEqual(
      (await other.history()).events.map(({ data }) => data),
      ["elsewhere"],
    );
  });
}

test("DELETE removes no more than the files of its channel", { timeout: 60_000 }, async () => {
  const hub = await startWorkerd({ LOG_LEVEL: "warn" });
  await hub.workerd.stop();
  const file = await makeBroken(hub, "a garbled header");
  const beside = [".sqlite2", ".sqlite-other", ".facets"].map((suffix) => file.replace(".sqlite", suffix));
  for (const name of [...beside, "other"]) writeFileSync(join(hub.stateDir, name), "x");
  await hub.start();
  await hub.channel("broken").end();
  for (const name of [...beside, "other"]) assert.equal(statSync(join(hub.stateDir, name)).size, 1, name);
});

test("a file of no length is a channel of which nothing is stored", { timeout: 60_000 }, async () => {
  const hub = await startWorkerd({ LOG_LEVEL: "warn" });
  const channel = hub.channel("empty");
  await channel.publish("lost");
  await hub.workerd.stop();
  const [file] = readdirSync(join(hub.stateDir, "channel")).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  truncateSync(join(hub.stateDir, "channel", file), 0);
  await hub.start();
  assert.deepEqual((await channel.history()).events, []);
  assert.equal(parseId((await channel.publish("first")).id).seq, 1);
});

// Root may read everything, unless it gives that up, which util-linux can do.
const WITHOUT = "-dac_override,-dac_read_search";
const asOthers = ["setpriv", `--bounding-set=${WITHOUT}`, `--inh-caps=${WITHOUT}`];
const isRoot = process.getuid() === 0;
const cannot = isRoot && spawnSync(asOthers[0], [...asOthers.slice(1), "true"]).status !== 0;
const skip = cannot ? "this is root, and setpriv cannot take its capabilities away" : false;

test("a file that may not be read is told like a broken one", { skip, timeout: 60_000 }, async () => {
  const hub = await startWorkerd({ LOG_LEVEL: "warn" }, { withLog: true, through: isRoot ? asOthers : [] });
  await hub.workerd.stop();
  const file = await makeBroken(hub, "a file that may not be read");
  await hub.start();
  const { url } = hub.channel("broken");
  await checkRefused(await fetch(`${url}/events`), "events");
  assert.ok(hub.log.includes(`file=${file}`), hub.log);
  await hub.channel("broken").end();
  await hub.channel("broken").publish("anew");
});
