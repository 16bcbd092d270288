// One STATE_DIR is of one hub: a second hub is refused, and after kill -9 the next hub waits for the old workerd's end.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FolderLock } from "../../scripts/lock.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { freePort } from "../support/port.mjs";
import { ServeProcess, serve, workerds } from "../support/serve.mjs";
import { eventually, sleep } from "../support/wait.mjs";

const KILLS = 20;

test("a second hub on the same folder says which process uses it, and ends", { timeout: 60_000 }, async () => {
  const STATE_DIR = temporaryFolder();
  const first = await serve({ STATE_DIR });
  const { id } = await first.channel("foo").publish("before");
  const second = new ServeProcess({ PORT: String(await freePort()), STATE_DIR });
  assert.equal((await second.exited)[0], 1);
  const words = `the hub with process id ${first.script}, which serves ${first.origin}, uses it; stop that hub, or set another folder`;
  assert.ok(second.output.includes(`sse-broadcaster: STATE_DIR is "${STATE_DIR}": ${words}\n`), second.output);
  assert.ok(!second.output.includes("    at "), second.output);
  const { events } = await first.channel("foo").history();
  assert.deepEqual(
    events.map((event) => event.id),
    [id],
    "the first hub goes on",
  );
  await first.stop();
  const third = await serve({ STATE_DIR });
  await third.stop();
});

test(`after kill -9 the next hub starts, ${KILLS} times, and there are never two workerds`, {
  timeout: 180_000,
}, async () => {
  const STATE_DIR = temporaryFolder();
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, workerds().length)), 10);
  const ids = [];
  let hub = await serve({ STATE_DIR, LOG_LEVEL: "error" });
  for (let n = 0; n < KILLS; n++) {
    ids.push((await hub.channel("foo").publish(`${n}`)).id);
    process.kill(hub.script, "SIGKILL");
    // Another port: that the old one is taken would hold a hub up, too.
    const next = new ServeProcess({ PORT: String(await freePort()), STATE_DIR, LOG_LEVEL: "error" });
    await next.ready();
    const killed = hub;
    await eventually(() => killed.running().length === 0, 5_000, "all of the killed hub ends");
    hub = next;
  }
  clearInterval(watch);
  assert.equal(most, 1);
  const { events } = await hub.channel("foo").history();
  assert.deepEqual(
    events.map((event) => event.id),
    ids,
  );
  await hub.stop();
});

test("kill -9 while it starts leaves no workerd behind, at any moment", { timeout: 120_000 }, async () => {
  const STATE_DIR = temporaryFolder();
  for (let n = 0; n < 12; n++) {
    const hub = new ServeProcess({ PORT: String(await freePort()), STATE_DIR, LOG_LEVEL: "error" });
    // From when npm runs the script until it serves.
    await eventually(() => hub.output.includes("up to date"));
    await sleep(n * 20);
    hub.findProcesses();
    // npm and the script, but neither the guard nor what is to become workerd.
    for (const [pid, , name] of hub.running()) if (!["sh", "workerd"].includes(name)) killHard(pid);
    await eventually(() => hub.running().length === 0 && workerds().length === 0, 5_000, "nothing of it is left");
    await sleep(50);
    assert.deepEqual(workerds(), [], "a workerd has started later");
  }
  const hub = await serve({ STATE_DIR });
  process.kill(hub.child.pid, "SIGTERM");
  assert.equal((await hub.exited)[0], 0);
});

test("a hub waits for a workerd that the killed one has left, and then refuses", { timeout: 30_000 }, async () => {
  const folder = temporaryFolder();
  const first = await FolderLock.take(folder, "http://127.0.0.1:1");
  // This very process stands for a workerd that does not end.
  first.note(process.pid);
  first.free();
  await assert.rejects(
    FolderLock.take(folder, "http://127.0.0.1:2"),
    new RegExp(`workerd .*process ${process.pid}, still`),
  );
  writeFileSync(join(folder, "hub.json"), "{"); // As a hub leaves it that is killed while it writes.
  (await FolderLock.take(folder, "http://127.0.0.1:2")).free();
});

test("a lock that cannot be used is named", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "hub.lock"), "this is no database");
  await assert.rejects(
    FolderLock.take(folder, ""),
    /its file hub\.lock cannot be used \(file is not a database\); remove/,
  );
});

function killHard(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}
