// How much a hub takes: publishes per channel and second, requests per client address, bytes and slow bodies.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask } from "../support/ask.mjs";
import { startHub } from "../support/hub.mjs";
import { limitedConfig } from "../support/limited.mjs";
import { listen } from "../support/listener.mjs";
import { rawConnection } from "../support/raw.mjs";
import { SECRET, bearer, mint } from "../support/tokens.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startClosed, startWorkerd } from "../support/workerd.mjs";

/** The seconds that the platform's own limits count in; a new count begins whenever the clock has reached so many. */
const PERIOD = 10;

/** Checks that an answer is a 429 of that type, and says when to come again. */
function assertTooMany({ status, headers, text }, type, retryAfter, detail) {
  assert.equal(status, 429, text);
  assert.equal(headers["content-type"], "application/problem+json");
  assert.equal(headers["retry-after"], retryAfter);
  assert.equal(headers["access-control-allow-origin"], "*");
  assert.match(headers["access-control-expose-headers"], /\bRetry-After\b/);
  const problem = JSON.parse(text);
  assert.deepEqual([problem.type, problem.status], [`urn:sse-broadcaster:problem:${type}`, 429]);
  assert.match(problem.detail, detail);
}

/** Publishes `count` times at once. Returns the answers, and how many seconds passed until the last. */
async function burst(channel, count, { headers, body = "x" } = {}) {
  const from = performance.now();
  const init = { method: "POST", body, headers };
  const all = Array.from({ length: count }, () => ask(channel.url, "/broadcast", init));
  const answers = await Promise.all(all);
  const seconds = (performance.now() - from) / 1_000;
  const taken = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status !== 200);
  for (const answer of refused) assertTooMany(answer, "too-many-publishes", "1", /PUBLISH_PER_SECOND/);
  return { taken: taken.length, refused: refused.length, seconds };
}

test("PUBLISH_PER_SECOND lets one second's worth through at once, and so many a second", async () => {
  const hub = await startWorkerd({ PUBLISH_PER_SECOND: "10" });
  const channel = hub.channel("bucket");
  const listener = await listen(channel);
  const started = performance.now();
  const first = await burst(channel, 30);
  assert.ok(first.taken >= 10 && first.taken <= 10 + Math.ceil(first.seconds * 10), JSON.stringify(first));
  assert.ok(first.refused > 0);

  // Who never stops gets the rate itself: what was refused takes nothing out of the bucket. The last one was refused,
  // so that nothing is left in there. While the machine stops, a bucket that is full, or is so soon, overflows.
  let { taken } = first;
  let lost = first.seconds * 10;
  let last = first;
  while (performance.now() < started + 2_000 || last.refused === 0) {
    last = await burst(channel, 3);
    taken += last.taken;
    lost += Math.max(0, last.seconds - 0.9) * 10;
  }
  const seconds = (performance.now() - started) / 1_000;
  const most = 10 + seconds * 10;
  assert.ok(taken >= most - lost - 3 && taken <= most + 1, `${taken} in ${seconds} s`);

  // What was not used is not saved up.
  await sleep(2_500);
  const rested = await burst(channel, 30);
  assert.ok(rested.taken >= 10 && rested.taken <= 10 + Math.ceil(rested.seconds * 10), JSON.stringify(rested));
  taken += rested.taken;

  // Nobody who listens notices: what had a receipt came, all of it, and nothing else.
  await listener.untilEvents(taken);
  assert.deepEqual([listener.account().events.length, listener.account().last], [taken, taken]);
  assert.equal((await channel.stats()).published, taken);
});

test("each channel has its own, and a batch counts once", async () => {
  const hub = await startWorkerd({ PUBLISH_PER_SECOND: "2" });
  const [full, other, batches] = ["full", "other", "batches"].map((id) => hub.channel(id));
  assert.ok((await burst(full, 20)).refused > 0);
  assert.deepEqual((await other.publish("x")).events, 1);
  const batch = { headers: { "Content-Type": "text/event-stream" }, body: "data: x\n\n".repeat(100) };
  const { taken } = await burst(batches, 20, batch);
  assert.ok(taken >= 2);
  assert.equal((await batches.stats()).published, taken * 100);

  // Whatever else is asked of the channel goes on.
  await burst(full, 10);
  for (const [path, init] of [["/stats"], ["/events"], ["?history=5"], ["", { method: "DELETE" }]]) {
    assert.equal((await ask(full.url, path, init)).status, 200, path);
  }
});

test("what was refused is not remembered: the same key publishes it a second later", async () => {
  const hub = await startWorkerd({ PUBLISH_PER_SECOND: "1" });
  const send = (channel) =>
    ask(channel.url, "/broadcast", {
      method: "POST",
      body: "second",
      // A publisher reads the status, whatever it accepts.
      headers: { "Idempotency-Key": "k", Accept: "text/event-stream" },
    });
  let channel;
  let refused;
  // The second one comes right after the first, but for a machine that stops for a second between them.
  for (let tries = 0; tries < 20 && refused?.status !== 429; tries++) {
    channel = hub.channel(`keys-${tries}`);
    await channel.publish("first");
    refused = await send(channel);
  }
  assertTooMany(refused, "too-many-publishes", "1", /PUBLISH_PER_SECOND/);
  await sleep(1_100);
  const answer = await send(channel);
  assert.deepEqual([answer.status, answer.headers["idempotency-replayed"]], [200, undefined], answer.text);
  assert.match(JSON.parse(answer.text).id, /-2$/);
});

