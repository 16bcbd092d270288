// POST /channels/{id}/end ends a channel and keeps its events: a subscriber that was away gets them, and then the end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseId, resume, subscribe } from "../support/subscriber.mjs";
import { editStorage, startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ LOG_LEVEL: "error" });
const NO_HISTORY = { LOG_LEVEL: "error", HISTORY_EVENTS: "0" };

/** The status of a subscribe with GET and HEAD, which have to be the same. */
async function subscribeStatus(channel, headers = {}, query = "") {
  const [head, get] = await Promise.all(
    ["HEAD", "GET"].map((method) =>
      fetch(channel.url + query, { method, headers: { Accept: "text/event-stream", ...headers } }),
    ),
  );
  await get.body?.cancel();
  assert.equal(head.status, get.status, "HEAD answers as GET");
  assert.equal(head.headers.get("content-type"), get.headers.get("content-type"));
  return get.status;
}

const kinds = (stream) => stream.events.map(({ event, data }) => event ?? data);

test("the last event and the end reach a subscriber that was away, and then it gets 204", async () => {
  const channel = hub.channel("job");
  const live = await subscribe(channel);
  const { id: seen } = await channel.publish("progress");
  await live.untilId(seen);
  live.close();
  await channel.publish("result");
  const end = await channel.end("report", { query: "?event=done" });
  assert.equal(end.events, 1);
  const late = await resume(channel, seen);
  await late.untilEnded();
  assert.deepEqual(kinds(late), ["result", "done", "hub.end"]);
  assert.equal(late.lastEventId, end.id);
  assert.equal(late.account().events.length, 2);
  assert.equal(await subscribeStatus(channel, { "Last-Event-ID": end.id }), 204);
  assert.equal(await subscribeStatus(channel), 204);
  assert.equal(await subscribeStatus(channel, { "Last-Event-ID": seen }), 200);
  assert.equal(await subscribeStatus(channel, {}, "?history=1"), 200);
  assert.equal(await subscribeStatus(channel, {}, "?history=0"), 204);
});

test("open streams get the last events and hub.end, and end", async () => {
  const channel = hub.channel("open");
  const streams = await Promise.all(Array.from({ length: 100 }, () => subscribe(channel)));
  const { id } = await channel.publish("1");
  const batch = "data: 2\n\nevent: done\ndata: 3\n\n";
  const end = await channel.end(batch, { headers: { "Content-Type": "text/event-stream" } });
  assert.deepEqual(end, { id: id.replace(/1$/, "3"), events: 2, subscribers: 100, dropped: 0 });
  for (const stream of streams) {
    await stream.untilEnded();
    assert.deepEqual(kinds(stream), ["1", "2", "done", "hub.end"]);
    const last = stream.events.at(-1);
    assert.deepEqual(last, { id: end.id, event: "hub.end", data: JSON.stringify({ channel: "open", id: end.id }) });
    assert.equal(stream.account().last, 3);
  }
  assert.equal((await channel.stats()).subscribers, 0);
});

test("an end without a body publishes nothing, and can be repeated", async () => {
  const channel = hub.channel("empty");
  const stream = await subscribe(channel);
  const { id } = await channel.publish("x");
  for (const headers of [{}, { "Content-Type": "text/event-stream" }, { "Content-Type": "application/json" }]) {
    const { events, id: last } = await channel.end(undefined, { headers });
    assert.deepEqual([events, last], [0, id]);
  }
  await stream.untilEnded();
  assert.deepEqual(kinds(stream), ["x", "hub.end"]);
  const typed = await channel.end("", { query: "?event=done" });
  assert.deepEqual([typed.events, typed.id], [1, id.replace(/1$/, "2")], "a body without data is an event with a type");
});

test("the end of a channel without events is told to its subscribers", async () => {
  const channel = hub.channel("unused");
  const stream = await subscribe(channel);
  assert.deepEqual(await channel.end(), { id: stream.startId, events: 0, subscribers: 1, dropped: 0 });
  await stream.untilEnded();
  assert.deepEqual(kinds(stream), ["hub.end"]);
  assert.equal(await subscribeStatus(channel, { "Last-Event-ID": stream.lastEventId }), 204);
});

test("a publish reopens the channel in the same epoch, and no subscriber misses an event", async () => {
  const channel = hub.channel("reopened");
  const stream = await subscribe(channel);
  const first = await channel.end("1");
  await stream.untilEnded();
  const second = await channel.publish("2");
  assert.equal(second.id, first.id.replace(/1$/, "2"));
  assert.equal((await channel.stats()).ended, false);
  const resumed = await resume(channel, stream.lastEventId);
  await resumed.untilId(second.id);
  const third = await channel.publish("3");
  await resumed.untilId(third.id);
  assert.deepEqual(
    resumed.account().events.map(({ data }) => data),
    ["2", "3"],
  );
  assert.ok(!resumed.ended);
});

