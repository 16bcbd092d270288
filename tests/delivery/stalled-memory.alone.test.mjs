// Rule 3 again: stalled streams do not make the process grow. On bare workerd, whose memory is the hub's alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/subscriber.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const BATCH = Array.from({ length: 15 }, (_, i) => `${i} `.padEnd(60_000, "x"));
const BATCH_BYTES = 15 * 60_000;

test("20 stalled streams hold no more than their buffers", { timeout: 240_000 }, async () => {
  const hub = await startWorkerd({ LOG_LEVEL: "error" });
  const channel = hub.channel("memory");
  const healthy = await subscribe(channel);
  const pump = async (batches) => {
    for (let i = 0; i < batches; i++) {
      const { id } = await channel.publishBatch(BATCH);
      await healthy.untilId(id);
      assert.equal(healthy.account().dropped, 0);
      healthy.clear();
    }
  };
  // The garbage collector lets the heap grow to its working size first.
  await pump(150);
  const stalled = [];
  for (let i = 0; i < 20; i++) stalled.push(await subscribe(channel, { paused: true }));
  await pump(40);
  const before = hub.residentBytes();
  const batches = 300;
  await pump(batches);
  const grown = hub.residentBytes() - before;
  const passed = batches * BATCH_BYTES;
  assert.ok((await channel.stats()).dropped > 20 * 15 * (batches - 1), "all of them were stalled throughout");
  assert.ok(grown < passed / 4, `${passed} bytes passed by 20 stalled streams, and the process grew by ${grown}`);
  console.log(`# ${passed / 1e6} MB passed by 20 stalled streams; the process grew by ${grown / 1e6} MB`);
});
