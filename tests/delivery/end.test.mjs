// DELETE ends a channel: its streams end with hub.end, and clients do not reconnect until the next publish.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseId, resume, subscribe } from "../support/subscriber.mjs";
import { sleep } from "../support/wait.mjs";
import { editStorage, startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ LOG_LEVEL: "error" });

/** Checks that subscribes are answered with 204, after which an EventSource does not reconnect. */
async function assertEnded(channel) {
  for (const headers of [{}, { "Last-Event-ID": "garbage" }]) {
    const response = await fetch(channel.url, { headers: { Accept: "text/event-stream", ...headers } });
    assert.deepEqual([response.status, await response.text()], [204, ""]);
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
  }
}

test("DELETE ends all streams with hub.end, and the next publish starts a larger epoch", async () => {
  const channel = hub.channel("match");
  const streams = [await subscribe(channel), await subscribe(channel, { query: "?catch_up=1" })];
  const { id } = await channel.publishBatch(["7:3", "8:3"]);
  const response = await fetch(channel.url, { method: "DELETE" });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  assert.deepEqual(await response.json(), { id, subscribers: 2, dropped: 0 });
  for (const stream of streams) {
    await stream.untilEnded();
    assert.deepEqual(stream.events.at(-1), { id, event: "hub.end", data: JSON.stringify({ id }) });
    assert.deepEqual([stream.account().events.length, stream.account().last], [2, 2]);
  }
  await assertEnded(channel);
  const { history } = await channel.stats();
  assert.deepEqual([history.oldest, history.events, history.bytes], [null, 0, 0]);
  await assertEnded(channel);

  const next = await channel.publish("another match");
  assert.match(next.id, /-1$/);
  assert.ok(parseId(next.id).epoch > parseId(id).epoch);
  const late = await resume(channel, id);
  await late.untilEvents(2);
  assert.deepEqual(
    late.events.map(({ event, data }) => event ?? data),
    ["hub.gap", "another match"],
  );
  assert.equal(late.account().unknown, 1);
  assert.deepEqual((await channel.history()).events, [{ id: next.id, event: "message", data: "another match" }]);
});

test("a channel stays ended across a restart, and the next epoch does not", async () => {
  const other = await startWorkerd({ LOG_LEVEL: "error" });
  const channel = other.channel("restart");
  const { id } = await channel.publish("the end is near");
  await channel.end();
  await other.restart();
  await assertEnded(channel);
  await other.restart();
  const next = await channel.publish("again");
  assert.match(next.id, /-1$/);
  assert.ok(parseId(next.id).epoch > parseId(id).epoch);
  await other.restart();
  const stream = await resume(channel, next.id);
  assert.equal(stream.startId, next.id, "the new epoch has not ended");
});

test("an hour after DELETE a channel is unused again", async () => {
  const other = await startWorkerd({ LOG_LEVEL: "error" });
  const channel = other.channel("hour");
  const { id } = await channel.publish("x");
  await channel.end();
  await other.kill();
  // The test moves the end into the past instead of waiting.
  editStorage(other, (database) => {
    const endedUntil = Number(database.prepare("SELECT ended_until FROM channel").get().ended_until);
    const left = endedUntil - Date.now();
    assert.ok(left > 3_500_000 && left <= 3_600_000, `${left} ms`);
    database.exec("UPDATE channel SET ended_until = ended_until - 3600000");
  });
  await other.start();
  const stream = await resume(channel, id);
  await stream.untilEvents(1);
  assert.equal(stream.account().unknown, 1);
  assert.ok(parseId(stream.lastEventId).epoch > parseId(id).epoch);
});

test("DELETE of an ended or unused channel succeeds", async () => {
  const channel = hub.channel("twice");
  const { id } = await channel.publish("x");
  assert.deepEqual(await channel.end(), { id, subscribers: 0, dropped: 0 });
  const again = await channel.end();
  assert.deepEqual([again.subscribers, again.dropped], [0, 0]);
  assert.ok(parseId(again.id).epoch >= parseId(id).epoch);
  await assertEnded(channel);
  assert.ok(parseId((await channel.publish("y")).id).epoch > parseId(id).epoch);

  const unused = hub.channel("unused");
  const early = await subscribe(unused);
  assert.equal((await unused.end()).subscribers, 1);
  await early.untilEnded();
  assert.deepEqual(
    early.events.map(({ event, id }) => [event, id]),
    [["hub.end", early.startId]],
  );
  await assertEnded(unused);
});

test("during concurrent publishes and DELETEs each epoch is complete and each stream gets hub.end", {
  timeout: 60_000,
}, async () => {
  const channel = hub.channel("load");
  let open = true;
  const published = new Map();
  const publishers = Array.from({ length: 4 }, async (_, publisher) => {
    for (let n = 0; open; n++) {
      const { id } = await channel.publish(`${publisher}:${n}`);
      assert.ok(!published.has(id), "an id has been used before");
      published.set(id, `${publisher}:${n}`);
    }
  });
  const streams = [];
  const readers = Array.from({ length: 4 }, async () => {
    while (open) {
      const stream = await subscribe(channel);
      await stream.untilEnded();
      if (stream.status === 200) streams.push(stream);
    }
  });
  const ends = [];
  while (ends.length < 30) {
    await sleep(20);
    ends.push((await channel.end()).id);
  }
  open = false;
  await Promise.all(publishers);
  ends.push((await channel.end()).id);
  await Promise.all(readers);
  for (const stream of streams) {
    assert.equal(stream.events.at(-1).event, "hub.end");
    assert.ok(stream.account().events.every(({ id, data }) => published.get(id) === data));
  }
  // The receipt of DELETE has the last id of its epoch, and so the number of its events.
  const sum = ends.map((id) => parseId(id).seq).reduce((a, b) => a + b);
  assert.equal(sum, published.size);
});

test("DELETE tells a stream that has backed up what it cannot receive any more", { timeout: 120_000 }, async () => {
  const large = await startWorkerd({ HISTORY_BYTES: "67108864", LOG_LEVEL: "error" });
  const channel = large.channel("backed-up");
  const plain = await subscribe(channel, { paused: true });
  const patient = await subscribe(channel, { query: "?catch_up=1", paused: true });
  let id;
  let dropped = 0;
  for (let i = 0; i < 40; i++) {
    const receipt = await channel.publishBatch(Array.from({ length: 15 }, () => "x".repeat(50_000)));
    ({ id } = receipt);
    dropped += receipt.dropped;
  }
  const ended = await channel.end();
  assert.deepEqual([ended.id, ended.subscribers], [id, 2]);
  for (const stream of [plain, patient]) {
    stream.unpause();
    await stream.untilEnded();
    assert.equal(stream.events.at(-1).event, "hub.end");
    assert.equal(stream.account().last, 600);
  }
  const [ofPlain, ofPatient] = [plain.account(), patient.account()];
  assert.deepEqual([ofPlain.dropped, ofPlain.gap], [dropped + ended.dropped, 0]);
  assert.ok(ofPatient.gap > 0 && ofPatient.dropped === 0, "DELETE has removed the history that it was reading");
});
