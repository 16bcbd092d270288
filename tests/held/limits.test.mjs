// The bounds of streams that the Worker holds.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { root } from "../../scripts/install.mjs";
import { pythonPath } from "../support/python.mjs";
import { ReconnectingSubscriber, ReconnectingToSeveral } from "../support/reconnecting.mjs";
import { subscribeToSeveral } from "../support/several.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

// Installing the packages blocks this process, so it comes before the tests that run at the same time.
const python = pythonPath();
const WORKER = { HOLD_STREAMS: "worker", LOG_LEVEL: "error" };
const BATCH = Array.from({ length: 15 }, (_, n) => `${n} `.padEnd(60_000, "x"));

/** Opens `count` streams of `list` that are never read, in another process. */
async function openStalled(hub, list, count) {
  const args = [join(root, "tests/support/stalled.py"), new URL(hub.origin).port, list, String(count)];
  const child = spawn(python, args, { stdio: ["pipe", "pipe", "inherit"] });
  after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
}

describe("bounds of held streams", { concurrency: true }, () => {
  test("a stream ends after HELD_STREAM_MESSAGES with a short time to reconnect, and resumes exactly", {
    timeout: 60_000,
  }, async () => {
    const hub = await startWorkerd({ ...WORKER, HELD_STREAM_MESSAGES: "20" });
    const channel = hub.channel("foo");
    const subscriber = await ReconnectingSubscriber.start(channel);
    let id;
    for (let n = 0; n < 100; n++) {
      ({ id } = await channel.publish(String(n)));
      await sleep(20);
    }
    await eventually(() => subscriber.hasReceived(id), 10_000, "it has all events");
    const data = subscriber.check(id);
    assert.deepEqual(
      data,
      Array.from({ length: 100 }, (_, n) => String(n)),
    );
    const ended = subscriber.streams.slice(0, -1);
    assert.ok(ended.length >= 3, `${ended.length} streams have ended`);
    for (const { retry, response, text } of ended) {
      assert.ok(retry >= 100 && retry <= 1_000, `retry: ${retry}`);
      assert.ok(response.complete && text.endsWith(`\n\nretry: ${retry}\n`), text.slice(-100));
    }
    subscriber.stop();
  });

  test("a stream of several channels ends after HELD_STREAM_MESSAGES of all together, and resumes exactly", {
    timeout: 60_000,
  }, async () => {
    const hub = await startWorkerd({ ...WORKER, HELD_STREAM_MESSAGES: "20" });
    const ids = ["a", "b", "c"];
    const subscriber = await ReconnectingToSeveral.start(hub, ids);
    const last = {};
    for (let n = 0; n < 50; n++) {
      for (const id of ids) last[id] = (await hub.channel(id).publish(`${id} ${n}`)).id;
      await sleep(30);
    }
    await eventually(() => subscriber.hasReceived(last), 10_000, "it has all events");
    const data = (id) => Array.from({ length: 50 }, (_, n) => `${id} ${n}`);
    assert.deepEqual(subscriber.check(last), Object.fromEntries(ids.map((id) => [id, data(id)])));
    const ended = subscriber.streams.slice(0, -1);
    assert.ok(ended.length >= 3, `${ended.length} streams have ended`);
    for (const { retry, response } of ended) {
      assert.ok(response.complete && retry >= 100 && retry <= 1_000, `retry: ${retry}`);
    }
    subscriber.stop();
  });

  test("heartbeats count as messages, so an idle stream ends as well", { timeout: 60_000 }, async () => {
    const hub = await startWorkerd({ ...WORKER, HELD_STREAM_MESSAGES: "4", HEARTBEAT_SECONDS: "1" });
    const stream = await subscribe(hub.channel("foo"));
    await stream.untilEnded();
    assert.ok(stream.comments.length >= 2 && stream.comments.length <= 4, `${stream.comments.length} heartbeats`);
  });

  test("a stream of several channels whose client takes nothing for STALL_SECONDS ends", {
    timeout: 60_000,
  }, async () => {
    const hub = await startWorkerd({ ...WORKER, STALL_SECONDS: "4", HEARTBEAT_SECONDS: "1" });
    const ids = ["busy", "quiet"];
    const healthy = await subscribeToSeveral(hub, ids, { query: "?catch_up=1" });
    await openStalled(hub, ids.join(","), 3);
    for (const id of ids) await eventually(async () => (await hub.channel(id).stats()).subscribers === 4);
    const until = Date.now() + 25_000;
    let receipt;
    // The buffers of the kernel have to be full first.
    do receipt = await hub.channel("busy").publishBatch(BATCH);
    while (receipt.subscribers > 1 && Date.now() < until);
    for (const id of ids) await eventually(async () => (await hub.channel(id).stats()).subscribers === 1);
    await healthy.untilIds({ quiet: (await hub.channel("quiet").publish("still there")).id });
    assert.equal(healthy.ended, false);
  });

  test("MAX_SUBSCRIBERS limits the streams that the Worker holds, also after their object has slept", {
    timeout: 60_000,
  }, async () => {
    const hub = await startWorkerd({ ...WORKER, MAX_SUBSCRIBERS: "2" });
    const channel = hub.channel("foo");
    const streams = [await subscribe(channel), await subscribe(channel)];
    const status = async () => {
      const response = await fetch(channel.url, { headers: { Accept: "application/json" } });
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await status(), 503);
    const { awake_since: awakeSince } = await channel.stats();
    await sleep(12_500);
    assert.equal(await status(), 503);
    assert.ok((await channel.stats()).awake_since > awakeSince, "the object has slept");
    streams[0].close();
    await eventually(async () => {
      await channel.publish("x");
      return (await channel.stats()).subscribers === 1;
    });
    assert.equal((await subscribe(channel)).status, 200);
  });
});

test("clients that do not read cost the Worker at most a window for each of their channels", {
  timeout: 120_000,
}, async () => {
  const STREAMS = 30;
  const hub = await startWorkerd({ ...WORKER, STALL_SECONDS: "0" });
  const ids = ["a", "b"];
  const publish = async (batches) => {
    for (let n = 0; n < batches; n++) for (const id of ids) await hub.channel(id).publishBatch(BATCH);
  };
  // The heap grows to its working size first.
  await publish(60);
  await openStalled(hub, ids.join(","), STREAMS);
  await eventually(async () => (await hub.channel("b").stats()).subscribers === STREAMS);
  await publish(25);
  const before = hub.residentBytes();
  const { dropped } = await hub.channel("a").stats();
  await publish(60);
  const grown = hub.residentBytes() - before;
  const now = await hub.channel("a").stats();
  assert.deepEqual([now.subscribers, now.busy], [STREAMS, STREAMS]);
  assert.ok(now.dropped - dropped >= STREAMS * 59 * BATCH.length, "all of them were stalled all the time");
  console.log(
    `# ${STREAMS} streams of 2 channels dropped 54 MB of each; the process grew by ${Math.round(grown / 1e6)} MB`,
  );
  // Without a bound, the process would grow by 3.2 GB.
  assert.ok(grown < 128e6, `the process grew by ${grown} bytes`);
});
