// A hub starts after its alarms have become overdue: it serves at once, and clears the channels one after the other.
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { Alarms } from "../../cli/serve/alarms.mjs";
import { isEmpty, removeEmpty } from "../../cli/serve/databases.mjs";
import { objectIntervalMs } from "../../cli/serve/open-files.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { databasesIn, makeOverdue, objectId, SHORT_LIVED } from "../support/overdue.mjs";
import { serve } from "../support/serve.mjs";
import { eventually, sleep } from "../support/wait.mjs";

/** These channels cannot all be open at once, because each has three files open. */
const CHANNELS = 2_000;
const OPEN_FILES = 2_000;
const START_MS = 5_000;

const folderOf = (stateDir) => join(stateDir, "channel");
const emptyIn = (stateDir) => databasesIn(stateDir).filter((name) => isEmpty(join(folderOf(stateDir), name)));

/** Returns the times of all alarms in order, in milliseconds since 1970. */
function alarmsIn(stateDir) {
  const database = new DatabaseSync(join(folderOf(stateDir), "metadata.sqlite"), { readOnly: true });
  const query = database.prepare("SELECT scheduled_time / 1000000 AS time FROM _cf_ALARM ORDER BY time");
  const times = query.all().map(({ time }) => time);
  database.close();
  return times;
}

test(`a hub with ${CHANNELS} overdue channels starts at once, clears them one by one, and continues after kill -9`, {
  timeout: 180_000,
}, async () => {
  const STATE_DIR = temporaryFolder();
  await makeOverdue(STATE_DIR, CHANNELS);
  const start = async () => {
    const hub = await serve({ ...SHORT_LIVED, STATE_DIR }, { openFiles: OPEN_FILES });
    assert.ok(hub.readyMs < START_MS, `ready after ${hub.readyMs} ms`);
    return hub;
  };
  const first = await start();
  console.log(`# ready after ${Math.round(first.readyMs)} ms`);
  assert.match(first.output, /^sse-broadcaster: 2000 channels are overdue to be cleared; clearing one every \d+ ms$/m);
  const interval = Number(first.output.match(/one every (\d+) ms/)[1]);
  assert.ok(interval >= objectIntervalMs(OPEN_FILES, 1 / 4), `${interval} ms`);
  await eventually(() => emptyIn(STATE_DIR).length >= 5, 30_000, "channels are cleared");
  const open = readdirSync(`/proc/${first.workerd}/fd`).length;
  assert.ok(open < OPEN_FILES / 3, `${open} files are open`);
  await first.channel("c1999").publish("in use again");

  process.kill(first.workerd, "SIGKILL");
  await first.restarted();
  const cleared = emptyIn(STATE_DIR).length;
  await eventually(() => emptyIn(STATE_DIR).length >= 5, 30_000, "more channels are cleared");
  process.kill(first.script, "SIGKILL");
  await eventually(() => first.running().length === 0);
  assert.ok(cleared < 5, "empty databases were removed at the second start");
  const empty = emptyIn(STATE_DIR);

  const second = await start();
  for (const name of empty) assert.ok(!existsSync(join(folderOf(STATE_DIR), name)), "empty databases are removed");
  const { events } = await second.channel("c1998").history();
  assert.ok(events.length <= 1);
  assert.equal((await second.channel("new").publish("x")).events, 1);
  assert.ok(!second.output.includes("NOSENTRY"), "workerd's warning is not shown");
  process.kill(second.child.pid, "SIGTERM");
  await second.exited;
  const times = alarmsIn(STATE_DIR);
  assert.ok(times.length < CHANNELS && times.length > CHANNELS - 200, `${times.length} alarms are left`);
});

test("overdue and imminent alarms are spread in their order, and later alarms stay the same", () => {
  const folder = temporaryFolder();
  const alarms = new Alarms(folder, assert.fail);
  const now = 1_800_000_000_000;
  const insert = alarms.database.prepare("INSERT INTO _cf_ALARM VALUES (?, ?, NULL)");
  const offsets = [-86_400_000, -5, -5, 0, 900, 1_050, 5_000, 5_001, 5_020, 599_000, 700_000, 700_000];
  for (const [n, offset] of offsets.entries()) insert.run(`id ${n}`, BigInt(now + offset) * 1_000_000n);
  assert.equal(alarms.overdue(now), 4);
  alarms.spread(99.5, now);
  alarms.close();
  const found = new DatabaseSync(join(folder, "metadata.sqlite"));
  const query = found.prepare(
    "SELECT actor_id AS id, scheduled_time / 1000000 - ? AS time FROM _cf_ALARM ORDER BY time, id",
  );
  const expected = [1_000, 1_100, 1_200, 1_300, 1_400, 1_500, 5_000, 5_100, 5_200, 599_000, 700_000, 700_000];
  const order = Object.fromEntries(query.all(now).map(({ id, time }) => [id, time]));
  // Two alarms have the same time, so their order may change.
  const sorted = Object.entries(order).sort(([a], [b]) => Number(a.slice(3)) - Number(b.slice(3)));
  assert.deepEqual(
    sorted.map(([, time]) => time).sort((a, b) => a - b),
    expected,
  );
  assert.deepEqual([order["id 0"], order["id 3"], order["id 6"]], [1_000, 1_300, 5_000]);
  found.close();
});

test("only databases that are certainly empty are removed", () => {
  const folder = temporaryFolder();
  const path = (n) => join(folder, `${objectId(`c${n}`)}.sqlite`);
  const make = (n, sql = "", close = true) => {
    const database = new DatabaseSync(path(n));
    database.exec(`PRAGMA journal_mode = WAL; ${sql}`);
    if (close) database.close();
    return database;
  };
  make(0, "CREATE TABLE a (b); DROP TABLE a; VACUUM");
  make(1, "CREATE TABLE a (b)");
  make(2, "CREATE VIEW a AS SELECT 1");
  // A database with the free page of a dropped table is not certainly empty.
  make(3, "CREATE TABLE a (b); DROP TABLE a");
  // The table is in the log only, as after kill -9 of workerd.
  const open = make(4, "CREATE TABLE a (b)", false);
  writeFileSync(path(5), "SQLite format 3\0 and something else");
  writeFileSync(path(6), Buffer.alloc(4096));
  writeFileSync(join(folder, "metadata.sqlite"), "");
  const before = readdirSync(folder).length;
  assert.deepEqual(removeEmpty(folder, 0), [], "the time is over");
  assert.deepEqual(removeEmpty(folder, 1_000), [objectId("c0")]);
  assert.equal(readdirSync(folder).length, before - 1);
  open.close();
});

test("the alarm of a database that is removed is removed, too", { timeout: 60_000 }, async () => {
  const STATE_DIR = temporaryFolder();
  await makeOverdue(STATE_DIR, 3);
  // After kill -9, workerd may have cleared a channel and not yet removed its alarm.
  const path = join(folderOf(STATE_DIR), `${objectId("c1")}.sqlite`);
  writeFileSync(path, "");
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE a (b); DROP TABLE a; VACUUM");
  database.close();
  assert.ok(isEmpty(path));
  const hub = await serve({ ...SHORT_LIVED, STATE_DIR });
  assert.ok(!existsSync(path));
  await eventually(() => emptyIn(STATE_DIR).length === 2);
  await sleep(500);
  assert.ok(!existsSync(path), "no alarm has made the database again");
  await hub.stop();
  assert.deepEqual(alarmsIn(STATE_DIR), []);
});
