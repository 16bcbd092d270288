// Every subscriber that keeps up gets every event, in the same order, with contiguous ids.
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/subscriber.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ LOG_LEVEL: "error" });

test("a channel delivers only its own events, and a percent-encoded id names the same channel", async () => {
  const [a, b, encoded] = [hub.channel("iso-a"), hub.channel("iso-b"), hub.channel("%69so-%61")];
  const [onA, onB, onEncoded] = [await subscribe(a), await subscribe(b), await subscribe(encoded)];
  await a.publish("for a");
  await b.publish("for b");
  await a.publish("for a again");
  await Promise.all([onA.untilEvents(2), onB.untilEvents(1), onEncoded.untilEvents(2)]);
  assert.deepEqual(
    onA.events.map((event) => event.data),
    ["for a", "for a again"],
  );
  assert.deepEqual(
    onB.events.map((event) => event.data),
    ["for b"],
  );
  assert.deepEqual(onEncoded.events, onA.events);
  assert.equal((await b.stats()).published, 1);
});

test("channels with every permitted shape of id work", async () => {
  for (const id of ["A-z.0_9~:@-", "x".repeat(128), "@", "..."]) {
    const channel = hub.channel(id);
    const subscriber = await subscribe(channel);
    await channel.publish("x");
    await subscriber.untilEvents(1);
    assert.equal((await channel.stats()).channel, id);
  }
});

test("500 streams get every event of 8 publishers, in the same order", { timeout: 120_000 }, async () => {
  const channel = hub.channel("crowd");
  const subscribers = [];
  for (let i = 0; i < 10; i++) {
    subscribers.push(...(await Promise.all(Array.from({ length: 50 }, () => subscribe(channel)))));
  }
  assert.equal((await channel.stats()).subscribers, 500);
  const publishers = Array.from({ length: 8 }, async (_, publisher) => {
    const ids = [];
    for (let i = 0; i < 25; i++) {
      const receipt = await channel.publish(`${publisher}:${i}`);
      assert.equal(receipt.subscribers, 500);
      assert.equal(receipt.dropped, 0);
      ids.push([receipt.id, `${publisher}:${i}`]);
    }
    return ids;
  });
  const receipts = new Map((await Promise.all(publishers)).flat());
  assert.equal(receipts.size, 200);
  await Promise.all(subscribers.map((subscriber) => subscriber.untilEvents(200)));
  for (const subscriber of subscribers) {
    const { events, dropped } = subscriber.account();
    assert.equal(dropped, 0);
    assert.equal(events.length, 200);
    for (const event of events) assert.equal(event.data, receipts.get(event.id));
  }
});

// A flush writes to 200 streams in several groups.
for (const { streams, rounds } of [
  { streams: 20, rounds: 4 },
  { streams: 200, rounds: 1 },
]) {
  test(`${streams} streams that keep up get every event of bursts larger than their buffers`, {
    timeout: 120_000,
  }, async () => {
    const channel = hub.channel(`bursts-${streams}`);
    const subscribers = await Promise.all(Array.from({ length: streams }, () => subscribe(channel)));
    const batch = Array.from({ length: 256 }, (_, i) => `${i} ${"x".repeat(100)}`);
    // Each round publishes 12 batches at once, each with BUFFER_EVENTS events and over its own connection.
    for (let round = 0; round < rounds; round++) {
      const receipts = await Promise.all(Array.from({ length: 12 }, () => channel.publishBatch(batch)));
      for (const receipt of receipts) assert.equal(receipt.dropped, 0);
    }
    const total = rounds * 12 * 256;
    await Promise.all(subscribers.map((subscriber) => subscriber.untilEvents(total)));
    for (const subscriber of subscribers) {
      const { events, dropped } = subscriber.account();
      assert.equal(dropped, 0);
      assert.ok(
        events.every((event, i) => event.data === batch[i % 256]),
        "each batch is contiguous",
      );
    }
    assert.equal((await channel.stats()).dropped, 0);
  });
}

test("streams that keep up get every event of bursts of large events", { timeout: 120_000 }, async () => {
  const channel = hub.channel("large-bursts");
  const subscribers = await Promise.all(Array.from({ length: 5 }, () => subscribe(channel)));
  const batch = Array.from({ length: 15 }, (_, i) => String(i).repeat(60_000 / String(i).length));
  // The memory limit of a channel fits two of these batches.
  for (let wave = 0; wave < 5; wave++) await Promise.all([channel.publishBatch(batch), channel.publishBatch(batch)]);
  await Promise.all(subscribers.map((subscriber) => subscriber.untilEvents(150)));
  for (const subscriber of subscribers) {
    const { events, dropped } = subscriber.account();
    assert.equal(dropped, 0);
    assert.ok(events.every((event, i) => event.data === batch[i % 15]));
  }
});

test("streams that open and close during publishes miss no event in between", { timeout: 120_000 }, async () => {
  const channel = hub.channel("churn");
  let publishing = true;
  const publisher = (async () => {
    for (let i = 0; publishing; i++) await channel.publish(String(i));
  })();
  for (let round = 0; round < 15; round++) {
    const subscribers = await Promise.all(Array.from({ length: 10 }, () => subscribe(channel)));
    await Promise.all(subscribers.map((subscriber) => subscriber.untilEvents(3)));
    for (const [i, subscriber] of subscribers.entries()) {
      assert.equal(subscriber.account().dropped, 0);
      if (i % 2) subscriber.close();
      else subscriber.reset();
    }
  }
  publishing = false;
  await publisher;
});
