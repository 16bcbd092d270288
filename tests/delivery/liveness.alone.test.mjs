// Rule 7: heartbeats keep connections alive, and connections that were closed are let go of.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cases } from "../support/cases.mjs";
import { startHub } from "../support/hub.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";

const HEARTBEAT_MS = 1000;
const hub = await startHub({ HEARTBEAT_SECONDS: "1" });

test("an idle stream gets a heartbeat in every period, and nothing else", async () => {
  const subscriber = await subscribe(hub.channel("idle"));
  const opening = subscriber.text.length;
  const times = [Date.now()];
  for (let beat = 0; beat < 6; beat++) {
    const heard = subscriber.comments.length;
    await subscriber.until(() => subscriber.comments.length > heard, "a heartbeat");
    times.push(Date.now());
  }
  assert.match(subscriber.text.slice(opening), /^(:\n\n)+$/);
  for (let beat = 1; beat < times.length; beat++) {
    const gap = times[beat] - times[beat - 1];
    assert.ok(gap < HEARTBEAT_MS + 500, `${gap} ms`);
    // The first one may follow the opening block by any part of a period.
    assert.ok(beat === 1 || gap > HEARTBEAT_MS / 2, `${gap} ms`);
  }
});

test("a stream that gets events needs no heartbeat", async () => {
  const channel = hub.channel("lively");
  const subscriber = await subscribe(channel);
  const heard = subscriber.comments.length;
  for (let i = 0; i < 20; i++) {
    await channel.publish("x");
    await sleep(150);
  }
  assert.equal(subscriber.comments.length, heard);
});

for (const [how, leave] of cases([
  ["closed", (subscriber) => subscriber.close()],
  ["reset", (subscriber) => subscriber.reset()],
])) {
  test(`a connection that was ${how} is let go of within two heartbeats`, async () => {
    const channel = hub.channel(`dead-${how}`);
    const stays = await subscribe(channel);
    const leaves = await subscribe(channel);
    assert.equal((await channel.stats()).subscribers, 2);
    leave(leaves);
    await eventually(async () => (await channel.stats()).subscribers === 1, 2 * HEARTBEAT_MS);
    await eventually(() => hub.logLines().includes(`listener left: id=dead-${how} conn=2`));
    const { id } = await channel.publish("x");
    await stays.untilId(id);
  });
}

test("100 connections that broke off are let go of within two heartbeats", async () => {
  const channel = hub.channel("dead-100");
  const subscribers = await Promise.all(Array.from({ length: 100 }, () => subscribe(channel)));
  for (const [i, subscriber] of subscribers.entries()) {
    if (i % 2) subscriber.close();
    else subscriber.reset();
  }
  await eventually(async () => (await channel.stats()).subscribers === 0, 2 * HEARTBEAT_MS);
});

// The runtime evicts an object after 10 s in which nothing goes on in it; a timer that is still set keeps it.
test("the timer stops with the last subscriber", { timeout: 60_000 }, async () => {
  const channel = hub.channel("rest");
  const subscriber = await subscribe(channel);
  await channel.publish("x");
  await subscriber.untilEvents(1);
  subscriber.reset();
  await eventually(async () => (await channel.stats()).subscribers === 0, 2 * HEARTBEAT_MS);
  const kept = hub.channel("kept");
  await subscribe(kept);
  await sleep(25_000);
  // An object that starts again has its history, but counts anew.
  assert.equal((await channel.stats()).published, 0, "nothing kept the object alive");
  assert.equal((await kept.stats()).connected, 1, "an object with a stream stays");
});
