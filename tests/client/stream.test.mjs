// The events and calls that a subscription of the client gives its user, while the hub stays available.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, HubError } from "../../build/client/index.js";
import { connectTo, follow } from "../support/package-client.mjs";
import { FULL_ACCESS, mint, SECRET } from "../support/tokens.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

// With this setting, the hub notices within a second that a client has left.
const server = await startWorkerd({ HEARTBEAT_SECONDS: "1" }, { withConsole: true });
const hub = connectTo(server.origin);
const minute = { timeout: 60_000 };

test("events have the channel, the id of the receipt, the type and the data", minute, async () => {
  const channel = server.channel("members");
  const client = follow(hub, "members");
  await client.isOpen();
  const { id } = await channel.publish("foo=bar");
  const score = await channel.publish('{"home":7}', { query: "?event=score" });
  await client.has(2);
  assert.deepEqual(client.events(), [
    { channel: "members", id, type: "message", data: "foo=bar" },
    { channel: "members", id: score.id, type: "score", data: '{"home":7}' },
  ]);
  assert.equal(client.subscription.lastEventId, score.id);
  assert.deepEqual(client.subscription.channels, ["members"]);
  assert.deepEqual(client.states(), ["connecting", "open"]);
});

test("one stream of several channels gives the channel of each event, and ids as in its channel", minute, async () => {
  const client = follow(hub, ["one", "two"], { history: 1 });
  await client.isOpen();
  const ids = [];
  for (const name of ["one", "two", "one"]) ids.push([name, (await server.channel(name).publish(name)).id]);
  await client.has(3);
  const got = client.events().map(({ channel, id, data }) => [channel, id, data]);
  assert.deepEqual(got.sort(), ids.map(([name, id]) => [name, id, name]).sort());
  assert.match(client.subscription.lastEventId, /^(one|two)\/.*;/);
});

test(
  "history begins with the newest events, and lastEventId goes on where another subscription has stopped",
  minute,
  async () => {
    const channel = server.channel("begin");
    for (const data of ["1", "2", "3"]) await channel.publish(data);
    const first = follow(hub, "begin", { history: 2 });
    await first.has(2);
    assert.deepEqual(first.data(), ["2", "3"]);
    first.subscription.close();
    for (const data of ["4", "5"]) await channel.publish(data);
    const second = follow(hub, "begin", { history: 1, lastEventId: first.subscription.lastEventId });
    await second.has(2);
    assert.deepEqual(second.data(), ["4", "5"]);
  },
);

test("types leaves other events out, and the position goes on with them", minute, async () => {
  const channel = server.channel("types");
  const client = follow(hub, "types", { types: ["score", "message"] });
  await client.isOpen();
  await channel.publish("1", { query: "?event=score" });
  await channel.publish("2");
  const { id } = await channel.publish("3", { query: "?event=other" });
  await eventually(() => client.subscription.lastEventId === id);
  assert.deepEqual(client.data(), ["1", "2"]);
});

test("parse gives JSON, and data that is not JSON goes to onError while the stream goes on", minute, async () => {
  const channel = server.channel("parse");
  const client = follow(hub, "parse", { parse: true });
  await client.isOpen();
  await channel.publish('{"a":[1,null]}');
  const { id } = await channel.publish("no JSON");
  await channel.publish("7");
  await client.has(2);
  assert.deepEqual(client.data(), [{ a: [1, null] }, 7]);
  assert.deepEqual(client.notices(), [["error", { channel: "parse", detail: `the data of event ${id} is not JSON` }]]);
});

test(
  "onGap gets the range of the events that are not stored any more, and no range after an unknown id",
  minute,
  async () => {
    const small = await startWorkerd({ HISTORY_EVENTS: "3", BUFFER_EVENTS: "3" });
    const channel = small.channel("gap");
    const first = await channel.publish("0");
    for (let n = 1; n < 10; n++) await channel.publish(`${n}`);
    const [epoch] = first.id.split("-");
    const client = follow(connectTo(small.origin), "gap", { lastEventId: first.id });
    await client.has(3);
    assert.deepEqual(client.received[0], ["gap", { channel: "gap", count: 6, from: `${epoch}-2`, to: `${epoch}-7` }]);
    assert.deepEqual(client.data(), ["7", "8", "9"]);
    const unknown = follow(connectTo(small.origin), "gap", { lastEventId: "1000000000000-5" });
    await unknown.has(3);
    assert.deepEqual(unknown.received[0], ["gap", { channel: "gap", count: null, from: null, to: `${epoch}-7` }]);
    assert.deepEqual(unknown.data(), ["7", "8", "9"]);
  },
);

