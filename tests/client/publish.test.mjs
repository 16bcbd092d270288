// The client publishes exactly once, whatever happens to the answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HubError } from "../../build/client/index.js";
import { startLine } from "../support/line.mjs";
import { connectTo } from "../support/package-client.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { mint, SECRET } from "../support/tokens.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const server = await startWorkerd();
const hub = connectTo(server.origin);
const minute = { timeout: 60_000 };
/** Returns the stored events of a channel as [type, data]. */
const stored = async (id) => (await server.channel(id).history()).events.map(({ event, data }) => [event, data]);

test("a string is published as it is, and anything else as JSON", minute, async () => {
  const values = ["text\nof two lines", "", "null", null, 7, true, { home: 7 }, ["é", "🎉"]];
  for (const value of values) assert.equal((await hub.publish("values", value, { type: "score" })).events, 1);
  assert.deepEqual(
    await stored("values"),
    values.map((value) => ["score", typeof value === "string" ? value : JSON.stringify(value)]),
  );
});

test("publish returns the receipt of the hub, for one channel and for several", minute, async () => {
  const one = await hub.publish("receipt", "1");
  assert.deepEqual(one, { id: one.id, events: 1, subscribers: 0, dropped: 0 });
  const { channels } = await hub.publish(["receipt", "other"], "2");
  assert.deepEqual(
    channels.map(({ channel, events, replayed }) => [channel, events, replayed]),
    [
      ["receipt", 1, false],
      ["other", 1, false],
    ],
  );
  assert.equal(/** @type {any} */ (await hub.publish(["receipt"], "3")).events, 1);
});

test("end ends the channel, with and without a last event", minute, async () => {
  await hub.publish("ends", "progress");
  assert.equal((await hub.end("ends", { done: true }, { type: "result" })).events, 1);
  assert.deepEqual(await stored("ends"), [
    ["message", "progress"],
    ["result", '{"done":true}'],
  ]);
  assert.equal((await hub.end("ends-empty")).events, 0);
  assert.ok((await hub.stats("ends")).ended && (await hub.stats("ends-empty")).ended);
});

test("a publisher whose answers are lost publishes exactly once", { timeout: 120_000 }, async () => {
  const line = await startLine(server);
  const publisher = connectTo(line.origin);
  const stream = await subscribe(server.channel("lost"));
  const sent = [];
  for (let n = 0; n < 8; n++) {
    // Each request reaches the hub. Of every second one, the connection breaks before or in the middle of the answer.
    if (n % 2) line.cutAfter(n % 4 === 1 ? "HTTP/1.1" : '{"id":');
    sent.push((await publisher.publish("lost", `${n}`)).id);
  }
  await stream.untilEvents(8);
  assert.deepEqual(
    stream.account().events.map(({ id, data }) => [id, data]),
    sent.map((id, n) => [id, `${n}`]),
  );
  assert.equal((await server.channel("lost").stats()).published, 8);
  assert.equal(line.requests.length, 12, "the lost answers were asked for again");
});

test("a publish waits for a hub that is away, and arrives once", { timeout: 120_000 }, async () => {
  const away = await startWorkerd();
  await away.kill();
  const receipts = ["1", "2", "3"].map((data) => connectTo(away.origin).publish("foo", data));
  await sleep(1_500);
  await away.start();
  for (const receipt of receipts) assert.equal((await receipt).events, 1);
  assert.equal((await away.channel("foo").stats()).published, 3);
});

test("a publish is repeated after 429, 503 and the 502 of a proxy, as late as the answer says", {
  timeout: 120_000,
}, async () => {
  const line = await startLine(server);
  const publisher = connectTo(line.origin);
  for (const status of [429, 502, 503]) {
    await line.answerWith(status, status === 502 ? {} : { "Retry-After": "2" }, "later");
    const start = performance.now();
    const receipt = publisher.publish("later", `${status}`);
    await eventually(() => line.requests.length > 0);
    await sleep(500);
    await line.mend();
    assert.equal((await receipt).events, 1);
    const ms = performance.now() - start;
    assert.ok(ms > (status === 502 ? 1_000 : 2_000) && ms < 10_000, `${status}: ${ms} ms`);
    line.requests.length = 0;
  }
  assert.deepEqual(
    (await stored("later")).map(([, data]) => data),
    ["429", "502", "503"],
  );
});

