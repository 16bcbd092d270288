// STALL_SECONDS: how long a stream may take nothing while events wait for it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { subscribe } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

// This is more than the buffers of the kernel between workerd and a client hold.
const BATCH = Array.from({ length: 15 }, () => "x".repeat(50_000));
const BATCHES = 27;

describe("streams that stall", { concurrency: true }, () => {
  test("the hub ends a stream that stalls for STALL_SECONDS, and no idle stream", { timeout: 60_000 }, async () => {
    const hub = await startWorkerd({ STALL_SECONDS: "4", HEARTBEAT_SECONDS: "1" }, { withLog: true });
    const channel = hub.channel("stall");
    const healthy = await subscribe(channel);
    const stalled = await subscribe(channel, { paused: true });
    for (let i = 0; i < BATCHES; i++) await channel.publishBatch(BATCH);
    await eventually(async () => (await channel.stats()).subscribers === 1);
    await eventually(() => hub.log.includes("listener left: id=stall conn=2\n"));
    assert.equal((await channel.stats()).busy, 0);
    stalled.unpause();
    await stalled.untilEnded();
    stalled.account();
    // The other stream gets nothing but heartbeats for twice the limit.
    const heartbeats = healthy.comments.length;
    await healthy.until(() => healthy.comments.length >= heartbeats + 9, "9 heartbeats");
    const { id } = await channel.publish("still there");
    await healthy.untilId(id);
  });

  test("with STALL_SECONDS=0 the hub never ends a stream that stalls", { timeout: 60_000 }, async () => {
    const hub = await startWorkerd({ STALL_SECONDS: "0", HEARTBEAT_SECONDS: "1", LOG_LEVEL: "error" });
    const channel = hub.channel("unlimited");
    const healthy = await subscribe(channel);
    await subscribe(channel, { paused: true });
    for (let i = 0; i < BATCHES; i++) await channel.publishBatch(BATCH);
    await healthy.until(() => healthy.comments.length >= 5, "5 heartbeats");
    const { subscribers, busy } = await channel.stats();
    assert.deepEqual([subscribers, busy], [2, 1]);
  });
});
