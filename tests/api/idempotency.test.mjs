// Idempotency-Key: a publisher that has got no answer repeats its publish, and the hub publishes it once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { rawRequest } from "../support/raw.mjs";
import { parseId, subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ LOG_LEVEL: "error" });

async function post(channel, key, body, { query = "", type = "text/plain" } = {}) {
  const headers = { "Idempotency-Key": key, "Content-Type": type };
  const response = await fetch(`${channel.url}/broadcast${query}`, { method: "POST", body, headers });
  const replayed = response.headers.get("idempotency-replayed");
  return { status: response.status, replayed, body: await response.json() };
}

async function assertPublished(channel, expected) {
  const { events } = await channel.history();
  assert.deepEqual(
    events.map((event) => event.data),
    expected,
  );
}

/** Checks that `answer` refuses a key that was used for another publish. */
function assertReused(answer) {
  assert.equal(answer.status, 422);
  assert.equal(answer.body.type, "urn:sse-broadcaster:problem:idempotency-key-reused");
}

test("a repeated publish gets the first receipt with Idempotency-Replayed and publishes nothing", async () => {
  const channel = hub.channel("repeat");
  const first = await post(channel, "a", "x");
  assert.deepEqual([first.status, first.replayed, first.body.events], [200, null, 1]);
  await channel.publish("between");
  for (let i = 0; i < 3; i++) assert.deepEqual(await post(channel, "a", "x"), { ...first, replayed: "true" });
  const second = await post(channel, "b", "x");
  assert.equal(second.replayed, null, "the same body with another key is another publish");
  await assertPublished(channel, ["x", "between", "x"]);
  const elsewhere = await post(hub.channel("elsewhere"), "a", "x");
  assert.equal(elsewhere.replayed, null, "each channel has its own keys");
});

test("an idempotency key is any printable ASCII of up to 128 characters", async () => {
  const channel = hub.channel("keys");
  const printable = String.fromCharCode(...Array.from({ length: 0x7f - 0x21 }, (_, i) => 0x21 + i));
  for (const key of [printable, "a b", "x".repeat(128), '"8e03978e-40d5-43e8-bc93-6894a57f9324"']) {
    assert.equal((await post(channel, key, key)).replayed, null);
    assert.equal((await post(channel, key, key)).replayed, "true");
  }
  assert.equal((await channel.stats()).seq, 4);
});

test("a key with another body, event type or media type is answered with 422 and publishes nothing", async () => {
  const channel = hub.channel("reused");
  const first = await post(channel, "a", "data: x\n\n", { query: "?event=score" });
  assertReused(await post(channel, "a", "data: y\n\n", { query: "?event=score" }));
  assertReused(await post(channel, "a", "data: x\n\n", { query: "?event=goal" }));
  assertReused(await post(channel, "a", "data: x\n\n"));
  assertReused(await post(channel, "a", "data: x\n\n", { type: "text/event-stream" }));
  assert.deepEqual(await post(channel, "a", "data: x\n\n", { query: "?event=score" }), { ...first, replayed: "true" });
  await assertPublished(channel, ["data: x\n\n"]);
});

