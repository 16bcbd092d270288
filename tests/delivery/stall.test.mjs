// A stream that takes nothing for STALL_SECONDS while events wait is ended.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startHub } from "../support/hub.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";

test("a stalled stream is ended, an idle one is not", { timeout: 120_000 }, async () => {
  const hub = await startHub({ STALL_SECONDS: "2", HEARTBEAT_SECONDS: "1" });
  const channel = hub.channel("stall");
  const healthy = await subscribe(channel);
  const stalled = await subscribe(channel, { paused: true });
  for (let i = 0; i < 400; i++) await channel.publish("x".repeat(50_000));
  await eventually(async () => (await channel.stats()).subscribers === 1, 6_000);
  await eventually(() => hub.logLines().includes("listener left: id=stall conn=2"));
  assert.equal((await channel.stats()).busy, 0);
  stalled.unpause();
  await stalled.untilEnded();
  stalled.account();
  // Two stall limits of silence but for heartbeats.
  const heartbeats = healthy.comments.length;
  await healthy.until(() => healthy.comments.length >= heartbeats + 5, "5 heartbeats");
  const { id } = await channel.publish("still there");
  await healthy.untilId(id);
});

test("with STALL_SECONDS=0 it never is", { timeout: 120_000 }, async () => {
  const hub = await startHub({ STALL_SECONDS: "0", HEARTBEAT_SECONDS: "1" });
  const channel = hub.channel("patient");
  const healthy = await subscribe(channel);
  await subscribe(channel, { paused: true });
  for (let i = 0; i < 400; i++) await channel.publish("x".repeat(50_000));
  await healthy.until(() => healthy.comments.length >= 5, "5 heartbeats");
  const { subscribers, busy } = await channel.stats();
  assert.deepEqual([subscribers, busy], [2, 1]);
});