test("PUBLISH_PER_SECOND=0, and none, is no limit", async () => {
  for (const settings of [{}, { PUBLISH_PER_SECOND: "0" }]) {
    const hub = await startWorkerd(settings);
    const { taken, refused } = await burst(hub.channel("unlimited"), 200);
    assert.deepEqual([taken, refused], [200, 0]);
  }
});

/** A hub with bindings of the platform that count requests, as the README has them, but for their numbers. */
function startLimited(limits, vars = {}) {
  return startHub(vars, { configPath: limitedConfig(limits, PERIOD) });
}

/** Waits, if need be, until the platform has just begun to count anew: a test of two seconds has time then. */
async function newPeriod(left = 4_000) {
  const gone = Date.now() % (PERIOD * 1_000);
  if (PERIOD * 1_000 - gone < left) await sleep(PERIOD * 1_000 - gone + 100);
}

const from = (address, init = {}) => ({ ...init, headers: { "CF-Connecting-IP": address, ...init.headers } });
const publish = (address, headers) => from(address, { method: "POST", body: "x", headers });
const statuses = async (hub, path, inits) => {
  const answers = [];
  // One after the other: they are counted in this order.
  for (const init of inits) answers.push((await ask(hub.origin, path, init)).status);
  return answers;
};

const minute = { timeout: 60_000 };

test("PUBLISH_LIMIT counts the publishes of an address, to all channels, good and bad", minute, async () => {
  const hub = await startLimited({ PUBLISH_LIMIT: 4 }, { ACCESS: "token", JWT_SECRET: SECRET });
  const good = bearer(await mint());
  const bad = bearer("x.y.z");
  await newPeriod();
  const path = "/channels/foo/broadcast";
  const first = [good, bad, good].map((token) => publish("192.0.2.1", token));
  assert.deepEqual(await statuses(hub, path, first), [200, 401, 200]);
  assert.deepEqual(await statuses(hub, "/channels/bar/broadcast", [publish("192.0.2.1", good)]), [200]);
  for (const [id, token] of [
    ["foo", good],
    ["foo", bad],
    ["bar", good],
    ["bar", {}],
  ]) {
    const answer = await ask(hub.origin, `/channels/${id}/broadcast`, publish("192.0.2.1", token));
    assertTooMany(answer, "too-many-requests", "10", /PUBLISH_LIMIT/);
  }
  assert.deepEqual(await statuses(hub, path, [publish("192.0.2.2", good), publish("2001:db8::1", good)]), [200, 200]);
  // So does all that takes the same permission.
  for (const [path, method] of [
    ["/stats", "GET"],
    ["/events", "HEAD"],
    ["", "DELETE"],
  ]) {
    const { status } = await ask(hub.origin, `/channels/foo${path}`, from("192.0.2.1", { method, headers: good }));
    assert.equal(status, 429, path);
  }
  // Listening, and asking what may be asked, is no publish.
  for (const request of ["GET ", "HEAD ", "OPTIONS /broadcast"]) {
    const [method, of] = request.split(" ");
    const { status } = await ask(hub.origin, `/channels/foo${of}`, from("192.0.2.1", { method, headers: good }));
    assert.ok(status === 200 || status === 204, `${request}: ${status}`);
  }
  await sleep(PERIOD * 1_000);
  assert.deepEqual(await statuses(hub, path, [publish("192.0.2.1", good)]), [200]);
});

test("SUBSCRIBE_LIMIT counts the subscribes of an address; a browser is told in a stream", minute, async () => {
  const hub = await startLimited({ SUBSCRIBE_LIMIT: 3 });
  const stream = { Accept: "text/event-stream" };
  await newPeriod();
  const subscribes = [{}, { method: "HEAD" }, { headers: stream }].map((init) => from("192.0.2.1", init));
  assert.deepEqual(await statuses(hub, "/channels/foo", subscribes), [200, 200, 200]);
  const refused = await ask(hub.origin, "/channels/bar", from("192.0.2.1"));
  assertTooMany(refused, "too-many-requests", "10", /SUBSCRIBE_LIMIT/);
  assert.equal((await ask(hub.origin, "/channels/bar", from("192.0.2.1", { method: "HEAD" }))).status, 429);
  const { status, headers, text } = await ask(hub.origin, "/channels/foo", from("192.0.2.1", { headers: stream }));
  assert.deepEqual([status, headers["content-type"]], [200, "text/event-stream"]);
  const [, retry, data] = text.match(/^retry: (\d+)\nevent: hub\.error\ndata: (.+)\n\n$/);
  assert.ok(retry >= 5_000 && retry <= 15_000, retry);
  const problem = JSON.parse(data);
  assert.deepEqual([problem.status, problem.type], [429, "urn:sse-broadcaster:problem:too-many-requests"]);

  assert.deepEqual(await statuses(hub, "/channels/foo", [from("192.0.2.2")]), [200]);
  // There is no binding for these.
  const { published } = await hub.channel("foo").stats();
  const many = Array.from({ length: 20 }, () => publish("192.0.2.1"));
  assert.deepEqual(new Set(await statuses(hub, "/channels/foo/broadcast", many)), new Set([200]));
  assert.equal((await hub.channel("foo").stats()).published, published + 20);
});