test("a repeated batch is published once", async () => {
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

test("repeats of a publish that is in flight get its receipt", async () => {
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

test("repeats of a publish that makes a stream drop events get the same count of drops", {
  timeout: 60_000,
}, async () => {
  const channel = hub.channel("drops");
  await subscribe(channel, { paused: true });
  // The memory limit of a channel fits five of these batches.
  const batch = `data: ${"x".repeat(50_000)}\n\n`.repeat(8);
  const type = "text/event-stream";
  let dropped = 0;
  for (let round = 0; round < 60; round++) {
    const answers = [];
    for (let n = 0; n < 5; n++) {
      answers.push(post(channel, `key ${round}`, batch, { type }));
      // Some repeats arrive during the commit, some during the delivery to the streams.
      await sleep(n);
    }
    const [first, ...others] = (await Promise.all(answers)).map((answer) => answer.body);
    for (const other of others) assert.deepEqual(other, first);
    dropped += first.dropped;
  }
  assert.ok(dropped > 0);
});

for (const HISTORY_EVENTS of ["1000", "0"]) {
  test(`an idempotency key survives kill -9 with HISTORY_EVENTS=${HISTORY_EVENTS}`, async () => {
    const other = await startWorkerd({ HISTORY_EVENTS, LOG_LEVEL: "error" });
    const channel = other.channel("restart");
    const first = await post(channel, "a", "x");
    await other.restart();
    assert.deepEqual(await post(channel, "a", "x"), { ...first, replayed: "true" });
    assertReused(await post(channel, "a", "y"));
    assert.equal((await channel.stats()).published, 0);
  });
}

test("an idempotency key expires after IDEMPOTENCY_SECONDS", async () => {
  const other = await startWorkerd({ IDEMPOTENCY_SECONDS: "1", LOG_LEVEL: "error" });
  const channel = other.channel("seconds");
  // The age of a key starts at the commit, which is later.
  const start = performance.now();
  const first = await post(channel, "a", "x");
  await eventually(async () => (await post(channel, "a", "x")).replayed === null, 5_000, "the key expires");
  const ms = performance.now() - start;
  assert.ok(ms >= 1_000, `it expired after ${ms} ms`);
  assert.equal((await channel.stats()).seq, parseId(first.body.id).seq + 1);
});

test("DELETE of a channel forgets its idempotency keys", async () => {
  const other = await startWorkerd({ LOG_LEVEL: "error" });
  const channel = other.channel("ended");
  const epochs = new Set();
  for (const body of ["x", "x", "y"]) {
    const answer = await post(channel, "a", body);
    assert.deepEqual([answer.status, answer.replayed], [200, null]);
    epochs.add(parseId(answer.body.id).epoch);
    await channel.delete();
    // The restart shows that the stored key is gone, too.
    if (epochs.size === 2) await other.restart();
  }
  assert.equal(epochs.size, 3);
});

test("beyond IDEMPOTENCY_KEYS the oldest key is forgotten", async () => {
  const other = await startWorkerd({ IDEMPOTENCY_KEYS: "2", LOG_LEVEL: "error" });
  const channel = other.channel("keys");
  const replayed = async (key) => (await post(channel, key, key)).replayed === "true";
  const answers = [];
  // A repeat does not renew a key.
  for (const key of ["a", "b", "a", "c", "b", "c", "a", "c", "b"]) answers.push(await replayed(key));
  assert.deepEqual(answers, [false, false, true, false, true, true, false, true, false]);
  await other.restart();
  assert.deepEqual([await replayed("a"), await replayed("b"), await replayed("c")], [true, true, false]);
});

test("a publish that was refused does not use up its idempotency key", async () => {
  const channel = hub.channel("failed");
  /** @type {[body: string | Uint8Array<ArrayBuffer>, options: { type?: string, query?: string }, status: number][]} */
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

/** Publishes with a key in the query, and with a key in the header if `header` is defined. */
async function postWithParameter(channel, parameter, body, header) {
  const headers = header === undefined ? undefined : { "Idempotency-Key": header };
  const query = `?idempotency_key=${parameter}`;
  const response = await fetch(`${channel.url}/broadcast${query}`, { method: "POST", body, headers });
  const replayed = response.headers.get("idempotency-replayed");
  return { status: response.status, replayed, body: await response.json() };
}

test("an idempotency key in the query is the same as one in the header", async () => {
  const channel = hub.channel("in-query");
  const first = await postWithParameter(channel, "order+4711%2Fpaid", "x");
  assert.deepEqual([first.status, first.replayed], [200, null]);
  const again = { ...first, replayed: "true" };
  assert.deepEqual(await postWithParameter(channel, "order%204711/paid", "x"), again);
  assert.deepEqual(await post(channel, "order 4711/paid", "x"), again);
  assert.deepEqual(await postWithParameter(channel, "order+4711/paid", "x", "order 4711/paid"), again);
  assertReused(await postWithParameter(channel, "order+4711/paid", "y"));
  await assertPublished(channel, ["x"]);
});

test("different idempotency keys in header and query are answered with 400 that names both", async () => {
  const channel = hub.channel("different-keys");
  for (const [parameter, header] of [
    ["a", "b"],
    ["a", "A"],
  ]) {
    const answer = await postWithParameter(channel, parameter, "x", header);
    assert.equal(answer.status, 400);
    assert.equal(answer.body.type, "urn:sse-broadcaster:problem:invalid-idempotency-key");
    assert.match(answer.body.detail, /header Idempotency-Key and the parameter "idempotency_key" are different/);
  }
  assert.equal((await channel.stats()).published, 0);
});

test("an invalid idempotency key in the query is answered with 400 and publishes nothing", async () => {
  const channel = hub.channel("bad-parameters");
  for (const key of [
    "",
    "+",
    "a+",
    "%20a",
    "x".repeat(129),
    "x".repeat(10_000),
    "a%09b",
    "a%0D%0AX:y",
    "%00",
    "%C3%A9",
  ]) {
    for (const header of [undefined, "a"]) {
      const answer = await postWithParameter(channel, key, "x", header);
      assert.equal(answer.status, 400, key);
      assert.equal(answer.body.type, "urn:sse-broadcaster:problem:invalid-idempotency-key");
      assert.match(answer.body.detail, /parameter "idempotency_key" .* 1 to 128/);
    }
  }
  for (const key of ["a&idempotency_key=a", "%ff"]) {
    const answer = await postWithParameter(channel, key, "x");
    assert.deepEqual([answer.status, answer.body.title], [400, "Invalid query"], key);
  }
  assert.equal((await channel.stats()).published, 0);
});

test("an invalid idempotency key is answered with 400 and publishes nothing", async () => {
  const channel = hub.channel("bad-keys");
  for (const key of ["", " ", "x".repeat(129), "x".repeat(10_000), "a\tb", "caf\xe9"]) {
    const answer = await post(channel, key, "x");
    assert.equal(answer.status, 400, JSON.stringify(key));
    assert.equal(answer.body.type, "urn:sse-broadcaster:problem:invalid-idempotency-key");
    assert.match(answer.body.detail, /1 to 128/);
  }
  const before = "POST /channels/bad-keys/broadcast HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n";
  // These keys go out as raw bytes: a line end, a header that continues on the next line, control characters, UTF-8.
  for (const key of ["a\nb", "a\rb", "a\r\n b", "a\r\n\tb", "a\0b", "a\x01b", "a\x1b[31mb", "a\x7f", "🎉"]) {
    const answer = await rawRequest(hub.origin, Buffer.from(`${before}Idempotency-Key: ${key}\r\n\r\nx`));
    assert.match(answer, /^HTTP\/1\.1 400 /, JSON.stringify(key));
  }
  assert.equal((await channel.stats()).published, 0);
});
