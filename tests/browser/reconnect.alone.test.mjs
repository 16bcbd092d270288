// Clients that others wrote come back by themselves after a restart of the server, and have every event once.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, test } from "node:test";
import { EventSource } from "eventsource";
import { openBrowser } from "../support/browser.mjs";
import { pythonPath } from "../support/python.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const EVENTS = 1_000;
const all = Array.from({ length: EVENTS }, (_, n) => `event ${n}`);

/** Publishes until it has a receipt, as a publisher does that must not lose anything. */
async function publishSurely(channel, data) {
  for (;;) {
    const receipt = await channel.publish(data, { headers: { "Idempotency-Key": data } }).catch((error) => {
      // The hub is down; any answer that it gives is a failure of the test.
      if (!error.cause) throw error;
    });
    if (receipt) return;
    await sleep(20);
  }
}

/**
 * Publishes all events to the clients of a hub that is killed and started again when half of them are out. `count`
 * says how many streams there are.
 */
async function publishThroughRestart(hub, channel, count) {
  const connected = () => eventually(async () => (await channel.stats()).subscribers === count);
  await connected();
  const { seq } = await channel.stats();
  let restart;
  for (const data of all) {
    if (data === all[EVENTS / 2]) restart = hub.restart();
    await publishSurely(channel, data);
  }
  await restart;
  assert.equal((await channel.stats()).seq, seq + EVENTS, "each has been published once");
  await connected();
}

test("Chromium's EventSource has all 1,000, each once", { timeout: 240_000 }, async () => {
  const hub = await startWorkerd();
  const channel = hub.channel("chromium");
  const browser = await openBrowser();
  const page = await browser.newPage();
  await page.evaluate((url) => {
    window.heard = [];
    window.opened = 0;
    const source = new EventSource(url);
    source.onopen = () => window.opened++;
    for (const type of ["message", "hub.gap", "hub.dropped", "hub.error"]) {
      source.addEventListener(type, (event) => window.heard.push(event.data));
    }
  }, channel.url);
  await publishThroughRestart(hub, channel, 1);
  await page.waitForFunction((count) => window.heard.length >= count, EVENTS);
  assert.deepEqual(await page.evaluate(() => window.heard), all);
  assert.equal(await page.evaluate(() => window.opened), 2);
});

test("the npm package eventsource and the Python package sseclient do, too", { timeout: 240_000 }, async () => {
  const hub = await startWorkerd();
  const channel = hub.channel("packages");
  const heard = [];
  const source = new EventSource(channel.url);
  after(() => source.close());
  let opened = 0;
  source.onopen = () => opened++;
  for (const type of ["message", "hub.gap", "hub.dropped", "hub.error"]) {
    source.addEventListener(type, (event) => heard.push(event.data));
  }
  const script = `
import sys
from sseclient import SSEClient
for event in SSEClient(sys.argv[1]):
    if event.data:
        print("heard", event.data, flush=True)
`;
  const python = spawn(pythonPath(), ["-c", script, channel.url], { stdio: ["ignore", "pipe", "inherit"] });
  after(() => python.kill("SIGKILL"));
  let output = "";
  python.stdout.on("data", (data) => (output += data));
  // The package itself prints a line where a connection ends.
  const heardByPython = () => [...output.matchAll(/^heard (.*)\n/gm)].map(([, data]) => data);
  await publishThroughRestart(hub, channel, 2);
  await eventually(() => heard.length >= EVENTS && heardByPython().length >= EVENTS);
  assert.deepEqual(heard, all);
  assert.equal(opened, 2);
  assert.deepEqual(heardByPython(), all);
});
