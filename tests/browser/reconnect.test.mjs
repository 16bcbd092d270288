// Clients of other projects reconnect by themselves after a restart of the hub, and receive every event once.
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

/** Publishes with an idempotency key until that succeeds. */
async function publishWithRetries(channel, data) {
  for (;;) {
    const receipt = await channel.publish(data, { headers: { "Idempotency-Key": data } }).catch((error) => {
      // The hub may be down. Any answer other than 200 is an error.
      if (!error.cause) throw error;
    });
    if (receipt) return;
    await sleep(20);
  }
}

/** Publishes all events to `count` streams, and kills and restarts the hub after half of the events. */
async function publishThroughRestart(hub, channel, count) {
  const connected = () => eventually(async () => (await channel.stats()).subscribers === count);
  await connected();
  const { seq } = await channel.stats();
  let restart;
  for (const data of all) {
    if (data === all[EVENTS / 2]) restart = hub.restart();
    await publishWithRetries(channel, data);
  }
  await restart;
  assert.equal((await channel.stats()).seq, seq + EVENTS, "each event has been published once");
  await connected();
}

const TYPES = ["message", "hub.gap", "hub.dropped", "hub.error"];

/** Subscribes with sseclient, and prints the data of each event after a mark, because the package prints lines, too. */
const PYTHON_CLIENT = `
import sys
from sseclient import SSEClient
for event in SSEClient(sys.argv[1]):
    if event.data:
        print("received", event.data, flush=True)
`;

test("Chromium, the npm package eventsource and the Python package sseclient receive 1,000 events once across a restart", {
  timeout: 240_000,
}, async () => {
  const hub = await startWorkerd();
  const channel = hub.channel("clients");

  const browser = await openBrowser();
  const page = await browser.newPage();
  await page.evaluate(
    ({ url, types }) => {
      const received = [];
      window.received = received;
      window.opened = 0;
      const source = new EventSource(url);
      source.onopen = () => {
        window.opened++;
      };
      for (const type of types) source.addEventListener(type, (event) => received.push(event.data));
    },
    { url: channel.url, types: TYPES },
  );

  const received = [];
  let opened = 0;
  const source = new EventSource(channel.url);
  after(() => source.close());
  source.onopen = () => {
    opened++;
  };
  for (const type of TYPES) source.addEventListener(type, (event) => received.push(event.data));

  const python = spawn(pythonPath(), ["-c", PYTHON_CLIENT, channel.url], { stdio: ["ignore", "pipe", "inherit"] });
  after(() => python.kill("SIGKILL"));
  let output = "";
  python.stdout.on("data", (data) => {
    output += data;
  });
  const receivedByPython = () => [...output.matchAll(/^received (.*)\n/gm)].map(([, data]) => data);

  await publishThroughRestart(hub, channel, 3);
  await page.waitForFunction((count) => window.received.length >= count, EVENTS);
  await eventually(() => received.length >= EVENTS && receivedByPython().length >= EVENTS);
  assert.deepEqual(await page.evaluate(() => window.received), all);
  assert.deepEqual(received, all);
  assert.deepEqual(receivedByPython(), all);
  assert.deepEqual([await page.evaluate(() => window.opened), opened], [2, 2]);
});