test("the rate limit of a channel delays its publisher, and nothing is lost or doubled", {
  timeout: 120_000,
}, async () => {
  const limited = await startWorkerd({ PUBLISH_PER_SECOND: "10" });
  const publisher = connectTo(limited.origin);
  await Promise.all(Array.from({ length: 30 }, (_, n) => publisher.publish("foo", `${n}`)));
  const { events } = await limited.channel("foo").history();
  assert.deepEqual(
    events.map(({ data }) => Number(data)).sort((a, b) => a - b),
    Array.from({ length: 30 }, (_, n) => n),
  );
});

test("a refusal is an error with the problem of the hub, and is not repeated", minute, async () => {
  const line = await startLine(server);
  const publisher = connectTo(line.origin);
  await publisher.publish("refused", "1", { idempotencyKey: "same" });
  await assert.rejects(publisher.publish("refused", "2", { idempotencyKey: "same" }), (error) => {
    assert.ok(error instanceof HubError && error instanceof Error);
    assert.deepEqual([error.name, error.status, error.message], ["HubError", 422, error.detail]);
    assert.equal(error.type, "urn:sse-broadcaster:problem:idempotency-key-reused");
    assert.equal(error.title, "Idempotency key reused");
    return true;
  });
  await assert.rejects(publisher.publish(["refused", "new"], "3", { idempotencyKey: "same" }), (error) => {
    assert.ok(error instanceof HubError && Array.isArray(error.channels));
    assert.deepEqual(
      error.channels.map(({ channel, events }) => [channel, events]),
      [
        ["refused", undefined],
        ["new", 1],
      ],
    );
    return true;
  });
  assert.equal(line.requests.length, 3);
  // The hub may close the connection before it has read the body. Then the request is repeated.
  await assert.rejects(publisher.publish("refused", "x".repeat(70_000)), { status: 413 });
});

test("a publish asks for one new token after a 401, and is then refused", minute, async () => {
  const closed = await startTokenHub({ JWT_SECRET: SECRET });
  let asked = 0;
  const token = () => (++asked === 1 ? "a.b.c" : mint({ publish: ["foo"] }));
  const publisher = connectTo(closed.origin, { token });
  assert.equal((await publisher.publish("foo", "1")).events, 1);
  assert.equal(asked, 2);
  await assert.rejects(publisher.publish("bar", "1"), { status: 403 });
  await assert.rejects(connectTo(closed.origin, { token: "a.b.c" }).publish("foo", "1"), { status: 401 });
  await assert.rejects(connectTo(closed.origin).publish("foo", "1"), { status: 401 });
});

test("a signal ends a publish that is repeated, with its reason", minute, async () => {
  const away = await startWorkerd();
  await away.kill();
  const publisher = connectTo(away.origin);
  await assert.rejects(publisher.publish("foo", "1", { signal: AbortSignal.timeout(300) }), { name: "TimeoutError" });
  await assert.rejects(publisher.publish("foo", "1", { signal: AbortSignal.abort(new Error("why")) }), /why/);
});

test("data that cannot be published is a TypeError that says what is expected", minute, async () => {
  await assert.rejects(hub.publish("foo", undefined), { name: "TypeError", message: /data: expected/ });
  await assert.rejects(
    hub.publish("foo", () => {}),
    { name: "TypeError", message: /data: expected/ },
  );
  await assert.rejects(hub.publish("a/b", "1"), { name: "TypeError", message: /channel "a\/b": expected/ });
  for (const idempotencyKey of ["", "ключ", "a\nb", "x".repeat(129)]) {
    await assert.rejects(hub.publish("foo", "1", { idempotencyKey }), /idempotencyKey: expected/);
  }
});

test(
  "a redirect gets neither the token nor a publish, and is followed for reading without a token",
  minute,
  async () => {
    const line = await startLine(server);
    const other = await startLine(server);
    await line.answerWith(302, { Location: `${other.origin}/channels/foo` });
    const withToken = connectTo(line.origin, { token: "a.b.c" });
    await assert.rejects(withToken.publish("foo", "1"), /redirects/);
    await assert.rejects(withToken.subscribe("foo").done, { status: 302, message: /redirects/ });
    await assert.rejects(connectTo(line.origin).publish("foo", "1"), /redirects/);
    assert.equal(other.requests.length, 0);
    const subscription = connectTo(line.origin).subscribe("foo");
    await eventually(() => subscription.status.state === "open");
    assert.equal(other.requests.length, 1);
  },
);
