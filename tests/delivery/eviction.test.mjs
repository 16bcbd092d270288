// The runtime evicts an object ten seconds after its last request, unless it holds a stream or has a timer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { heldByWorker } from "../support/hub.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

test("an object is evicted after its last subscriber has left, and stays while it holds a stream", {
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
  const keptSubscriber = await subscribe(kept);
  await sleep(25_000);
  // A new object has the stored history, and counts from zero.
  assert.equal((await channel.stats()).published, 0, "the object has been evicted");
  const { connected, subscribers } = await kept.stats();
  const expected = heldByWorker ? [0, 1] : [1, 1];
  assert.deepEqual([connected, subscribers], expected, "only an object that holds a stream has not been evicted");
  await kept.publish("y");
  await keptSubscriber.untilEvents(1);
});
