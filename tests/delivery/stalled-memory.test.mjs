// The memory of the process with stalled streams.
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/subscriber.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const BATCH = Array.from({ length: 15 }, (_, i) => `${i} `.padEnd(60_000, "x"));
const BATCH_BYTES = 15 * 60_000;
const STREAMS = 20;
const BATCHES = 150;

test("stalled streams need no more memory than their buffers", { timeout: 240_000 }, async () => {
  const hub = await startWorkerd({ LOG_LEVEL: "error" });
  const channel = hub.channel("memory");
  const healthy = await subscribe(channel);
  const publish = async (batches) => {
    for (let i = 0; i < batches; i++) {
      const { id } = await channel.publishBatch(BATCH);
      await healthy.untilId(id);
      assert.equal(healthy.account().dropped, 0);
      healthy.clear();
    }
  };
  // The heap grows to its working size first.
  await publish(150);
  const stalled = [];
  for (let i = 0; i < STREAMS; i++) stalled.push(await subscribe(channel, { paused: true }));
  await publish(40);
  const before = hub.residentBytes();
  await publish(BATCHES);
  const grown = hub.residentBytes() - before;
  const published = BATCHES * BATCH_BYTES;
  const dropped = (await channel.stats()).dropped;
  assert.ok(dropped > STREAMS * 15 * (BATCHES - 1), "all of them were stalled all the time");
  console.log(`# ${STREAMS} stalled streams dropped ${published / 1e6} MB each; the process grew by ${grown / 1e6} MB`);
  assert.ok(grown < published / 4, `the process grew by ${grown} bytes`);
});
