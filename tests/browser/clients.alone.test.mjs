// Clients that others wrote: curl, the npm package eventsource, a Python client, Chromium.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { EventSource } from "eventsource";
import { openBrowser } from "../support/browser.mjs";
import { startHub } from "../support/hub.mjs";
import { pythonPath } from "../support/python.mjs";
import { eventually } from "../support/wait.mjs";

const hub = await startHub({ HEARTBEAT_SECONDS: "1", MAX_SUBSCRIBERS: "1" });
// A page of another origin than the hub's.
const elsewhere = createServer((_, response) => response.setHeader("Content-Type", "text/html").end("<!doctype html>"));
await once(elsewhere.listen(0, "127.0.0.1"), "listening");
after(() => elsewhere.close());
const browser = await openBrowser();

async function openPage() {
  const page = await browser.newPage();
  await page.goto(`http://localhost:${elsewhere.address().port}`);
  return page;
}

const ODD = "line 1\nline 2\n\n🎉 ";

/** Starts a program that prints what it hears; it is killed after the test file. */
function start(command, ...args) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  const program = { child, output: "" };
  child.stdout.on("data", (data) => (program.output += data));
  after(() => child.kill("SIGKILL"));
  return program;
}

const connected = (channel) => eventually(async () => (await channel.stats()).subscribers === 1);

test("curl -N shows the stream as it is", { timeout: 60_000 }, async () => {
  const channel = hub.channel("curl");
  const curl = start("curl", "-sN", channel.url);
  await connected(channel);
  const { id } = await channel.publish("foo=bar");
  await eventually(() => curl.output.endsWith(`\n\nid: ${id}\ndata: foo=bar\n\n`));
  await eventually(() => curl.output.endsWith("\n\n:\n\n"), 3_000, "a heartbeat");
  curl.child.kill();
  await eventually(async () => (await channel.stats()).subscribers === 0, 2_000, "curl is let go of");
});

test("the npm package eventsource hears messages and types", { timeout: 60_000 }, async () => {
  const channel = hub.channel("npm");
  const source = new EventSource(channel.url);
  after(() => source.close());
  const heard = [];
  source.addEventListener("message", ({ data, lastEventId }) => heard.push(["message", data, lastEventId]));
  source.addEventListener("score", ({ data, lastEventId }) => heard.push(["score", data, lastEventId]));
  await once(source, "open");
  const first = await channel.publish(ODD);
  const second = await channel.publish("7:3", { query: "?event=score" });
  await eventually(() => heard.length === 2);
  assert.deepEqual(heard, [
    ["message", ODD, first.id],
    ["score", "7:3", second.id],
  ]);
});

test("the Python package sseclient hears them, too", { timeout: 60_000 }, async () => {
  const channel = hub.channel("python");
  const script = `
import json, sys
from sseclient import SSEClient
for event in SSEClient(sys.argv[1]):
    if event.data:
        print(json.dumps([event.event, event.data, event.id]), flush=True)
`;
  const client = start(pythonPath(), "-c", script, channel.url);
  await connected(channel);
  // Plain ASCII: this client takes a stream for ISO-8859-1, where the standard says UTF-8.
  const first = await channel.publish("line 1\nline 2");
  const second = await channel.publish("7:3", { query: "?event=score" });
  await eventually(() => client.output.split("\n").length === 3);
  const heard = client.output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(heard, [
    ["message", "line 1\nline 2", first.id],
    ["score", "7:3", second.id],
  ]);
});

test("Chromium's EventSource hears them on a page of another origin", { timeout: 60_000 }, async () => {
  const channel = hub.channel("chromium");
  const page = await openPage();
  await page.evaluate((url) => {
    window.heard = [];
    window.source = new EventSource(url);
    const note = ({ type, data, lastEventId }) => window.heard.push([type, data, lastEventId]);
    for (const type of ["message", "score", "hub.error"]) source.addEventListener(type, note);
    return new Promise((resolve) => (source.onopen = resolve));
  }, channel.url);
  const first = await channel.publish(ODD);
  const second = await channel.publish("7:3", { query: "?event=score" });
  await page.waitForFunction(() => window.heard.length === 2);
  const heard = await page.evaluate(() => window.heard);
  assert.deepEqual(heard, [
    ["message", ODD, first.id],
    ["score", "7:3", second.id],
  ]);
});

test("Chromium comes back by itself when the channel was full", { timeout: 60_000 }, async () => {
  const channel = hub.channel("full");
  const first = new EventSource(channel.url);
  await once(first, "open");
  const page = await openPage();
  await page.evaluate((url) => {
    window.heard = [];
    const source = new EventSource(url);
    for (const type of ["message", "hub.error"])
      source.addEventListener(type, (event) => window.heard.push(event.data));
  }, channel.url);
  await page.waitForFunction(() => window.heard.length === 1);
  const [problem] = await page.evaluate(() => window.heard.map(JSON.parse));
  assert.equal(problem.status, 503);
  assert.match(problem.detail, /1 open streams, as many as it may \(MAX_SUBSCRIBERS\)/);
  first.close();
  // It was told to wait for 5 to 15 seconds.
  await eventually(async () => (await channel.stats()).subscribers === 0, 3_000);
  await eventually(async () => (await channel.stats()).subscribers === 1, 20_000);
  await channel.publish("welcome back");
  await page.waitForFunction(() => window.heard.at(-1) === "welcome back");
});