test("a repeated end with the same key has the receipt of the first one and does not end a reopened channel", async () => {
  const channel = hub.channel("repeated");
  const options = { headers: { "Idempotency-Key": "end-1" } };
  const first = await channel.end("last", options);
  assert.deepEqual(await channel.end("last", options), first);
  const response = await fetch(`${channel.url}/broadcast`, { method: "POST", body: "last", ...options });
  assert.equal(response.status, 422, "the key belongs to an end");
  await channel.publish("again");
  assert.deepEqual(await channel.end("last", options), first);
  assert.equal((await channel.stats()).ended, false);
});

test("a stream that has backed up gets every event before the end, as far as its buffer holds them", {
  timeout: 60_000,
}, async () => {
  const large = await startWorkerd({ HISTORY_BYTES: "67108864", LOG_LEVEL: "error" });
  const channel = large.channel("backed-up");
  const plain = await subscribe(channel, { paused: true });
  const patient = await subscribe(channel, { query: "?catch_up=1", paused: true });
  let dropped = 0;
  for (let i = 0; i < 30; i++) {
    dropped += (await channel.publishBatch(Array.from({ length: 15 }, () => "x".repeat(50_000)))).dropped;
  }
  const end = await channel.end("the end");
  dropped += end.dropped;
  assert.equal(end.subscribers, 2);
  for (const stream of [plain, patient]) {
    stream.unpause();
    await stream.untilEnded();
    assert.equal(stream.events.at(-1).event, "hub.end");
    assert.equal(stream.events.at(-2).data, "the end");
    assert.equal(stream.account().last, 451);
  }
  assert.ok(dropped > 0);
  assert.equal(plain.account().dropped, dropped);
  assert.deepEqual([patient.account().events.length, patient.account().dropped], [451, 0]);
});

test("a reader of pages learns that the channel has ended with the last page", async () => {
  const channel = hub.channel("pages");
  await channel.publishBatch(["1", "2", "3"]);
  assert.equal((await channel.history()).ended, false);
  await channel.end();
  const first = await channel.history("?limit=2");
  assert.deepEqual([first.events.length, first.ended], [2, false]);
  const second = await channel.history(`?after=${first.next}`);
  assert.deepEqual([second.events.length, second.ended], [1, true]);
  assert.equal((await channel.history(`?after=${second.next}`)).ended, true);
});

test("an ended channel and its events survive a restart of the process", async () => {
  for (const settings of [{ LOG_LEVEL: "error" }, NO_HISTORY]) {
    const other = await startWorkerd(settings);
    const channel = other.channel("restart");
    const stream = await subscribe(channel);
    await channel.publishBatch(["1", "2"]);
    const end = await channel.end("3");
    await stream.untilEnded();
    await other.kill();
    await other.start();
    assert.equal(await subscribeStatus(channel, { "Last-Event-ID": end.id }), 204);
    const late = await resume(channel, stream.startId);
    await late.untilEnded();
    const { events, gap, last } = late.account();
    assert.deepEqual([events.length + gap, last], [3, 3]);
    assert.equal(gap, settings === NO_HISTORY ? 3 : 0);
    assert.equal(late.events.at(-1).event, "hub.end");
    const next = await channel.publish("4");
    assert.equal(next.id, end.id.replace(/3$/, "4"));
  }
});

test("an ended channel is forgotten after an hour and after HISTORY_SECONDS", async () => {
  for (const { seconds, longest } of [
    { seconds: 60, longest: 3_600_000 },
    { seconds: 7_200, longest: 7_200_000 },
  ]) {
    const other = await startWorkerd({ LOG_LEVEL: "error", HISTORY_SECONDS: String(seconds) });
    const channel = other.channel("hour");
    const { id } = await channel.end("x");
    await other.kill();
    // The test moves the end into the past instead of waiting.
    editStorage(other, (database) => {
      const left = Number(database.prepare("SELECT ended_until FROM channel").get().ended_until) - Date.now();
      assert.ok(left > longest - 100_000 && left <= longest, `${left} ms`);
      database.exec(`UPDATE channel SET ended_until = ended_until - ${longest}`);
    });
    await other.start();
    const stream = await resume(channel, id);
    assert.deepEqual([stream.status, stream.startId, stream.ended], [200, id, false]);
  }
});

test("the ids of channels that were born in the same millisecond are not exchangeable", async () => {
  const ids = await Promise.all(
    Array.from({ length: 60 }, async (_, n) => (await hub.channel(`born-${n}`).publish("x")).id),
  );
  assert.equal(new Set(ids).size, ids.length);
  const epochs = ids.map((id) => parseId(id).epoch.slice(0, 8));
  assert.ok(new Set(epochs).size < ids.length, "some were born at about the same time");
  const stream = await resume(hub.channel("born-0"), ids[1]);
  await stream.untilEvents(2);
  assert.deepEqual(kinds(stream), ["hub.gap", "x"]);
});
