// HOLD_STREAMS=auto: the object holds the streams of a busy channel, and the Worker those of a quiet one.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ReconnectingSubscriber } from "../support/reconnecting.mjs";
import { subscribeToSeveral } from "../support/several.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ HOLD_STREAMS: "auto", LOG_LEVEL: "error", HEARTBEAT_SECONDS: "5" });

/** Publishes six events, after which a channel is busy for a minute. */
async function makeBusy(channel) {
  for (let n = 0; n < 6; n++) await channel.publish(String(n));
}

/** Returns how many streams a channel has, and how many of them Workers hold. */
async function holders(channel) {
  const { subscribers, feeds } = await channel.stats();
  return [subscribers, feeds];
}

describe("HOLD_STREAMS=auto", { concurrency: true }, () => {
  test("the Worker holds a stream of a quiet channel, and the object one that opens after six publishes in a minute", async () => {
    const channel = hub.channel("foo");
    const before = await subscribe(channel);
    assert.deepEqual(await holders(channel), [1, 1]);
    for (let n = 0; n < 5; n++) await channel.publish(String(n));
    await subscribe(channel);
    assert.deepEqual(await holders(channel), [2, 2]);
    await channel.publish("sixth");
    const after = await subscribe(channel);
    assert.deepEqual(await holders(channel), [3, 2]);
    const { id, subscribers } = await channel.publish("x");
    assert.equal(subscribers, 3);
    await Promise.all([before.untilId(id), after.untilId(id)]);
    assert.equal(before.account().events.length, 7);
    assert.equal(after.account().events.length, 1);
  });

  test("the Worker holds a stream of several channels, however busy they are", async () => {
    const channel = hub.channel("busy");
    await makeBusy(channel);
    const stream = await subscribeToSeveral(hub, ["busy", "other"]);
    assert.deepEqual(await holders(channel), [1, 1]);
    await stream.untilIds({ busy: (await channel.publish("x")).id });
  });

  test("streams of a channel that was quiet for a minute move from its object to the Worker and miss nothing", {
    timeout: 110_000,
  }, async () => {
    const channel = hub.channel("quiet");
    await makeBusy(channel);
    const subscribers = await Promise.all(Array.from({ length: 5 }, () => ReconnectingSubscriber.start(channel)));
    assert.deepEqual(await holders(channel), [5, 0]);
    await sleep(60_000);
    await eventually(() => subscribers.every(({ streams }) => streams.length === 2), 20_000, "all have reconnected");
    assert.deepEqual(await holders(channel), [5, 5]);
    const { id } = await channel.publish("after");
    for (const subscriber of subscribers) {
      await subscriber.stream.untilId(id);
      assert.deepEqual(subscriber.check(id), ["after"]);
      const [first] = subscriber.streams;
      assert.ok(first.response.complete, "the connection was cut");
      assert.ok(first.retry >= 100 && first.retry <= 1_000, `retry: ${first.retry}`);
      subscriber.stop();
    }
  });
});