test(
  "a signal, close and the close of the hub end a subscription, and nothing is given after that",
  minute,
  async () => {
    const channel = server.channel("closed");
    const own = connect(server.origin);
    const stop = new AbortController();
    const clients = [follow(own, "closed", { signal: stop.signal }), follow(own, "closed"), follow(own, "closed")];
    for (const client of clients) await client.isOpen();
    await eventually(async () => (await channel.stats()).subscribers === 3);
    stop.abort();
    clients[1].subscription.close();
    own.close();
    await Promise.all(clients.map(({ subscription }) => subscription.done));
    await eventually(async () => (await channel.stats()).subscribers === 0);
    await channel.publish("late");
    const late = follow(own, "closed", { signal: AbortSignal.abort() });
    await late.subscription.done;
    await sleep(200);
    for (const client of [...clients, late]) {
      assert.deepEqual(client.received, []);
      assert.equal(client.subscription.status.state, "ended");
      assert.equal(client.subscription.status.reason, "the subscription was closed");
    }
  },
);

test("a close inside of onEvent is obeyed at once", minute, async () => {
  const channel = server.channel("inside");
  await channel.publishBatch(["1", "2", "3"]);
  const got = [];
  const subscription = hub.subscribe("inside", {
    history: 3,
    onEvent({ data }) {
      got.push(data);
      subscription.close();
    },
  });
  await subscription.done;
  await sleep(200);
  assert.deepEqual(got, ["1"]);
});

test("an iteration gets the events in order, and leaving it closes the subscription", minute, async () => {
  const channel = server.channel("iterate");
  for (const data of ["1", "2", "3"]) await channel.publish(data);
  const subscription = hub.subscribe("iterate", { history: 3 });
  const got = [];
  for await (const { data, id } of subscription) {
    assert.equal(subscription.lastEventId, id);
    got.push(data);
    if (got.length === 2) break;
  }
  assert.deepEqual(got, ["1", "2"]);
  await subscription.done;
  assert.equal(subscription.status.state, "ended");
  const rest = hub.subscribe("iterate", { lastEventId: subscription.lastEventId });
  const [{ value }] = await Promise.all([rest[Symbol.asyncIterator]().next()]);
  assert.equal(value.data, "3");
});

test("an iteration ends when the channel has ended, after its last event", minute, async () => {
  const channel = server.channel("ends");
  const subscription = hub.subscribe("ends");
  const got = [];
  const iteration = (async () => {
    for await (const { data } of subscription) got.push(data);
  })();
  await eventually(() => subscription.status.state === "open");
  await channel.publish("progress");
  await channel.end("result");
  await iteration;
  assert.deepEqual(got, ["progress", "result"]);
  assert.deepEqual(subscription.status, { state: "ended", attempt: 0, reason: "every channel has ended" });
});

test("a subscription with onEvent cannot be iterated, and says why", () => {
  const subscription = hub.subscribe("both", { onEvent() {} });
  assert.throws(() => subscription[Symbol.asyncIterator](), /onEvent gets the events/);
  subscription.close();
});

test(
  "the end of one of several channels is reported once, and the others go on until all have ended",
  minute,
  async () => {
    const [one, two] = [server.channel("end-1"), server.channel("end-2")];
    const client = follow(hub, ["end-1", "end-2"]);
    await client.isOpen();
    await eventually(async () => (await two.stats()).subscribers === 1);
    await one.end("result");
    await eventually(() => client.notices().length === 1);
    await two.publish("goes on");
    await client.has(2);
    assert.equal(client.subscription.status.state, "open");
    await two.end();
    await client.subscription.done;
    assert.deepEqual(client.notices(), [
      ["end", "end-1"],
      ["end", "end-2"],
    ]);
    assert.deepEqual(client.data(), ["result", "goes on"]);
  },
);

test("subscribing to a channel that has ended is an end, not an error", minute, async () => {
  await server.channel("gone").end();
  const client = follow(hub, "gone");
  await client.subscription.done;
  assert.deepEqual(client.received, [["end", "gone"]]);
  assert.deepEqual(client.states(), ["connecting", "ended"]);
});

