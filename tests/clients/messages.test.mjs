// The messages, types and ids that clients of other projects receive, and what these clients do at the end of a channel.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, test } from "node:test";
import { EventSource } from "eventsource";
import { openBrowser } from "../support/browser.mjs";
import { subscribeInPython } from "../support/clients.mjs";
import { startHub } from "../support/hub.mjs";
import { eventually, untilSubscribers } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startHub({ HEARTBEAT_SECONDS: "1", MAX_SUBSCRIBERS: "1" });
const site = await startWebsite();
const browser = await openBrowser();

async function openPage() {
  const page = await browser.newPage();
  await page.goto(`${site}/empty`);
  return page;
}

const MULTILINE = "line 1\nline 2\n\n🎉 ";

/** Starts a program and collects its output. It is killed after the test file. */
function start(command, ...args) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  const program = { child, output: "" };
  child.stdout.on("data", (data) => (program.output += data));
  after(() => child.kill("SIGKILL"));
  return program;
}

test("curl -N prints the bytes of a stream and its heartbeats as they arrive", { timeout: 60_000 }, async () => {
  const channel = hub.channel("curl");
  const curl = start("curl", "-sN", channel.url);
  await untilSubscribers(channel);
  const { id } = await channel.publish("foo=bar");
  await eventually(() => curl.output.includes(`\ndata: foo=bar\nid: ${id}\n\n`));
  await eventually(() => curl.output.includes(`${id}\n\n:\n`), 10_000, "a heartbeat");
  curl.child.kill();
  await eventually(async () => (await channel.stats()).subscribers === 0, 10_000, "the hub has removed the stream");
});

test("the npm package eventsource receives messages, types and ids", { timeout: 60_000 }, async () => {
  const channel = hub.channel("npm");
  const source = new EventSource(channel.url);
  after(() => source.close());
  const received = [];
  source.addEventListener("message", ({ data, lastEventId }) => received.push(["message", data, lastEventId]));
  source.addEventListener("score", ({ data, lastEventId }) => received.push(["score", data, lastEventId]));
  await once(source, "open");
  const first = await channel.publish(MULTILINE);
  const second = await channel.publish("7:3", { query: "?event=score" });
  await eventually(() => received.length === 2);
  assert.deepEqual(received, [
    ["message", MULTILINE, first.id],
    ["score", "7:3", second.id],
  ]);
});

test("the Python package sseclient receives messages, types and ids", { timeout: 60_000 }, async () => {
  const channel = hub.channel("python");
  const client = subscribeInPython("sseclient", channel.url);
  await untilSubscribers(channel);
  const first = await channel.publish(MULTILINE);
  const second = await channel.publish("7:3", { query: "?event=score" });
  await eventually(async () => (await client.received()).length === 3);
  const [, ...received] = await client.received();
  assert.deepEqual(received, [
    ["message", MULTILINE, first.id],
    ["score", "7:3", second.id],
  ]);
});

test("Chromium's EventSource receives messages, types and ids on a page of another origin", {
  timeout: 60_000,
}, async () => {
  const channel = hub.channel("chromium");
  const page = await openPage();
  await page.evaluate((url) => {
    const received = [];
    window.received = received;
    window.source = new EventSource(url);
    const note = ({ type, data, lastEventId }) => received.push([type, data, lastEventId]);
    for (const type of ["message", "score", "hub.error"]) window.source.addEventListener(type, note);
    return new Promise((resolve) => {
      window.source.onopen = resolve;
    });
  }, channel.url);
  const first = await channel.publish(MULTILINE);
  const second = await channel.publish("7:3", { query: "?event=score" });
  await page.waitForFunction(() => window.received.length === 2);
  const received = await page.evaluate(() => window.received);
  assert.deepEqual(received, [
    ["message", MULTILINE, first.id],
    ["score", "7:3", second.id],
  ]);
});

test("Chromium's EventSource reconnects by itself after a full channel was answered with hub.error", {
  timeout: 60_000,
}, async () => {
  const channel = hub.channel("full");
  const first = new EventSource(channel.url);
  await once(first, "open");
  const page = await openPage();
  await page.evaluate((url) => {
    const received = [];
    window.received = received;
    const source = new EventSource(url);
    for (const type of ["message", "hub.error"]) {
      source.addEventListener(type, (event) => received.push(event.data));
    }
  }, channel.url);
  await page.waitForFunction(() => window.received.length === 1);
  const [problem] = await page.evaluate(() => window.received.map((data) => JSON.parse(data)));
  assert.equal(problem.status, 503);
  assert.match(problem.detail, /1 open streams, as many as it may \(MAX_SUBSCRIBERS\)/);
  first.close();
  // The hub tells it to wait for 5 to 15 seconds.
  await eventually(async () => (await channel.stats()).connected === 2, 30_000);
  await channel.publish("welcome back");
  await page.waitForFunction(() => window.received.at(-1) === "welcome back");
});

test("Chromium's EventSource and the npm package receive hub.end and do not reconnect", {
  timeout: 60_000,
}, async () => {
  const other = await startWorkerd({ LOG_LEVEL: "error" });
  const channel = other.channel("browser");
  const page = await openPage();
  await page.evaluate((url) => {
    const received = [];
    window.received = received;
    window.source = new EventSource(url);
    const note = ({ data }) => received.push(data);
    for (const type of ["message", "hub.end"]) window.source.addEventListener(type, note);
    return new Promise((resolve) => {
      window.source.onopen = resolve;
    });
  }, channel.url);
  const source = new EventSource(channel.url);
  after(() => source.close());
  await once(source, "open");
  const { id } = await channel.publish("last words");
  assert.equal((await channel.end()).subscribers, 2);
  await page.waitForFunction(() => window.source.readyState === EventSource.CLOSED);
  assert.deepEqual(await page.evaluate(() => window.received), [
    "last words",
    JSON.stringify({ channel: "browser", id }),
  ]);
  while (source.readyState !== EventSource.CLOSED) await once(source, "error");
  assert.equal((await channel.stats()).connected, 2);
});
