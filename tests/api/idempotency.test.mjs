// Idempotency-Key: a publish that is repeated, because nobody knows whether it arrived, happens once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { listen, parseId } from "../support/listener.mjs";
import { rawRequest } from "../support/raw.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ LOG_LEVEL: "error" });

async function post(channel, key, body, { query = "", type = "text/plain" } = {}) {
  const headers = { "Idempotency-Key": key, "Content-Type": type };
  const response = await fetch(`${channel.url}/broadcast${query}`, { method: "POST", body, headers });
  const replayed = response.headers.get("idempotency-replayed");
  return { status: response.status, replayed, body: await response.json() };
}

async function assertPublished(channel, datas) {
  const { events } = await channel.history();
  assert.deepEqual(
    events.map((event) => event.data),
    datas,
  );
}

/** Checks that `answer` says that the key has been used for something else. */
function assertReused(answer) {
  assert.equal(answer.status, 422);
  assert.equal(answer.body.type, "urn:sse-broadcaster:problem:idempotency-key-reused");
}

test("a repeat gets the first receipt, says so, and publishes nothing", async () => {
  const channel = hub.channel("repeat");
  const first = await post(channel, "a", "x");
  assert.deepEqual([first.status, first.replayed, first.body.events], [200, null, 1]);
  await channel.publish("between");
  for (let i = 0; i < 3; i++) assert.deepEqual(await post(channel, "a", "x"), { ...first, replayed: "true" });
  const second = await post(channel, "b", "x");
  assert.equal(second.replayed, null, "another key is another publish");
  await assertPublished(channel, ["x", "between", "x"]);
  const elsewhere = await post(hub.channel("elsewhere"), "a", "x");
  assert.equal(elsewhere.replayed, null, "keys are the channel's own");
});

test("any printable ASCII makes a key, up to 128 characters", async () => {
  const channel = hub.channel("keys");
  const printable = String.fromCharCode(...Array.from({ length: 0x7f - 0x21 }, (_, i) => 0x21 + i));
  for (const key of [printable, "a b", "x".repeat(128), '"8e03978e-40d5-43e8-bc93-6894a57f9324"']) {
    assert.equal((await post(channel, key, key)).replayed, null);
    assert.equal((await post(channel, key, key)).replayed, "true");
  }
  assert.equal((await channel.stats()).seq, 4);
});

test("the same key with something else is refused, and publishes nothing", async () => {
  const channel = hub.channel("reused");
  const first = await post(channel, "a", "data: x\n\n", { query: "?event=score" });
  assertReused(await post(channel, "a", "data: y\n\n", { query: "?event=score" }));
  assertReused(await post(channel, "a", "data: x\n\n", { query: "?event=goal" }));
  assertReused(await post(channel, "a", "data: x\n\n"));
  assertReused(await post(channel, "a", "data: x\n\n", { type: "text/event-stream" }));
  assert.deepEqual(await post(channel, "a", "data: x\n\n", { query: "?event=score" }), { ...first, replayed: "true" });
  await assertPublished(channel, ["data: x\n\n"]);
});

test("repeats of a batch publish it once", async () => {
  const channel = hub.channel("batch");
  const type = "text/event-stream";
  const batch = "data: 1\n\nevent: score\ndata: 2\n\n";
  const first = await post(channel, "a", batch, { type });
  assert.equal(first.body.events, 2);
  assert.deepEqual(await post(channel, "a", batch, { type }), { ...first, replayed: "true" });
  assertReused(await post(channel, "a", `${batch}data: 3\n\n`, { type }));
  assertReused(await post(channel, "a", batch));
  await assertPublished(channel, ["1", "2"]);
});

test("repeats that come while the first is under way await its receipt", async () => {
  const channel = hub.channel("at-once");
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(channel, `key ${round}`, `body ${round}`)));
    assert.equal(answers.filter((answer) => answer.replayed === null).length, 1);
    for (const { status, body } of answers) assert.deepEqual([status, body], [200, answers[0].body]);
  }
  const clash = await Promise.all(["x", "y", "x", "y"].map((body) => post(channel, "clash", body)));
  assert.deepEqual(clash.map((answer) => answer.status).sort(), [200, 200, 422, 422]);
  assert.equal((await channel.stats()).seq, 21);
});

test("they get the same receipt where the publish makes a stream drop events", { timeout: 60_000 }, async () => {
  const channel = hub.channel("drops");
  await listen(channel, { paused: true });
  // Five of them are what one channel may hold at once.
  const batch = `data: ${"x".repeat(50_000)}\n\n`.repeat(8);
  const type = "text/event-stream";
  let dropped = 0;
  for (let round = 0; round < 60; round++) {
    const answers = [];
    for (let n = 0; n < 5; n++) {
      answers.push(post(channel, `key ${round}`, batch, { type }));
      // Some come while it is committed, some while the streams are offered what they are about to lose.
      await sleep(n);
    }
    const [first, ...others] = (await Promise.all(answers)).map((answer) => answer.body);
    for (const other of others) assert.deepEqual(other, first);
    dropped += first.dropped;
  }
  assert.ok(dropped > 0);
});

