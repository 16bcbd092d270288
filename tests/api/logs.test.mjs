// Log lines: their words, and that payloads are printed at debug only.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startHub } from "../support/hub.mjs";
import { listen } from "../support/listener.mjs";
import { eventually, sleep } from "../support/wait.mjs";

const start = (level) =>
  startHub({ HEARTBEAT_SECONDS: "1" }, { configPath: "wrangler.toml", secrets: { LOG_LEVEL: level } });

async function visit(hub) {
  const channel = hub.channel("foo");
  const listener = await listen(channel);
  await channel.publish("secret=1");
  await channel.publish("a\nb\u001b[31m\r\n");
  await channel.publish("é".repeat(300));
  await channel.publishBatch(["one", ["typed", "two"]]);
  await assert.rejects(channel.publish("not published", { query: "?event=hub.x" }));
  await listener.untilEvents(5);
  listener.reset();
  await eventually(async () => (await channel.stats()).subscribers === 0);
}

test("debug shows who comes, what is sent, and who leaves", async () => {
  const hub = await start("debug");
  await visit(hub);
  await eventually(() => hub.logLines().length >= 7);
  assert.deepEqual(hub.logLines(), [
    "listener connected: id=foo conn=1",
    "sent to foo: secret=1",
    "sent to foo: a\\nb\\u{1b}[31m\\n",
    `sent to foo: ${"é".repeat(200)}…`,
    "sent to foo: one",
    "sent to foo: two",
    "listener left: id=foo conn=1",
  ]);
});

test("info shows no payload", async () => {
  const hub = await start("info");
  await visit(hub);
  await eventually(() => hub.logLines().length >= 2);
  assert.deepEqual(hub.logLines(), ["listener connected: id=foo conn=1", "listener left: id=foo conn=1"]);
});

test("warn shows neither", async () => {
  const hub = await start("warn");
  await visit(hub);
  await sleep(500);
  assert.deepEqual(hub.logLines(), []);
});
