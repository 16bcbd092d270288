// The runtime evicts an object ten seconds after its last request, unless it has a stream or a timer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

test("an object is evicted after its last subscriber has left, and stays while it has one", {
  timeout: 60_000,
}, async () => {
  const hub = await startWorkerd({ HEARTBEAT_SECONDS: "1", LOG_LEVEL: "error" });
  const channel = hub.channel("left");
  const subscriber = await subscribe(channel);
  await channel.publish("x");
  await subscriber.untilEvents(1);
  subscriber.reset();
  await eventually(async () => (await channel.stats()).subscribers === 0);
  const kept = hub.channel("kept");
  await subscribe(kept);
  await sleep(25_000);
  // A new object has the stored history, and counts from zero.
  assert.equal((await channel.stats()).published, 0, "the object has been evicted");
  assert.equal((await kept.stats()).connected, 1, "the object with a stream has not been evicted");
});
