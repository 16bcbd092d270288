// Heartbeats keep connections open, and the hub notices connections that were closed.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startHub } from "../support/hub.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";

const HEARTBEAT_MS = 2_000;
/** By how much the mean time between heartbeats may be shorter here, because the first one came late. */
const DELAY_MS = 100;
/** The bound that docs/self-hosting.md promises, and the time of the requests that check it. */
const GONE_MS = 2.5 * HEARTBEAT_MS;
const hub = await startHub({ HEARTBEAT_SECONDS: String(HEARTBEAT_MS / 1_000) });

describe("heartbeats", { concurrency: true }, () => {
  test("an idle stream gets exactly one heartbeat in every period", async () => {
    const subscriber = await subscribe(hub.channel("idle"));
    const opening = subscriber.text.length;
    const times = [Date.now()];
    for (let beat = 0; beat < 6; beat++) {
      const count = subscriber.comments.length;
      await subscriber.until(() => subscriber.comments.length > count, "a heartbeat");
      times.push(Date.now());
    }
    assert.match(subscriber.text.slice(opening), /^(:\n)+$/);
    for (let beat = 1; beat < times.length; beat++) {
      const gap = times[beat] - times[beat - 1];
      assert.ok(gap < 2 * HEARTBEAT_MS, `${gap} ms`);
      // The first heartbeat may come at any time within a period.
      assert.ok(beat === 1 || gap > HEARTBEAT_MS / 4, `${gap} ms`);
    }
    // Each stream has its heartbeats at its own time in the last quarter of a period.
    const mean = (times.at(-1) - times[1]) / (times.length - 2);
    assert.ok(mean > 0.75 * HEARTBEAT_MS - DELAY_MS && mean < 1.2 * HEARTBEAT_MS, `${mean} ms`);
  });

  test("a stream that gets events gets no heartbeat", async () => {
    const channel = hub.channel("lively");
    const subscriber = await subscribe(channel);
    const count = subscriber.comments.length;
    for (let i = 0; i < 120; i++) {
      await channel.publish("x");
      await sleep(50);
    }
    assert.equal(subscriber.comments.length, count);
  });

  for (const how of ["closed", "reset"]) {
    test(`the hub removes the stream of a connection that was ${how} within two heartbeats`, async () => {
      const channel = hub.channel(`dead-${how}`);
      const stays = await subscribe(channel);
      const leaves = await subscribe(channel);
      assert.equal((await channel.stats()).subscribers, 2);
      if (how === "closed") leaves.close();
      else leaves.reset();
      await eventually(async () => (await channel.stats()).subscribers === 1, GONE_MS);
      await eventually(() => hub.logLines().includes(`listener left: id=dead-${how} conn=2`));
      const { id } = await channel.publish("x");
      await stays.untilId(id);
    });
  }
});

test("the hub removes the streams of 100 connections that were closed at once within two heartbeats", async () => {
  const channel = hub.channel("dead-100");
  const subscribers = await Promise.all(Array.from({ length: 100 }, () => subscribe(channel)));
  for (const [i, subscriber] of subscribers.entries()) {
    if (i % 2) subscriber.close();
    else subscriber.reset();
  }
  await eventually(async () => (await channel.stats()).subscribers === 0, GONE_MS);
});
