// metadata.sqlite, in which workerd stores alarms, is damaged or missing: the hub restores it from the channels.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { isEmpty } from "../../cli/serve/databases.mjs";
import { startWorkerd } from "../../cli/serve/workerd.mjs";
import { cases } from "../support/cases.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { Channel } from "../support/hub.mjs";
import { objectId } from "../support/overdue.mjs";
import { freePort } from "../support/port.mjs";
import { ServeProcess, serve } from "../support/serve.mjs";
import { eventually } from "../support/wait.mjs";

/** The alarms of these channels need more than one page of the database. */
const CHANNELS = 60;
const settings = { ACCESS: "open", LOG_LEVEL: "error" };

/** Makes the storage of a hub that has ended by `end`. After a kill, the databases of its channels have logs. */
async function storage(end) {
  const stateDir = temporaryFolder();
  const hub = await startWorkerd({ settings, stateDir, stdout: "ignore" });
  after(() => hub.kill());
  for (let n = 0; n < CHANNELS; n++) await new Channel(hub, `c${n}`).publish(`event of ${n}`);
  await end(hub);
  return stateDir;
}
const stopped = await storage((hub) => hub.stop());
const killed = await storage((hub) => {
  hub.kill();
  return hub.ended;
});

/** Returns the times of all alarms by the ids of their objects. */
function alarmsIn(file) {
  const database = new DatabaseSync(file, { readOnly: true });
  const query = database.prepare("SELECT actor_id AS id, scheduled_time AS time FROM _cf_ALARM");
  query.setReadBigInts(true);
  const alarms = Object.fromEntries(query.all().map(({ id, time }) => [id, time]));
  database.close();
  return alarms;
}

function remove(file) {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true });
}

const CASES = cases([
  ["garbage", stopped, (file) => writeFileSync(file, "this is no database"), /is damaged \(file is not a database\)/],
  ["half as long", stopped, (file) => truncateSync(file, statSync(file).size / 2), /is damaged \(.+\)/],
  ["empty", stopped, (file) => truncateSync(file, 0), /has lost its content/],
  ["missing", stopped, (file) => remove(file), /is missing/],
  ["missing after kill -9", killed, (file) => remove(file), /is missing/],
]);

for (const [state, from, damage, why] of CASES) {
  test(`if metadata.sqlite is ${state}, the hub reports it, serves, and restores all alarms`, {
    timeout: 60_000,
  }, async () => {
    const STATE_DIR = temporaryFolder();
    cpSync(from, STATE_DIR, { recursive: true });
    const file = join(STATE_DIR, "channel", "metadata.sqlite");
    const before = alarmsIn(file);
    damage(file);
    const hub = await serve({ ...settings, STATE_DIR });
    const [line] = hub.lines().filter((line) => line.includes(file));
    assert.match(line, why);
    assert.match(line, /reading the alarms of 60 channels again/);
    const { events } = await hub.channel("c0").history();
    assert.deepEqual(
      events.map(({ data }) => data),
      ["event of 0"],
    );
    assert.equal((await hub.channel("c1").publish("more")).id.split("-")[1], "2", "the epoch continues");
    await hub.stop();
    const alarms = alarmsIn(file);
    assert.deepEqual(Object.keys(alarms), Object.keys(before));
    // The publish may have set the alarm of its channel again, a millisecond earlier.
    for (const [id, time] of Object.entries(before)) {
      assert.ok(time >= alarms[id] && time - alarms[id] <= 2_000_000n, `${time} has become ${alarms[id]}`);
    }
    const kept = readdirSync(join(STATE_DIR, "channel")).filter(
      (name) => name.includes("damaged") && name.endsWith("Z"),
    );
    assert.equal(kept.length, state.startsWith("missing") ? 0 : 1, "the damaged file is kept");
    if (state === "garbage")
      assert.equal(readFileSync(join(STATE_DIR, "channel", kept[0]), "utf8"), "this is no database");
  });
}

test("a restored alarm clears its channel", { timeout: 60_000 }, async () => {
  const STATE_DIR = temporaryFolder();
  const short = { ...settings, HISTORY_SECONDS: "3", IDEMPOTENCY_SECONDS: "1", STATE_DIR };
  const first = await serve(short);
  await first.channel("c0").publish("x");
  await first.stop();
  writeFileSync(join(STATE_DIR, "channel", "metadata.sqlite"), "garbage");
  const second = await serve(short);
  const database = join(STATE_DIR, "channel", `${objectId("c0")}.sqlite`);
  await eventually(() => isEmpty(database), 20_000, "the channel is cleared");
  await second.stop();
});

test("a metadata.sqlite that cannot be opened is reported with what to do", { timeout: 30_000 }, async () => {
  const STATE_DIR = temporaryFolder();
  const file = join(STATE_DIR, "channel", "metadata.sqlite");
  mkdirSync(file, { recursive: true });
  const hub = new ServeProcess({ PORT: String(await freePort()), ...settings, STATE_DIR });
  assert.equal(await hub.exitStatus(), 1);
  assert.match(
    hub.output,
    new RegExp(`^sse-broadcaster: ${file} cannot be used \\(.+\\); give this user permission to read and write`, "m"),
  );
  assert.ok(!hub.output.includes("    at "), hub.output);
});
