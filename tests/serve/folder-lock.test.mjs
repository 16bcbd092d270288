// Only one hub uses a STATE_DIR at a time. After kill -9, the next hub waits for the end of the old workerd.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FolderLock } from "../../cli/serve/lock.mjs";
import { killHard } from "../support/cleanup.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { freePort } from "../support/port.mjs";
import { ServeProcess, serve, workerds } from "../support/serve.mjs";
import { eventually, sleep } from "../support/wait.mjs";

const KILLS = 8;

test("a second hub on the same STATE_DIR names the process that uses it, and exits", { timeout: 60_000 }, async () => {
  const STATE_DIR = temporaryFolder();
  const first = await serve({ STATE_DIR });
  const { id } = await first.channel("foo").publish("before");
  const second = new ServeProcess({ PORT: String(await freePort()), STATE_DIR });
  assert.equal((await second.exited)[0], 1);
  const message = `the hub with process id ${first.script}, which serves ${first.origin}, uses it; stop that hub, or set another folder`;
  assert.ok(second.output.includes(`sse-broadcaster: STATE_DIR is "${STATE_DIR}": ${message}\n`), second.output);
  assert.ok(!second.output.includes("    at "), second.output);
  const { events } = await first.channel("foo").history();
  assert.deepEqual(
    events.map((event) => event.id),
    [id],
    "the first hub still works",
  );
  await first.stop();
  const third = await serve({ STATE_DIR });
  await third.stop();
});

test("after kill -9 the next hub starts, and there are never two workerds", {
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
    // The next hub has another port, because a used port would delay it, too.
    const next = new ServeProcess({ PORT: String(await freePort()), STATE_DIR, LOG_LEVEL: "error" });
    await next.ready();
    const killed = hub;
    await eventually(() => killed.running().length === 0, 5_000, "all processes of the killed hub end");
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

test("kill -9 at any moment of the start leaves no workerd behind", { timeout: 120_000 }, async () => {
  const STATE_DIR = temporaryFolder();
  for (let n = 0; n < 8; n++) {
    const hub = new ServeProcess({ PORT: String(await freePort()), STATE_DIR, LOG_LEVEL: "error" });
    // The kills fall between the start of the script and the first request.
    await eventually(() => hub.output.includes("up to date"));
    await sleep(n * 30);
    hub.findProcesses();
    // This kills npm and the script, but neither the guard nor the process that becomes workerd.
    for (const [pid, , name] of hub.running()) if (!["sh", "workerd"].includes(name)) killHard(pid);
    await eventually(() => hub.running().length === 0 && workerds().length === 0, 5_000, "no process is left");
    await sleep(50);
    assert.deepEqual(workerds(), [], "a workerd has started later");
  }
  const hub = await serve({ STATE_DIR });
  process.kill(hub.child.pid, "SIGTERM");
  assert.equal((await hub.exited)[0], 0);
});

test("a hub waits for the workerd of a killed hub, and gives up if that does not end", {
  timeout: 30_000,
}, async () => {
  const folder = temporaryFolder();
  const first = await FolderLock.take(folder, "http://127.0.0.1:1");
  // The process of this test stands for a workerd that does not end.
  first.note(process.pid);
  first.free();
  await assert.rejects(
    FolderLock.take(folder, "http://127.0.0.1:2"),
    new RegExp(`workerd .*process ${process.pid}, still`),
  );
  // A hub that is killed while it writes leaves this.
  writeFileSync(join(folder, "hub.json"), "{");
  (await FolderLock.take(folder, "http://127.0.0.1:2")).free();
});

test("a lock file that cannot be used is reported with what to do", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "hub.lock"), "this is no database");
  await assert.rejects(
    FolderLock.take(folder, ""),
    /its file hub\.lock cannot be used \(file is not a database\); remove/,
  );
});