for (const HISTORY_EVENTS of ["1000", "0"]) {
  test(`kill -9 forgets no key, with HISTORY_EVENTS=${HISTORY_EVENTS}`, async () => {
    const other = await startWorkerd({ HISTORY_EVENTS, LOG_LEVEL: "error" });
    const channel = other.channel("restart");
    const first = await post(channel, "a", "x");
    await other.restart();
    assert.deepEqual(await post(channel, "a", "x"), { ...first, replayed: "true" });
    assertReused(await post(channel, "a", "y"));
    assert.equal((await channel.stats()).published, 0);
  });
}

test("a key ends with IDEMPOTENCY_SECONDS", async () => {
  const other = await startWorkerd({ IDEMPOTENCY_SECONDS: "1", LOG_LEVEL: "error" });
  const channel = other.channel("seconds");
  // Before the commit, from which the key's age counts.
  const start = performance.now();
  const first = await post(channel, "a", "x");
  await eventually(async () => (await post(channel, "a", "x")).replayed === null, 5_000, "the key ends");
  const ms = performance.now() - start;
  assert.ok(ms >= 1_000, `it ended after ${ms} ms`);
  assert.equal((await channel.stats()).seq, parseId(first.body.id).seq + 1);
});

test("a key ends with its channel", async () => {
  const other = await startWorkerd({ LOG_LEVEL: "error" });
  const channel = other.channel("ended");
  const epochs = new Set();
  for (const body of ["x", "x", "y"]) {
    const answer = await post(channel, "a", body);
    assert.deepEqual([answer.status, answer.replayed], [200, null]);
    epochs.add(parseId(answer.body.id).epoch);
    await channel.end();
    // What is stored of it is forgotten, too.
    if (epochs.size === 2) await other.restart();
  }
  assert.equal(epochs.size, 3);
});

test("the oldest key ends where there are more than IDEMPOTENCY_KEYS", async () => {
  const other = await startWorkerd({ IDEMPOTENCY_KEYS: "2", LOG_LEVEL: "error" });
  const channel = other.channel("keys");
  const replayed = async (key) => (await post(channel, key, key)).replayed === "true";
  const asked = [];
  // A repeat makes a key no younger.
  for (const key of ["a", "b", "a", "c", "b", "c", "a", "c", "b"]) asked.push(await replayed(key));
  assert.deepEqual(asked, [false, false, true, false, true, true, false, true, false]);
  await other.restart();
  assert.deepEqual([await replayed("a"), await replayed("b"), await replayed("c")], [true, true, false]);
});

test("a publish that failed is not remembered", async () => {
  const channel = hub.channel("failed");
  const failures = [
    ["x".repeat(65537), {}, 413],
    ["data: x\n\n".repeat(257), { type: "text/event-stream" }, 413],
    ["hello", { type: "text/event-stream" }, 400],
    ["x", { query: "?event=hub.end" }, 400],
    [new Uint8Array([0xff]), {}, 400],
  ];
  const fail = async () => {
    for (const [body, options, status] of failures) {
      assert.equal((await post(channel, "a", body, options)).status, status);
    }
  };
  await fail();
  const first = await post(channel, "a", "x");
  assert.deepEqual([first.status, first.replayed, parseId(first.body.id).seq], [200, null, 1]);
  await fail();
  assert.equal((await post(channel, "a", "x")).replayed, "true");
});

test("what cannot be a key is refused, and publishes nothing", async () => {
  const channel = hub.channel("bad-keys");
  for (const key of ["", " ", "x".repeat(129), "x".repeat(10_000), "a\tb", "caf\xe9"]) {
    const answer = await post(channel, key, "x");
    assert.equal(answer.status, 400, JSON.stringify(key));
    assert.equal(answer.body.type, "urn:sse-broadcaster:problem:invalid-idempotency-key");
    assert.match(answer.body.detail, /1 to 128/);
  }
  const before = "POST /channels/bad-keys/broadcast HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n";
  // As bytes: a newline, a header that goes on in the next line, control characters, UTF-8.
  for (const key of ["a\nb", "a\rb", "a\r\n b", "a\r\n\tb", "a\0b", "a\x01b", "a\x1b[31mb", "a\x7f", "🎉"]) {
    const answer = await rawRequest(hub.origin, Buffer.from(`${before}Idempotency-Key: ${key}\r\n\r\nx`));
    assert.match(answer, /^HTTP\/1\.1 400 /, JSON.stringify(key));
  }
  assert.equal((await channel.stats()).published, 0);
});
