// DELETE removes everything: its streams end with hub.end, and clients do not reconnect until the next publish.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseId, resume, subscribe } from "../support/subscriber.mjs";
import { sleep } from "../support/wait.mjs";
import { editStorage, startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ LOG_LEVEL: "error" });

/**
 * Checks that subscribes are answered with 204, after which an EventSource does not reconnect. A client with an id of
 * the deleted events is told before that it has missed events.
 */
async function assertDeleted(channel, id = "garbage") {
  const late = await resume(channel, id);
  await late.untilEnded();
  assert.deepEqual(
    late.events.map(({ event }) => event),
    ["hub.gap", "hub.end"],
  );
  assert.equal(late.account().unknown, 1);
  for (const headers of [{}, { "Last-Event-ID": late.lastEventId }]) {
    const response = await fetch(channel.url, { headers: { Accept: "text/event-stream", ...headers } });
    assert.deepEqual([response.status, await response.text()], [204, ""]);
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
  }
  assert.ok((await channel.stats()).ended);
}

test("DELETE ends all streams with hub.end in a larger epoch, and the next publish is its first event", async () => {
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
    const last = stream.events.at(-1);
    assert.deepEqual([last.event, parseId(last.id).seq], ["hub.end", 0]);
    assert.ok(parseId(last.id).epoch > parseId(id).epoch);
    assert.equal(last.data, JSON.stringify({ channel: "match", id: last.id }));
    assert.deepEqual([stream.account().events.length, stream.account().last], [2, 2]);
  }
  const [{ events: ends }] = streams;
  await assertDeleted(channel, id);
  const { history } = await channel.stats();
  assert.deepEqual([history.oldest, history.events, history.bytes], [null, 0, 0]);

  const next = await channel.publish("another match");
  assert.equal(next.id, ends.at(-1).id.replace(/0$/, "1"), "a client that goes on from hub.end misses nothing");
  const late = await resume(channel, id);
  await late.untilEvents(2);
  assert.deepEqual(
    late.events.map(({ event, data }) => event ?? data),
    ["hub.gap", "another match"],
  );
  assert.equal(late.account().unknown, 1);
  assert.deepEqual((await channel.history()).events, [{ id: next.id, event: "message", data: "another match" }]);
});

test("a deleted channel stays ended across a restart, and the next epoch does not", async () => {
  const other = await startWorkerd({ LOG_LEVEL: "error" });
  const channel = other.channel("restart");
  const { id } = await channel.publish("the end is near");
  await channel.delete();
  await other.restart();
  await assertDeleted(channel);
  await other.restart();
  const next = await channel.publish("again");
  assert.match(next.id, /-1$/);
  assert.ok(parseId(next.id).epoch > parseId(id).epoch);
  await other.restart();
  const stream = await resume(channel, next.id);
  assert.equal(stream.startId, next.id, "the new epoch has not ended");
});

test("after an hour and after HISTORY_SECONDS, a deleted channel is unused again", async () => {
  const other = await startWorkerd({ LOG_LEVEL: "error", HISTORY_SECONDS: "60" });
  const channel = other.channel("hour");
  const { id } = await channel.publish("x");
  await channel.delete();
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
  assert.deepEqual(await channel.delete(), { id, subscribers: 0, dropped: 0 });
  const again = await channel.delete();
  assert.deepEqual([again.subscribers, again.dropped], [0, 0]);
  assert.ok(parseId(again.id).epoch >= parseId(id).epoch);
  await assertDeleted(channel);
  assert.ok(parseId((await channel.publish("y")).id).epoch > parseId(id).epoch);

  const unused = hub.channel("unused");
  const early = await subscribe(unused);
  assert.equal((await unused.delete()).subscribers, 1);
  await early.untilEnded();
  assert.deepEqual(
    early.events.map(({ event, id }) => [event, id]),
    [["hub.end", early.lastEventId]],
  );
  await assertDeleted(unused);
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
    ends.push((await channel.delete()).id);
  }
  open = false;
  await Promise.all(publishers);
  ends.push((await channel.delete()).id);
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
  const ended = await channel.delete();
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
