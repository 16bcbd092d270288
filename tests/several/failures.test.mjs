// A stream of several channels goes on while one of them is full, broken or ended.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { breakDatabase } from "../support/broken.mjs";
import { resumeSeveral, subscribeToSeveral } from "../support/several.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { bearer, mint, now, SECRET } from "../support/tokens.mjs";
import { eventually } from "../support/wait.mjs";
import { databases, startTokenHub, startWorkerd } from "../support/workerd.mjs";

const QUIET = { LOG_LEVEL: "error" };
const PROBLEM = "urn:sse-broadcaster:problem";

const hub = await startWorkerd(QUIET);
const single = await startWorkerd({ ...QUIET, MAX_SUBSCRIBERS: "1" });

/** The data of a channel's events in a stream, after a check that none is missing. */
const dataOf = (stream, id) => stream.complete()[id];

/** Sends a request that accepts only JSON, and returns the status and the body. */
async function ask(channel, method = "GET") {
  const response = await fetch(channel.url, { method, headers: { Accept: "application/json" } });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : undefined };
}

describe("channels that fail or end", { concurrency: true }, () => {
  test("a stream gets hub.error of a channel that is full, opens it later, and goes on with the other channels meanwhile", {
    timeout: 60_000,
  }, async () => {
    const occupant = await subscribe(single.channel("full"));
    const ids = ["full", "free"];
    const stream = await subscribeToSeveral(single, ids);
    assert.equal(stream.status, 200);
    const [error] = stream.part("full").errors;
    assert.deepEqual([error.type, error.status, error.channel], [`${PROBLEM}:channel-full`, 503, "full"]);
    assert.match(stream.text, /\nevent: hub\.error\ndata: \{.*"channel":"full".*\}\n\n/);
    await stream.untilIds({ free: (await single.channel("free").publish("1")).id });
    await single.channel("full").publish("before");
    occupant.close();
    await eventually(async () => (await single.channel("full").stats()).subscribers === 0);
    await stream.until(() => stream.part("full").startId, "hub.open of the channel that was full");
    const last = {};
    for (const id of ids) last[id] = (await single.channel(id).publish("live")).id;
    await stream.untilIds(last);
    assert.deepEqual(stream.complete(), { full: ["live"], free: ["1", "live"] });
    assert.equal(stream.part("full").errors.length, 1, "there is one hub.error");
  });

  test("a channel that was full when the stream resumed continues at the client's position, without a gap", {
    timeout: 90_000,
  }, async () => {
    const ids = ["resumed-full", "resumed-free"];
    const [full, free] = ids.map((id) => single.channel(id));
    const first = await subscribeToSeveral(single, ids);
    await full.publish("seen");
    const { id } = await free.publish("seen");
    await first.until(() => first.events.length === 4, "both events");
    first.close();
    // The runtime notices that a client has gone when it writes to it.
    await eventually(async () => {
      await full.publish("missed");
      return (await full.stats()).subscribers === 0;
    });
    const occupant = await subscribe(full);
    const second = await resumeSeveral(single, ids, first.lastEventId);
    assert.equal(second.part("resumed-full").errors[0].channel, "resumed-full");
    // The id of this event has to hold the client's position in the channel that is full.
    await second.untilIds({ "resumed-free": (await free.publish("while full")).id });
    second.close();
    await eventually(async () => {
      await free.publish("after it");
      return (await free.stats()).subscribers === 0;
    });
    const third = await resumeSeveral(single, ids, second.lastEventId);
    occupant.close();
    await eventually(async () => {
      await full.publish("missed, too");
      return (await full.stats()).subscribers === 0;
    });
    await third.until(() => third.part("resumed-full").startId, "hub.open of the channel that was full");
    const { events } = await full.history();
    await third.untilIds({ "resumed-full": events.at(-1).id });
    const expected = events.slice(1).map(({ data }) => data);
    assert.ok(expected.length > 0);
    assert.deepEqual(dataOf(third, "resumed-full"), expected);
    assert.notEqual(third.part("resumed-free").startId, id);
  });

  test("a stream gets hub.error of a channel whose storage is broken, which continues once its storage is repaired", {
    timeout: 60_000,
  }, async () => {
    const other = await startWorkerd(QUIET);
    const ids = ["broken", "sound"];
    await other.channel("broken").publish("seen");
    const [path] = databases(other);
    const first = await subscribeToSeveral(other, ids, { query: "?history=1" });
    await first.until(() => first.part("broken").events.length === 1, "the event of the history");
    await other.kill();
    const repair = breakDatabase(path);
    await other.start();
    const stream = await resumeSeveral(other, ids, first.lastEventId);
    const [error] = stream.part("broken").errors;
    assert.deepEqual([error.type, error.status, error.channel], [`${PROBLEM}:storage-failed`, 503, "broken"]);
    await stream.untilIds({ sound: (await other.channel("sound").publish("1")).id });
    repair();
    await stream.until(() => stream.part("broken").startId, "hub.open of the channel that was broken");
    await stream.untilIds({ broken: (await other.channel("broken").publish("live")).id });
    assert.deepEqual(stream.complete(), { broken: ["live"], sound: ["1"] });
  });

  test("if all channels fail, the answer is a hub.error stream for EventSource, and a status for other clients", async () => {
    const ids = ["all-a", "all-b"];
    for (const id of ids) await subscribe(single.channel(id));
    const list = single.channel(ids.join(","));
    const { status, headers, body } = await ask(list);
    assert.deepEqual([status, headers.get("content-type")], [503, "application/problem+json"]);
    assert.ok(Number(headers.get("retry-after")) > 0);
    assert.deepEqual([body.type, body.channel], [`${PROBLEM}:channel-full`, "all-a"]);

    const stream = await subscribeToSeveral(single, ids, { headers: { Accept: "text/event-stream" } });
    await stream.untilEnded();
    assert.equal(stream.status, 200);
    assert.ok(stream.retry >= 1_000);
    assert.deepEqual(
      ids.map((id) => stream.part(id).errors.map(({ type, channel }) => [type, channel])),
      ids.map((id) => [[`${PROBLEM}:channel-full`, id]]),
    );
  });

  test("a channel that ends or is deleted sends hub.end, the others go on, and the stream ends with the last of them", async () => {
    const ids = ["end-a", "end-b", "end-c"];
    const [a, b, c] = ids.map((id) => hub.channel(id));
    const stream = await subscribeToSeveral(hub, ids);
    await a.end("last words");
    await stream.until(() => stream.part("end-a").types.includes("hub.end"), "hub.end");
    await b.publish("1");
    await b.delete();
    await stream.until(() => stream.part("end-b").types.includes("hub.end"), "hub.end");
    assert.equal(stream.ended, false);
    await c.publish("2");
    await c.end();
    await stream.untilEnded();
    assert.ok(stream.response.complete, "the stream ends completely");
    assert.deepEqual(stream.complete(), { "end-a": ["last words"], "end-b": ["1"], "end-c": ["2"] });
    for (const id of ids) {
      const { event, data } = stream.part(id).events.at(-1);
      assert.deepEqual([event, JSON.parse(data).channel], ["hub.end", id]);
    }
    // A client that has everything gets no stream.
    const response = await fetch(hub.channel(ids.join(",")).url, { headers: { "Last-Event-ID": stream.lastEventId } });
    assert.deepEqual([response.status, await response.text()], [204, ""]);
  });

  test("a channel that has ended before the stream resumes sends what is missing and hub.end, and the others go on", async () => {
    const ids = ["before-a", "before-b", "before-c"];
    const [a, b, c] = ids.map((id) => hub.channel(id));
    const first = await subscribeToSeveral(hub, ids);
    await first.untilIds({ "before-a": (await a.publish("seen")).id, "before-b": (await b.publish("seen")).id });
    first.close();
    await a.end("missed");
    await b.end();
    const stream = await resumeSeveral(hub, ids, first.lastEventId);
    await stream.untilIds({ "before-c": (await c.publish("live")).id });
    await stream.until(
      () => ["before-a", "before-b"].every((id) => stream.part(id).types.includes("hub.end")),
      "hub.end",
    );
    assert.deepEqual(stream.complete(), { "before-a": ["missed"], "before-b": [], "before-c": ["live"] });
    assert.equal(stream.ended, false);
    stream.close();
    // The client has everything of the channels that have ended, and resumes the last one.
    await c.publish("again");
    const late = await resumeSeveral(hub, ids, stream.lastEventId);
    await late.until(() => late.part("before-c").events.length === 1, "the missed event");
    assert.deepEqual(late.complete(), { "before-a": [], "before-b": [], "before-c": ["again"] });
    assert.deepEqual(late.part("before-a").types, ["hub.end"]);
  });

  test("a channel that was reopened after its end is opened again when the client resumes", async () => {
    const ids = ["reopened-a", "reopened-b"];
    const [a] = ids.map((id) => hub.channel(id));
    const first = await subscribeToSeveral(hub, ids);
    await a.end("last");
    await first.until(() => first.part("reopened-a").types.includes("hub.end"), "hub.end");
    first.close();
    await a.publish("again");
    const stream = await resumeSeveral(hub, ids, first.lastEventId);
    await stream.until(() => stream.part("reopened-a").events.length === 1, "the event");
    assert.deepEqual(stream.complete(), { "reopened-a": ["again"], "reopened-b": [] });
  });

  test("HEAD of several channels answers 200 if one can be opened, 204 if all have ended, and 503 if all are full", async () => {
    const head = (to, ids) => ask(to.channel(ids.join(",")), "HEAD");
    const open = await head(hub, ["head-a", "head-b"]);
    assert.deepEqual([open.status, open.headers.get("content-type")], [200, "text/event-stream; charset=utf-8"]);
    assert.equal((await hub.channel("head-a").stats()).connected, 0, "it opens no stream");
    await subscribe(single.channel("head-full"));
    assert.equal((await head(single, ["head-full", "head-free"])).status, 200);
    await subscribe(single.channel("head-full-too"));
    assert.equal((await head(single, ["head-full", "head-full-too"])).status, 503);
    for (const id of ["head-ended", "head-ended-too"]) await hub.channel(id).end("x");
    assert.equal((await head(hub, ["head-ended", "head-ended-too"])).status, 204);
    assert.equal((await head(hub, ["head-ended", "head-a"])).status, 200);
  });

  test("a stream of several channels ends when its token expires, with hub.expired of each, and resumes exactly", {
    timeout: 30_000,
  }, async () => {
    const locked = await startTokenHub({ JWT_SECRET: SECRET });
    const ids = ["expired-a", "expired-b"];
    const publisher = bearer(await mint({ publish: ["*"] }));
    const publish = (id, body) => locked.channel(id).publish(body, { headers: publisher });
    const exp = now() + 3;
    const headers = bearer(await mint({ subscribe: ["expired-*"], exp }));
    const stream = await subscribeToSeveral(locked, ids, { headers });
    await publish("expired-a", "1");
    await stream.untilEnded();
    const late = Date.now() - exp * 1_000;
    assert.ok(late >= 0 && late < 10_000, `it ended ${late} ms after its token`);
    assert.ok(stream.response.complete, "the connection was cut");
    assert.deepEqual(
      ids.map((id) => stream.part(id).types),
      [["message", "hub.expired"], ["hub.expired"]],
    );
    assert.deepEqual(stream.complete(), { "expired-a": ["1"], "expired-b": [] });
    for (const id of ids) await publish(id, "missed");
    const renewed = bearer(await mint({ subscribe: ["expired-*"] }));
    const resumed = await subscribeToSeveral(locked, ids, {
      headers: { ...renewed, "Last-Event-ID": stream.lastEventId },
    });
    await resumed.until(() => ids.every((id) => resumed.part(id).events.length === 1), "the missed events");
    assert.deepEqual(resumed.complete(), { "expired-a": ["missed"], "expired-b": ["missed"] });
  });
});
