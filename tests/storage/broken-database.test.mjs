// The database of a channel is broken: clients get 503, the log names the file, DELETE makes a new channel, and other
// channels are not affected.
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
  "only garbage": (file) => garble(file, 0),
  "a garbled header": (file) => garble(file, 0, 100),
  "a garbled first page": (file) => garble(file, 100, PAGE),
  "garbage after the first pages": (file) => garble(file, 2 * PAGE),
  "garbled events": (file) => garble(file, Math.floor(statSync(file).size / PAGE / 2) * PAGE),
  "lost its end": (file) => truncateSync(file, PAGE + PAGE / 2),
  "a folder in its place": replaceByFolder,
  "a folder in the place of its log": (file) => replaceByFolder(`${file}-wal`),
};

const NOT_READABLE = { "a file that may not be read": (file) => chmodSync(file, 0) };

/** Breaks the database of the channel "broken" of a stopped hub. Returns its path in the storage. */
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

/** Checks that a response says what is wrong with the channel and how to repair it. */
async function checkRefused(response, what) {
  const text = await response.text();
  assert.equal(response.status, 503, `${what}: ${text}`);
  const { type, detail } = JSON.parse(text);
  assert.equal(type, STORAGE_FAILED, what);
  assert.match(detail, /database cannot be used .*DELETE the channel: that removes the database/, what);
  assert.ok(!detail.includes("/"), detail);
}

for (const name of Object.keys(BREAK)) {
  test(`a channel whose database has ${name} is answered with 503 and logged, and DELETE makes it work again`, {
    timeout: 60_000,
  }, async () => {
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
    const named = () =>
      hub.log.split("\n").filter((line) => line.includes("id=broken") && line.includes(`file=${file}`));
    await eventually(() => named().length >= 5).catch(() => assert.fail(hub.log));
    const browser = await subscribe(channel, { headers: { Accept: "text/event-stream" } });
    assert.deepEqual([browser.status, browser.events[0]?.event], [200, "hub.error"]);

    await channel.delete();
    await eventually(() => hub.log.includes(`database was removed: id=broken file=${file}`));
    assert.equal((await fetch(url)).status, 204, "the channel has ended");
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

test("DELETE of a broken channel removes only the files of the channel", { timeout: 60_000 }, async () => {
  const hub = await startWorkerd({ LOG_LEVEL: "warn" });
  await hub.workerd.stop();
  const file = await makeBroken(hub, "a garbled header");
  const beside = [".sqlite2", ".sqlite-other", ".facets"].map((suffix) => file.replace(".sqlite", suffix));
  for (const name of [...beside, "other"]) writeFileSync(join(hub.stateDir, name), "x");
  await hub.start();
  await hub.channel("broken").delete();
  for (const name of [...beside, "other"]) assert.equal(statSync(join(hub.stateDir, name)).size, 1, name);
});

test("a channel whose database file is empty is an unused channel", { timeout: 60_000 }, async () => {
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

// The root user can read every file, unless setpriv takes this capability away.
const WITHOUT = "-dac_override,-dac_read_search";
const withoutRead = ["setpriv", `--bounding-set=${WITHOUT}`, `--inh-caps=${WITHOUT}`];
const isRoot = process.getuid() === 0;
const cannot = isRoot && spawnSync(withoutRead[0], [...withoutRead.slice(1), "true"]).status !== 0;
const skip = cannot ? "this is root, and setpriv cannot take its capabilities away" : false;

test("a channel whose database cannot be read is answered like a broken one", { skip, timeout: 60_000 }, async () => {
  const hub = await startWorkerd({ LOG_LEVEL: "warn" }, { withLog: true, through: isRoot ? withoutRead : [] });
  await hub.workerd.stop();
  const file = await makeBroken(hub, "a file that may not be read");
  await hub.start();
  const { url } = hub.channel("broken");
  await checkRefused(await fetch(`${url}/events`), "events");
  await eventually(() => hub.log.includes(`file=${file}`), 5_000, "the log names the file");
  await hub.channel("broken").delete();
  await hub.channel("broken").publish("anew");
});
