// The client in Node resumes after each way in which a stream can break, and gives every event once.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startLine } from "../support/line.mjs";
import { numbers } from "../support/numbers.mjs";
import { connectTo, follow } from "../support/package-client.mjs";
import { publishWithRetries } from "../support/publisher.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually, sleep, untilSubscribers } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const twoMinutes = { timeout: 120_000 };

/** Starts a hub without tokens, and a client that follows its channel foo through a line. */
async function start(settings = {}, options = {}) {
  const hub = await startWorkerd({ HEARTBEAT_SECONDS: "1", ...settings });
  const line = await startLine(hub);
  const channel = hub.channel("foo");
  const client = follow(connectTo(line.origin), "foo", options);
  await client.isOpen();
  return { hub, line, channel, client };
}

describe("the client in Node", { concurrency: true }, () => {
  test("it gets 1,000 events once across a restart of the hub in the middle of them", twoMinutes, async () => {
    const hub = await startWorkerd({ HISTORY_EVENTS: "2000" });
    const channel = hub.channel("busy");
    const client = follow(connectTo(hub.origin), "busy");
    await client.isOpen();
    let restart;
    for (const data of numbers(1_000)) {
      if (data === "500") restart = hub.restart();
      await publishWithRetries(channel, data);
    }
    await restart;
    await client.has(1_000);
    await sleep(500);
    assert.deepEqual(client.data(), numbers(1_000));
    assert.deepEqual(client.notices(), []);
    assert.ok(client.states().includes("reconnecting"));
    assert.equal(client.subscription.status.state, "open");
  });

  test("an iteration gets 1,000 events of two channels once across a restart", twoMinutes, async () => {
    const hub = await startWorkerd({ HISTORY_EVENTS: "2000" });
    const [one, two] = [hub.channel("one"), hub.channel("two")];
    const subscription = connectTo(hub.origin).subscribe(["one", "two"]);
    const got = { one: [], two: [] };
    const iteration = (async () => {
      for await (const { channel, data } of subscription) got[channel].push(data);
    })();
    await eventually(() => subscription.status.state === "open");
    await untilSubscribers(two, 1);
    let restart;
    for (const data of numbers(500)) {
      if (data === "250") restart = hub.restart();
      await publishWithRetries(one, data);
      await publishWithRetries(two, data);
    }
    await restart;
    for (const channel of [one, two]) await channel.end();
    await iteration;
    assert.deepEqual(got, { one: numbers(500), two: numbers(500) });
  });

  test("it gets the whole event once if the connection breaks in the middle of it", twoMinutes, async () => {
    const { line, channel, client } = await start();
    await channel.publish("before");
    await client.has(1);
    line.cutAfter("cut here");
    await channel.publish("cut here and no further");
    await client.has(2);
    await channel.publish("after");
    await client.has(3);
    assert.deepEqual(client.data(), ["before", "cut here and no further", "after"]);
  });

  test(
    "it gets the last events of a channel that has ended while it was away, and then the end",
    twoMinutes,
    async () => {
      const { line, channel, client } = await start();
      line.cut();
      await untilSubscribers(channel, 0);
      await channel.publish("progress");
      await channel.end("result");
      await line.mend();
      await client.subscription.done;
      assert.deepEqual(client.data(), ["progress", "result"]);
      assert.deepEqual(client.notices(), [["end", "foo"]]);
      assert.deepEqual(client.received.at(-1), ["end", "foo"]);
      const requests = line.requests.length;
      await sleep(5_000);
      assert.equal(line.requests.length, requests, "it makes no request after the end");
    },
  );

  test(
    "if the channel ends while the client is away with all its events, the subscription ends",
    twoMinutes,
    async () => {
      const { line, channel, client } = await start();
      await channel.publish("last");
      await client.has(1);
      line.cut();
      await untilSubscribers(channel, 0);
      await channel.end();
      await line.mend();
      await client.subscription.done;
      assert.deepEqual(client.received.at(-1), ["end", "foo"]);
    },
  );

  test("it comes back after a proxy has answered 502 for six seconds", twoMinutes, async () => {
    const { line, channel, client } = await start();
    await line.answerWith(502, { "Content-Type": "text/html" }, "<h1>Bad Gateway</h1>");
    for (const data of numbers(3)) await channel.publish(data);
    await sleep(6_000);
    await line.mend();
    await client.has(3, 20_000);
    assert.deepEqual(client.data(), numbers(3));
    assert.ok(client.statuses.some(({ reason }) => reason === "the answer has the status 502"));
    const attempts = client.statuses.flatMap((status) => (status.state === "connecting" ? status.attempt : []));
    assert.ok(Math.max(...attempts) >= 2, "the attempts are counted");
  });

  test("it comes back after something else has answered for the hub with 200 and a page", twoMinutes, async () => {
    const { line, channel, client } = await start();
    await line.answerWith(200, { "Content-Type": "text/html" }, "<h1>Welcome to this network</h1>");
    await channel.publish("missed");
    await eventually(() => client.statuses.some(({ reason }) => reason === "the answer is not from a hub"), 20_000);
    await line.mend();
    await client.has(1);
    assert.deepEqual(client.data(), ["missed"]);
  });

  test("it waits as long as Retry-After says after 429 and 503", twoMinutes, async () => {
    for (const status of [429, 503]) {
      const { line, channel, client } = await start();
      await line.answerWith(status, { "Retry-After": "6", "Content-Type": "text/plain" }, "later");
      await eventually(() => client.statuses.some(({ reason }) => reason.endsWith(`status ${status}`)), 20_000);
      const first = line.requests.length;
      await channel.publish("missed");
      await sleep(3_500);
      assert.equal(line.requests.length, first);
      await line.mend();
      await client.has(1);
      assert.deepEqual(client.data(), ["missed"]);
    }
  });

  test("it waits for a place in a channel that is full, and says so", twoMinutes, async () => {
    const hub = await startWorkerd({ MAX_SUBSCRIBERS: "1", HEARTBEAT_SECONDS: "1" });
    const other = await subscribe(hub.channel("foo"));
    const client = follow(connectTo(hub.origin), "foo");
    await eventually(() => client.statuses.some(({ reason }) => reason.includes("MAX_SUBSCRIBERS")), 20_000);
    other.close();
    await client.isOpen();
  });

  test("hub.error of one of several channels goes to onError, and the others go on", twoMinutes, async () => {
    const hub = await startWorkerd({ MAX_SUBSCRIBERS: "1", HEARTBEAT_SECONDS: "1" });
    const other = await subscribe(hub.channel("full"));
    const client = follow(connectTo(hub.origin), ["full", "free"]);
    await client.isOpen();
    await hub.channel("free").publish("1");
    await client.has(1);
    const [[name, { channel, detail }]] = client.notices();
    assert.deepEqual([name, channel], ["error", "full"]);
    assert.match(detail, /MAX_SUBSCRIBERS/);
    other.close();
    await eventually(async () => (await hub.channel("full").stats()).connected === 2, 60_000);
    await hub.channel("full").publish("2");
    await client.has(2);
    assert.deepEqual(client.data(), ["1", "2"]);
    assert.deepEqual(client.states(), ["connecting", "open"]);
  });

  test(
    "it learns the time between heartbeats, and notices soon that nothing arrives any more",
    twoMinutes,
    async () => {
      const { hub, line, channel, client } = await start();
      await sleep(3_500);
      line.freeze();
      await channel.publish("missed");
      // If it had measured no heartbeats, it would wait for 31 s.
      await eventually(() => client.subscription.status.reason === "the hub is silent", 15_000);
      line.cut();
      await line.mend();
      await client.has(1);
      assert.deepEqual(client.data(), ["missed"]);
      assert.ok(hub.origin);
    },
  );

  test("streams that the Worker ends now and then are resumed without an error", twoMinutes, async () => {
    const hub = await startWorkerd({ HOLD_STREAMS: "worker", HELD_STREAM_MESSAGES: "5", HEARTBEAT_SECONDS: "1" });
    const channel = hub.channel("held");
    const client = follow(connectTo(hub.origin), "held");
    await client.isOpen();
    for (const data of numbers(60)) {
      await channel.publish(data);
      await sleep(50);
    }
    await client.has(60);
    assert.deepEqual(client.data(), numbers(60));
    assert.deepEqual(client.notices(), []);
    const waits = client.statuses.filter(({ state }) => state === "reconnecting");
    assert.ok(waits.length >= 3, `${waits.length}`);
    for (const { reason, attempt } of waits) assert.deepEqual([reason, attempt], ["the stream has ended", 1]);
  });
});
