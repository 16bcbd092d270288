// The example of the README: `npm start`, the console in a browser, and broadcast.py.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { root } from "../../scripts/install.mjs";
import { openBrowser } from "../support/browser.mjs";
import { atExit } from "../support/cleanup.mjs";
import {
  clickBroadcast,
  clickSubscribe,
  field,
  items,
  itemTexts,
  waitForReceipt,
  waitForStatus,
} from "../support/console-page.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { freePort } from "../support/port.mjs";
import { pythonPath } from "../support/python.mjs";
import { eventually } from "../support/wait.mjs";

const port = await freePort();
const origin = `http://127.0.0.1:${port}`;
const python = pythonPath();
const browser = await openBrowser();
// Not the folder of `npm start`: the user may have published to channel foo, or have ended it.
const stateDir = temporaryFolder();
const dev = await startDev();

/** Runs `npm start` on a free port, with short heartbeats. */
async function startDev() {
  const options = ["--inspector-port", "0", "--persist-to", stateDir, "--var", "HEARTBEAT_SECONDS:1"];
  const args = ["start", "--", "--port", String(port), ...options];
  const child = spawn("npm", args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const dev = { child, output: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (dev.output += data));
  after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    // Ctrl-C sends the signal to the whole group.
    process.kill(-child.pid, "SIGINT");
    await once(child, "exit");
  });
  atExit(() => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // The process has ended.
    }
  });
  await eventually(() => dev.output.includes("Ready on"), 60_000, "wrangler dev is ready");
  return dev;
}

const lines = (start) => dev.output.split("\n").filter((line) => line.startsWith(start));

function broadcast(...args) {
  return promisify(execFile)(python, [join(root, "examples/broadcast.py"), "--url", origin, ...args]);
}

test("the console shows the ten events of broadcast.py, and the terminal logs them", { timeout: 180_000 }, async () => {
  const page = await browser.newPage();
  await page.goto(origin);
  await waitForStatus(page, `subscribed to ${origin}/channels/foo`);
  await eventually(() => lines("listener connected: id=foo conn=").length === 1);
  const { stdout } = await broadcast();
  assert.equal(stdout.trim().split("\n").length, 10);
  await eventually(async () => (await itemTexts(page)).length === 10);
  assert.deepEqual(await itemTexts(page), Array(10).fill("message: foo=bar"));
  await eventually(() => lines("sent to foo: foo=bar").length === 10);
  await page.close();
});

test("the console works from the file system with the hub's URL as its server", { timeout: 180_000 }, async () => {
  const page = await browser.newPage();
  const file = pathToFileURL(join(root, "public/index.html"));
  await page.goto(`${file}?server=${encodeURIComponent(origin)}&channel=from-file&types=score`);
  await waitForStatus(page, `subscribed to ${origin}/channels/from-file`);
  await broadcast("--channel", "from-file", "--count", "2");
  await field(page, "Event type").fill("score");
  await clickBroadcast(page, "7:3");
  // The buttons of the other type appear with the second type, and the parameter selects the first one.
  await eventually(async () => (await itemTexts(page)).includes("score: 7:3"));
  await page.getByRole("button", { name: "score", exact: true }).click();
  await eventually(async () => (await itemTexts(page)).length === 3);
  assert.deepEqual(await itemTexts(page), ["message: foo=bar", "message: foo=bar", "score: 7:3"]);

  await field(page, "Event type").fill("hub.end");
  await clickBroadcast(page, "x");
  await waitForReceipt(page, "not sent: The event type in the parameter");

  await field(page, "Channel").fill("another");
  await clickSubscribe(page);
  await waitForStatus(page, `subscribed to ${origin}/channels/another`);
  assert.match(page.url(), /channel=another/);
  await page.close();
});

test("the console shows what is invalid in its URL", { timeout: 180_000 }, async () => {
  for (const [query, words] of [
    ["channel=a/b", "the channel has to be 1 to 128 of"],
    ["channel=..", "the channel has to be 1 to 128 of"],
    ["server=http://[", "the server has to be"],
    ["history=-1", "the history has to be"],
  ]) {
    const page = await browser.newPage();
    await page.goto(`${origin}/?${query}`);
    await waitForStatus(page, words);
    await page.close();
  }
});

test("the console shows events of all types, also error and open, which EventSource uses itself", {
  timeout: 180_000,
}, async () => {
  const page = await browser.newPage();
  await page.goto(`${origin}/?channel=odd-types`);
  await waitForStatus(page, `subscribed to ${origin}/channels/odd-types`);
  for (const type of ["error", "open"]) {
    await fetch(`${origin}/channels/odd-types/broadcast?event=${type}`, { method: "POST", body: "x" });
  }
  await eventually(async () => (await itemTexts(page)).length === 2);
  assert.deepEqual(await itemTexts(page), ["error: x", "open: x"]);
  await waitForStatus(page, `subscribed to ${origin}/channels/odd-types`);
  await page.close();
});

test("broadcast.py prints why a publish has failed, and exits with status 1", { timeout: 180_000 }, async () => {
  const failed = await broadcast("--channel", "no/such id").catch((error) => error);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /^event 1 of 10 was not published: 400 .*1 to 128 characters/s);
  const unreachable = await broadcast("--url", "http://127.0.0.1:1").catch((error) => error);
  assert.equal(unreachable.code, 1);
  assert.match(unreachable.stderr, /^event 1 of 10 was not published: /);
});

test("the hub removes the stream of a page that was closed", { timeout: 180_000 }, async () => {
  // wrangler notices at the second heartbeat.
  await eventually(() => lines("listener left: id=foo conn=1").length === 1, 31_000);
});

test("Ctrl-C ends npm start with open streams, and the console resumes after the next start", {
  timeout: 90_000,
}, async () => {
  const page = await browser.newPage();
  await page.goto(`${origin}/?channel=restart`);
  await waitForStatus(page, "subscribed to");
  await broadcast("--channel", "restart", "--count", "1");
  const ids = async () => (await items(page)).map(([, , id]) => id);
  await eventually(async () => (await ids()).length === 1);
  const [id] = await ids();
  process.kill(-dev.child.pid, "SIGINT");
  await once(dev.child, "exit");
  await eventually(() =>
    fetch(`${origin}/healthz`).then(
      () => false,
      () => true,
    ),
  );
  await waitForStatus(page, "reconnecting to");

  await startDev();
  await broadcast("--channel", "restart", "--count", "3");
  await eventually(async () => (await ids()).length === 4, 30_000);
  const [epoch, seq] = id.split("-");
  const expected = [0, 1, 2, 3].map((n) => `${epoch}-${Number(seq) + n}`);
  assert.deepEqual(await ids(), expected);
  const missed = await fetch(`${origin}/channels/restart/events?after=${id}`);
  assert.deepEqual(
    (await missed.json()).events.map((event) => event.id),
    expected.slice(1),
  );
  await page.close();
});
