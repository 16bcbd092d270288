// What the history retains: so many bytes, for so long; and of a channel that nobody uses any more, nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseId, resume, subscribe } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";
import { editStorage, startWorkerd } from "../support/workerd.mjs";

const EVENT_BYTES = 10_000;
const event = "x".repeat(EVENT_BYTES);
const TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'";

/** Checks that all of `total` events that are not retained are told, and returns how many are. */
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

test("HISTORY_BYTES bounds it, but what was published last is there, however large", async () => {
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

test("HISTORY_SECONDS bounds it, while the channel goes on", { timeout: 60_000 }, async () => {
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
  // The alarm comes by and leaves the epoch, and nothing else, to those who listen.
  const tables = () =>
    editStorage(hub, (database) =>
      database
        .prepare(TABLES)
        .all()
        .map(({ name }) => name),
    );
  assert.ok(tables().some((name) => name.startsWith("history")));
  await eventually(() => tables().every((name) => !name.startsWith("history")));
  assert.equal((await channel.stats()).history.bytes, 0);
  const third = await channel.publish("newer");
  assert.equal(third.id, `${epoch}-3`);
  await Promise.all([stream.untilId(third.id), far.untilId(third.id)]);
  assert.deepEqual([stream.account().last, far.account().last], [3, 3]);

  // Also where nothing is stored but where the channel was.
  await eventually(() => tables().every((name) => !name.startsWith("history")));
  await hub.restart();
  const back = await resume(channel, third.id);
  const fourth = await channel.publish("after a restart");
  assert.equal(fourth.id, `${epoch}-4`);
  await back.untilId(fourth.id);
  assert.deepEqual([back.account().events.length, back.account().last], [1, 4]);
});

test("of a channel that has gone quiet nothing is stored, not even its epoch", { timeout: 60_000 }, async () => {
  const hub = await startWorkerd({ HISTORY_SECONDS: "2", IDEMPOTENCY_SECONDS: "1", LOG_LEVEL: "error" });
  const channel = hub.channel("quiet");
  const { id } = await channel.publish("x", { headers: { "Idempotency-Key": "a" } });
  await hub.restart();
  assert.equal((await channel.stats()).epoch, parseId(id).epoch);
  // Whoever asks for stats brings nothing back; a restart shows what was stored.
  await eventually(async () => {
    await hub.restart();
    return (await channel.stats()).epoch !== parseId(id).epoch;
  });
  const next = await channel.publish("y");
  assert.ok(parseId(next.id).epoch > parseId(id).epoch && parseId(next.id).seq === 1);
  const stream = await resume(channel, id);
  await stream.untilId(next.id);
  assert.deepEqual([stream.account().unknown, stream.account().last], [1, 1]);
});