test("refusals have the status and the words of the hub, and are not repeated", minute, async () => {
  const closed = await startTokenHub({ JWT_SECRET: SECRET });
  /** @type {[import("../../build/client/index.js").Hub, string | string[], number, RegExp][]} */
  const cases = [
    [connectTo(closed.origin), "foo", 401, /token/i],
    [connectTo(closed.origin, { token: "no.jwt.atall" }), "foo", 401, /token/i],
    [connectTo(closed.origin, { token: await mint({ subscribe: ["bar"] }) }), "foo", 403, /subscribe/],
    [connectTo(server.origin), Array.from({ length: 21 }, (_, n) => `c${n}`), 400, /MAX_CHANNELS_PER_STREAM/],
    [connectTo(`${server.origin}/elsewhere`), "foo", 404, /./],
  ];
  for (const [refusing, channels, status, detail] of cases) {
    const client = follow(refusing, channels);
    await assert.rejects(client.subscription.done, (error) => {
      assert.ok(error instanceof HubError);
      assert.equal(error.status, status);
      assert.match(error.detail, detail);
      assert.match(error.type, /^urn:sse-broadcaster:problem:/);
      return true;
    });
    const now = client.subscription.status;
    assert.ok(now.state === "refused");
    assert.deepEqual([now.reason, now.error.status], [now.error.detail, status]);
    assert.deepEqual(client.states(), ["connecting", "refused"]);
    await assert.rejects(refusing.subscribe(channels)[Symbol.asyncIterator]().next(), { status });
  }
});

test(
  "an exception in a function of the user does not end the stream, and is reported as uncaught",
  minute,
  async () => {
    const channel = server.channel("throws");
    const caught = [];
    const listener = (error) => caught.push(error.message);
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", listener);
    try {
      const got = [];
      const subscription = hub.subscribe("throws", {
        onEvent({ data }) {
          got.push(data);
          throw new Error(`about ${data}`);
        },
      });
      await eventually(() => subscription.status.state === "open");
      for (const data of ["1", "2"]) await channel.publish(data);
      await eventually(() => caught.length === 2);
      assert.deepEqual(
        [got, caught],
        [
          ["1", "2"],
          ["about 1", "about 2"],
        ],
      );
      subscription.close();
    } finally {
      process.removeListener("uncaughtException", listener);
      for (const other of others) process.on("uncaughtException", other);
    }
  },
);

test("a bad URL, token, channel or position is a TypeError that says what is expected", () => {
  for (const url of ["ftp://hub.example", "http://user:pass@hub.example", "http://hub.example/?a=1", "http://h/#x"]) {
    assert.throws(() => connect(url), { name: "TypeError", message: /expected one such as https/ }, url);
  }
  assert.throws(() => connect("hub.example"), TypeError);
  assert.throws(() => connect("http://hub.example", { token: "a b" }), /token: expected a JWT/);
  assert.throws(() => hub.subscribe("a/b"), /channel "a\/b": expected 1 to 128 of/);
  assert.throws(() => hub.subscribe("a", { lastEventId: "x\ny" }), /lastEventId: expected/);
  assert.equal(connect("http://hub.example/base//").url, "http://hub.example/base");
});

test("stats, events and delete answer as docs/api.md says", minute, async () => {
  const channel = server.channel("requests");
  for (let n = 0; n < 5; n++) await channel.publish(`{"n":${n}}`, { query: n === 1 ? "?event=score" : "" });
  assert.equal((await hub.stats("requests")).seq, 5);
  const pages = [];
  for await (const page of hub.events("requests", { limit: 2, parse: true })) pages.push(page);
  assert.deepEqual(
    pages.map(({ events }) => events.map(({ event, data }) => [event, data.n])),
    [
      [
        ["message", 0],
        ["score", 1],
      ],
      [
        ["message", 2],
        ["message", 3],
      ],
      [["message", 4]],
    ],
  );
  const rest = [];
  for await (const { events } of hub.events("requests", { after: pages[1].next })) rest.push(...events);
  assert.deepEqual(
    rest.map(({ data }) => data),
    ['{"n":4}'],
  );
  const { subscribers } = await hub.delete("requests");
  assert.equal(subscribers, 0);
  await assert.rejects(hub.stats("requests", { signal: AbortSignal.abort() }));
});

test("the token goes with every kind of request", minute, async () => {
  const closed = await startTokenHub({ JWT_SECRET: SECRET });
  let asked = 0;
  const authorized = connectTo(closed.origin, {
    token: () => {
      asked++;
      return mint(FULL_ACCESS);
    },
  });
  const client = follow(authorized, "all");
  await client.isOpen();
  await authorized.publish("all", "1");
  await authorized.stats("all");
  for await (const { events } of authorized.events("all")) assert.ok(events.length <= 1);
  await client.has(1);
  await authorized.end("all", "2");
  await authorized.delete("all");
  await client.subscription.done;
  assert.deepEqual(client.data(), ["1", "2"]);
  assert.equal(asked, 1);
});