const head = (path, ...headers) => [`POST ${path} HTTP/1.1`, "Host: x", ...headers, "", ""].join("\r\n");

test("a body is refused before it is sent: too large a batch, and any without a token", async () => {
  const hub = await startClosed({ JWT_SECRET: SECRET });
  const good = `Authorization: Bearer ${await mint()}`;
  const path = "/channels/foo/broadcast";
  for (const [status, words, ...headers] of [
    [413, "MAX_BATCH_BYTES", good, "Content-Type: text/event-stream", "Content-Length: 1048577"],
    [413, "MAX_EVENT_BYTES", good, "Content-Length: 9007199254740993"],
    [401, "missing-token", "Content-Length: 1000"],
    [401, "missing-token", "Transfer-Encoding: chunked"],
    [401, "invalid-token", "Authorization: Bearer x.y.z", "Content-Length: 1000000000"],
  ]) {
    const connection = await rawConnection(hub.origin);
    connection.send(head(path, ...headers));
    await eventually(() => connection.received().includes(words));
    assert.ok(connection.received().startsWith(`HTTP/1.1 ${status} `), connection.received());
    connection.socket.destroy();
  }
});

test("a chunked batch is refused while it is read, and the answer says so", async () => {
  const hub = await startWorkerd();
  const chunk = `2000\r\n${`data: ${"x".repeat(8_184)}\n\n`}\r\n`;
  let text = "";
  // A server that closes while more comes in resets the connection, and then the kernel may throw its answer away.
  for (let attempt = 0; attempt < 10 && text === ""; attempt++) {
    const connection = await rawConnection(hub.origin);
    connection.send(head("/channels/foo/broadcast", "Transfer-Encoding: chunked", "Content-Type: text/event-stream"));
    let sent = 0;
    while (!connection.received().includes("MAX_BATCH_BYTES") && !connection.socket.closed && sent < 20e6) {
      connection.send(chunk);
      sent += 8_192;
      await sleep(1);
    }
    // What lies in sockets on the way is sent, too.
    assert.ok(sent > 1_048_576 && sent < 10e6, `${sent} bytes were sent`);
    connection.socket.destroy();
    text = connection.received();
  }
  assert.match(text, /^HTTP\/1\.1 413 .*MAX_BATCH_BYTES/s);
  assert.equal((await hub.channel("foo").stats()).published, 0);
});

test("100 slow bodies at once hold up nobody", minute, async () => {
  const hub = await startWorkerd();
  const channel = hub.channel("slow");
  const listener = await listen(channel);
  const quick = async (count) => {
    const times = [];
    for (let n = 0; n < count; n++) {
      const from = performance.now();
      const { id } = await channel.publish("quick");
      await listener.untilId(id);
      times.push(performance.now() - from);
    }
    return times.sort((a, b) => a - b);
  };
  await quick(50);
  const slow = await Promise.all(Array.from({ length: 100 }, () => rawConnection(hub.origin)));
  // Half of them say how much there is to come; nearly all of it is there. Together they are as much as a channel may hold.
  const most = "s".repeat(20_000);
  for (const [n, { send }] of slow.entries()) {
    const declared = n % 2 === 0;
    const length = declared ? "Content-Length: 20004" : "Transfer-Encoding: chunked";
    send(head("/channels/slow/broadcast", "Connection: close", length));
    send(declared ? most : `${(20_000).toString(16)}\r\n${most}\r\n`);
  }
  await sleep(500);
  const times = await quick(100);
  const [p50, p99] = [times[50], times[98]].map((ms) => Math.round(ms));
  console.log(`# publish and delivery beside 100 slow bodies: p50 ${p50} ms, p99 ${p99} ms`);
  assert.ok(p99 < 500, `p99 ${p99} ms`);
  assert.equal((await channel.stats()).published, 150, "none of the slow ones has been published");

  // Half of them break off, the rest come to their end.
  const late = slow.filter(({ socket }, n) => n >= 50 || !socket.destroy());
  for (const [n, { send }] of late.entries()) send(n % 2 === 0 ? "late" : "4\r\nlate\r\n0\r\n\r\n");
  for (const connection of late) assert.match(await connection.rest(), /^HTTP\/1\.1 200 /);
  await listener.untilEvents(200);
  assert.equal(listener.account().events.filter(({ data }) => data === `${most}late`).length, 50);
  assert.equal((await channel.stats()).published, 200);
});
