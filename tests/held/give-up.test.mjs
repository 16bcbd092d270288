// The object of a stream that the Worker holds cannot be reached: after 30 seconds, the client gets a hub.error.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { abort, startAbortable } from "../support/abortable.mjs";
import { breakDatabase } from "../support/broken.mjs";
import { subscribeToSeveral } from "../support/several.mjs";
import { resume, subscribe } from "../support/subscriber.mjs";
import { sleep } from "../support/wait.mjs";
import { databases } from "../support/workerd.mjs";

/** The problems that a client may get because an object cannot open its database. */
const UNAVAILABLE = /^urn:sse-broadcaster:problem:(channel-unavailable|storage-failed)$/;
/** How long the Worker tries to open a feed again before it tells the client, in milliseconds. */
const GIVE_UP_MS = 30_000;

/** Starts a hub whose only channel is "broken", with one event. Returns also the path of its database. */
async function startWithOneChannel() {
  const hub = await startAbortable({ HEARTBEAT_SECONDS: "1" });
  const { id } = await hub.channel("broken").publish("before");
  return { hub, channel: hub.channel("broken"), id, path: databases(hub)[0] };
}

/** Makes the object of "broken" fail. Returns a function that repairs it. */
async function breakObject(hub, path) {
  await abort(hub, "broken");
  const repair = breakDatabase(path);
  // The Worker may have opened the feed, and so the database, again before that.
  while ((await fetch(`${hub.channel("broken").url}/stats`)).ok) await abort(hub, "broken");
  return repair;
}

describe("objects that cannot be reached", { concurrency: true }, () => {
  test("a stream whose object fails for 30 seconds gets heartbeats, then hub.error and a long retry, and resumes", {
    timeout: 90_000,
  }, async () => {
    const { hub, channel, path } = await startWithOneChannel();
    const stream = await subscribe(channel);
    const repair = await breakObject(hub, path);
    const since = performance.now();
    await sleep(GIVE_UP_MS / 2);
    assert.deepEqual([stream.ended, stream.events.length], [false, 0]);
    await stream.until(() => stream.comments.length >= GIVE_UP_MS / 2_000, "heartbeats");
    await sleep(GIVE_UP_MS / 2 - 1_000);
    await stream.untilEnded();
    const took = performance.now() - since;
    assert.ok(took > GIVE_UP_MS - 1_000 && took < GIVE_UP_MS + 10_000, `${took} ms`);
    assert.ok(stream.response.complete, "the connection was cut");
    const { event, data, id } = stream.events.at(-1);
    assert.deepEqual([event, JSON.parse(data).status, id], ["hub.error", 503, undefined]);
    assert.match(JSON.parse(data).type, UNAVAILABLE);
    assert.ok(stream.retry >= 5_000 && stream.retry <= 15_000, `retry: ${stream.retry}`);
    repair();
    const late = await resume(channel, stream.startId);
    await late.untilId((await channel.publish("after")).id);
    assert.deepEqual(
      late.account().events.map((it) => it.data),
      ["after"],
    );
  });

  test("a stream of several channels goes on while one object fails, reports the failure and its end, and misses nothing", {
    timeout: 120_000,
  }, async () => {
    const { hub, channel, path } = await startWithOneChannel();
    const ids = ["broken", "sound"];
    const stream = await subscribeToSeveral(hub, ids);
    const repair = await breakObject(hub, path);
    await stream.untilIds({ sound: (await hub.channel("sound").publish("1")).id });
    await sleep(GIVE_UP_MS - 5_000);
    assert.equal(stream.part("broken").errors.length, 0);
    await stream.until(() => stream.part("broken").errors.length > 0, "hub.error");
    const [{ type, channel: name }] = stream.part("broken").errors;
    assert.equal(name, "broken");
    assert.match(type, UNAVAILABLE);
    await stream.untilIds({ sound: (await hub.channel("sound").publish("2")).id });
    repair();
    await stream.until(() => !stream.part("broken").hasFailed, "hub.open after hub.error");
    const { id } = await channel.publish("missed");
    await stream.untilIds({ broken: id });
    assert.deepEqual(stream.complete(), { broken: ["missed"], sound: ["1", "2"] });
    assert.deepEqual([stream.part("broken").errors.length, stream.ended], [1, false]);
  });

  test("a stream whose object fails for a shorter time goes on without a notice", { timeout: 60_000 }, async () => {
    const { hub, channel, path } = await startWithOneChannel();
    const stream = await subscribe(channel);
    const repair = await breakObject(hub, path);
    await sleep(6_000);
    repair();
    await stream.untilId((await channel.publish("after")).id);
    assert.deepEqual([stream.account().events.length, stream.ended], [1, false]);
  });
});
