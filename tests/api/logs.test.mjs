// The log lines at each LOG_LEVEL.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startHub } from "../support/hub.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";

const start = (level) =>
  startHub({ HEARTBEAT_SECONDS: "1" }, { configPath: "wrangler.toml", secrets: { LOG_LEVEL: level } });

/** Subscribes, publishes events of different kinds, and disconnects. */
async function useChannel(hub) {
  const channel = hub.channel("foo");
  const subscriber = await subscribe(channel);
  await channel.publish("secret=1");
  await channel.publish("a\nb\u001b[31m\r\n");
  await channel.publish("é".repeat(300));
  await channel.publishBatch(["one", ["typed", "two"]]);
  await assert.rejects(channel.publish("not published", { query: "?event=hub.x" }));
  await subscriber.untilEvents(5);
  subscriber.reset();
  await eventually(async () => (await channel.stats()).subscribers === 0);
}

test("the log at level debug shows subscribers and payloads, which are escaped and cut", async () => {
  const hub = await start("debug");
  await useChannel(hub);
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

test("the log at level info shows subscribers and no payload", async () => {
  const hub = await start("info");
  await useChannel(hub);
  await eventually(() => hub.logLines().length >= 2);
  assert.deepEqual(hub.logLines(), ["listener connected: id=foo conn=1", "listener left: id=foo conn=1"]);
});

test("the log at level warn shows neither subscribers nor payloads", async () => {
  const hub = await start("warn");
  await useChannel(hub);
  await sleep(500);
  assert.deepEqual(hub.logLines(), []);
});
