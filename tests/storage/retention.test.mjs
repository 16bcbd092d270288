// How much the history retains, and for how long.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseId, resume, subscribe } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";
import { editStorage, startWorkerd, untilCleared } from "../support/workerd.mjs";

const EVENT_BYTES = 10_000;
const event = "x".repeat(EVENT_BYTES);
const TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'";

/**
 * Checks that a gap reports all of the `total` events that are not retained. Returns the number of retained events.
 */
async function assertRetains(channel, epoch, total) {
  const { history } = await channel.stats();
  const stream = await resume(channel, `${epoch}-0`);
  await stream.until(() => stream.events.length > 0 && stream.account().last === total);
  const { events, gap, unknown } = stream.account();
  assert.deepEqual([events.length + gap, unknown, history.events], [total, 0, events.length]);
  assert.equal(history.oldest, `${epoch}-${gap + 1}`);
  stream.close();
  return events.length;
}

test("HISTORY_BYTES bounds the history, which always has the last publish, however large it is", async () => {
  const hub = await startWorkerd({ HISTORY_BYTES: "100000", LOG_LEVEL: "error" });
  const channel = hub.channel("bytes");
  const { epoch } = parseId((await channel.publish(event)).id);
  for (let n = 2; n <= 30; n++) {
    await channel.publish(event);
    assert.equal(await assertRetains(channel, epoch, n), Math.min(n, 9));
  }
  const { bytes } = (await channel.stats()).history;
  assert.ok(bytes > 9 * EVENT_BYTES && bytes <= 100_000, bytes);
  await channel.publishBatch(Array.from({ length: 20 }, () => event));
  assert.equal(await assertRetains(channel, epoch, 50), 20);
  await hub.restart();
  assert.equal(await assertRetains(channel, epoch, 50), 20);
  await channel.publish("small");
  assert.equal(await assertRetains(channel, epoch, 51), 1);
});

test("HISTORY_SECONDS bounds the history of a channel in use, whose epoch and seq continue", {
  timeout: 60_000,
}, async () => {
  const hub = await startWorkerd({ HISTORY_SECONDS: "3", LOG_LEVEL: "error" });
  const channel = hub.channel("seconds");
  const stream = await subscribe(channel);
  const { id } = await channel.publish("old");
  const { epoch } = parseId(id);
  assert.equal(await assertRetains(channel, epoch, 1), 1);
  await eventually(async () => (await channel.stats()).history.events === 0);
  const far = await resume(channel, `${epoch}-0`);
  await far.untilId(id);
  assert.deepEqual([far.account().gap, far.account().unknown], [1, 0]);
  await channel.publish("new");
  assert.equal(await assertRetains(channel, epoch, 2), 1);
  // The alarm clears everything but the epoch, because the channel has subscribers.
  const tables = () =>
    editStorage(hub, (database) =>
      database
        .prepare(TABLES)
        .all()
        .map(({ name }) => String(name)),
    );
  assert.ok(tables().some((name) => name.startsWith("history")));
  await eventually(() => tables().every((name) => !name.startsWith("history")));
  assert.equal((await channel.stats()).history.bytes, 0);
  const third = await channel.publish("newer");
  assert.equal(third.id, `${epoch}-3`);
  await Promise.all([stream.untilId(third.id), far.untilId(third.id)]);
  assert.deepEqual([stream.account().last, far.account().last], [3, 3]);

  // A restart continues the epoch although nothing else is stored.
  await eventually(() => tables().every((name) => !name.startsWith("history")));
  await hub.restart();
  const back = await resume(channel, third.id);
  const fourth = await channel.publish("after a restart");
  assert.equal(fourth.id, `${epoch}-4`);
  await back.untilId(fourth.id);
  assert.deepEqual([back.account().events.length, back.account().last], [1, 4]);
});

test("a channel that is no longer in use is cleared, also of its epoch", { timeout: 60_000 }, async () => {
  const hub = await startWorkerd({ HISTORY_SECONDS: "5", IDEMPOTENCY_SECONDS: "1", LOG_LEVEL: "error" });
  const channel = hub.channel("quiet");
  const { id } = await channel.publish("x", { headers: { "Idempotency-Key": "a" } });
  await hub.restart();
  assert.equal((await channel.stats()).epoch, parseId(id).epoch);
  await untilCleared(hub, channel, id);
  const next = await channel.publish("y");
  assert.ok(parseId(next.id).epoch > parseId(id).epoch && parseId(next.id).seq === 1);
  const stream = await resume(channel, id);
  await stream.untilId(next.id);
  assert.deepEqual([stream.account().unknown, stream.account().last], [1, 1]);
});
