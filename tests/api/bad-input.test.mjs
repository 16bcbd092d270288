// Requests with invalid input: the hub answers with a problem, and open streams are not disturbed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startHub } from "../support/hub.mjs";
import { subscribe } from "../support/subscriber.mjs";

const hub = await startHub();
const channel = hub.channel("victim");
const events = { "Content-Type": "text/event-stream" };
const witness = await subscribe(channel);

/** Checks that `response` is a problem with this status, and that its detail matches `detail`. */
async function assertProblem(response, status, detail) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  const problem = JSON.parse(text);
  assert.deepEqual(Object.keys(problem), ["type", "title", "status", "detail"]);
  assert.match(problem.type, /^urn:sse-broadcaster:problem:[a-z0-9-]+$/);
  assert.equal(problem.status, status);
  assert.ok(problem.title.length > 3);
  assert.match(problem.detail, detail);
}

/**
 * Publishes, and returns the response.
 * @param {BodyInit} body
 * @param {RequestInit & { query?: string }} [options]
 */
const broadcast = (body, { query = "", ...init } = {}) =>
  hub.fetch(`${channel.path}/broadcast${query}`, { method: "POST", body, ...init });

for (const id of [
  "%2F",
  "a%2Fb",
  "%00",
  "x".repeat(129),
  "%C3%A9",
  "é",
  "a%20b",
  "a+b",
  "%",
  "%zz",
  "a*",
  "<b>",
  "%0A",
]) {
  test(`a request for a channel with the id ${id.slice(0, 20)} is answered with 400`, async () => {
    for (const path of ["GET ", "DELETE ", "POST /broadcast", "GET /events", "GET /stats"]) {
      const [method, suffix] = path.split(" ");
      await assertProblem(await hub.fetch(`/channels/${id}${suffix}`, { method }), 400, /1 to 128 characters of A-Z/);
    }
  });
}

test("an unknown path is answered with 404", async () => {
  for (const path of [
    "/channels",
    "/channels/",
    "/channels//broadcast",
    "/channels//stats",
    "/channels/victim/",
    "/channels/victim/nothing",
    "/channels/victim/broadcast/more",
    "/channels/.",
    "/Channels/victim",
    "/healthz/",
    "/no-such-file.js",
    "//channels/victim",
  ]) {
    await assertProblem(await hub.fetch(path), 404, /nothing at this path/);
    await assertProblem(await hub.fetch(path, { method: "POST", body: "x" }), 404, /nothing at this path/);
  }
});

test("a known path with an unsupported method is answered with 405 and Allow", async () => {
  /** @type {[path: string, methods: string[], allow: string][]} */
  const cases = [
    ["/", ["POST", "PUT", "DELETE", "PATCH"], "GET, HEAD, OPTIONS"],
    ["/healthz", ["POST", "DELETE"], "GET, HEAD, OPTIONS"],
    ["/channels/victim", ["POST", "PUT", "PROPFIND"], "GET, HEAD, DELETE, OPTIONS"],
    ["/channels/victim/events", ["POST", "DELETE"], "GET, HEAD, OPTIONS"],
    ["/channels/victim/stats", ["POST", "PUT"], "GET, HEAD, OPTIONS"],
    ["/channels/victim/broadcast", ["GET", "HEAD", "PUT", "REPORT"], "POST, OPTIONS"],
  ];
  for (const [path, methods, allow] of cases) {
    for (const method of methods) {
      const response = await hub.fetch(path, { method });
      assert.equal(response.headers.get("allow"), allow, `${method} ${path}`);
      if (method === "HEAD") assert.equal(response.status, 405);
      else await assertProblem(response, 405, new RegExp(`does not take ${method}\\. It takes ${allow}\\.`));
    }
  }
});

test("a POST to a channel's own path is answered with 405 that names the path of publishes", async () => {
  for (const body of ["foo=bar", ""]) {
    const response = await hub.fetch(channel.path, { method: "POST", body });
    await assertProblem(response, 405, /POST goes to \/channels\/\{id\}\/broadcast/);
  }
});

test("OPTIONS is answered with 204 and the headers of CORS on every path of the API", async () => {
  const read = "GET, HEAD, OPTIONS";
  for (const [path, allowed] of [
    ["/", read],
    ["/healthz", read],
    ["/channels/victim", "GET, HEAD, DELETE, OPTIONS"],
    ["/channels/victim/broadcast", "POST, OPTIONS"],
    ["/channels/victim/events", read],
    ["/channels/victim/stats", read],
  ]) {
    const response = await hub.fetch(path, { method: "OPTIONS" });
    assert.equal(response.status, 204);
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    assert.equal(response.headers.get("access-control-allow-methods"), allowed);
    assert.equal(
      response.headers.get("access-control-allow-headers"),
      "Content-Type, Authorization, Last-Event-ID, Idempotency-Key",
    );
    assert.equal(response.headers.get("access-control-expose-headers"), "Retry-After, Idempotency-Replayed");
  }
  assert.equal((await hub.fetch("/nothing", { method: "OPTIONS" })).status, 404);
});

test("a body one byte larger than MAX_EVENT_BYTES is answered with 413", async () => {
  await assertProblem(await broadcast("x".repeat(65537)), 413, /larger than 65536 bytes \(MAX_EVENT_BYTES\)/);
});

test("the JSON of a webhook that is larger than MAX_EVENT_BYTES is answered with 413 that names the setting", async () => {
  // GitHub sends up to 25 MB.
  const commits = Array.from({ length: 200 }, (_, n) => ({
    id: String(n).padStart(40, "0"),
    message: "x".repeat(400),
  }));
  for (const repeat of [1, 50]) {
    const body = JSON.stringify({ ref: "refs/heads/main", commits: Array(repeat).fill(commits).flat() });
    assert.ok(body.length > 65_536);
    const headers = { "Content-Type": "application/json", "X-GitHub-Event": "push" };
    await assertProblem(await broadcast(body, { headers }), 413, /larger than 65536 bytes \(MAX_EVENT_BYTES\)/);
  }
});

test("a batch larger than MAX_BATCH_BYTES is answered with 413", async () => {
  const body = `data: ${"x".repeat(60_000)}\n\n`.repeat(18);
  await assertProblem(await broadcast(body, { headers: events }), 413, /1048576 bytes \(MAX_BATCH_BYTES\)/);
});

test("a batch with more than MAX_BATCH_EVENTS, or with an event larger than MAX_EVENT_BYTES, is answered with 413", async () => {
  await assertProblem(await broadcast("data: x\n\n".repeat(257), { headers: events }), 413, /257 events; at most 256/);
  const large = `data: fine\n\ndata: ${"x".repeat(65537)}\n\n`;
  await assertProblem(await broadcast(large, { headers: events }), 413, /Event 2 of the batch has 65537 bytes/);
});

test("a batch that is larger than BUFFER_BYTES only after encoding is answered with 413", async () => {
  const body = `${"data\n".repeat(60_000)}\n`.repeat(3);
  await assertProblem(await broadcast(body, { headers: events }), 413, /Encoded for the stream .*BUFFER_BYTES/);
});

test("a batch whose last event has an invalid type publishes none of its events", async () => {
  const fine = "data: fine\n\n".repeat(3);
  for (const type of ["hub.end", "x".repeat(65), "a\0b", " hub.end", "hub.end ", "\u00a0hub.end", "\thub.end", " "]) {
    await assertProblem(
      await broadcast(`${fine}event: ${type}\ndata: bad\n\n`, { headers: events }),
      400,
      /event type of event 4 of the batch/,
    );
  }
});

test("a batch without any event is answered with 400", async () => {
  for (const body of ["", "\n\n\n", ": only a comment\n\n", "event: x\nid: 3\n\n", "retry: 5", "hello"]) {
    await assertProblem(await broadcast(body, { headers: events }), 400, /holds no event/);
  }
});

test("an invalid event type in the query is answered with 400", async () => {
  for (const type of ["a%0Ab", "a%0Db", "a%00b", "x".repeat(65), "hub.dropped", "hub."]) {
    await assertProblem(await broadcast("x", { query: `?event=${type}` }), 400, /parameter "event" cannot be used/);
  }
  for (const type of [
    "%20hub.end",
    "+hub.end",
    "hub.end+",
    "%09a",
    "a%C2%A0",
    "%EF%BB%BFhub.end",
    "%E2%80%8Bhub.end",
  ]) {
    const detail = /parameter "event" cannot be used: it begins or ends with white space/;
    await assertProblem(await broadcast("x", { query: `?event=${type}` }), 400, detail);
  }
  await assertProblem(await broadcast("x", { query: "?event=a&event=b" }), 400, /more than once/);
  await assertProblem(await broadcast("x", { query: "?event=%ff" }), 400, /"event" is not valid UTF-8/);
  await assertProblem(await broadcast("data: x", { query: "?event=a", headers: events }), 400, /has no meaning/);
});

test("an invalid history, catch_up or limit in the query is answered with 400", async () => {
  for (const [path, detail] of [
    ["?history=-1", /parameter "history" .*whole number/],
    ["?history=abc", /parameter "history" .*whole number/],
    ["?history=1.5", /parameter "history" .*whole number/],
    ["?history=%2B1", /parameter "history" .*whole number/],
    ["?history=1&history=2", /"history" .*more than once/],
    ["?catch_up=2", /parameter "catch_up" .*0 to 1/],
    ["?catch_up=true", /parameter "catch_up" .*0 to 1/],
    ["/events?limit=0", /parameter "limit" .*1 to 1000/],
    ["/events?limit=1001", /parameter "limit" .*1 to 1000/],
    ["/events?limit=-5", /parameter "limit" .*1 to 1000/],
    ["/events?limit=x", /parameter "limit" .*1 to 1000/],
    ["/events?limit=%ff", /"limit"/],
  ]) {
    await assertProblem(await hub.fetch(channel.path + path), 400, detail);
  }
});

test("a body that is not UTF-8 is answered with 400 and the offset of the invalid byte", async () => {
  for (const bytes of [[0xff], [0x61, 0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], [0xc0, 0x80]]) {
    await assertProblem(await broadcast(new Uint8Array(bytes)), 400, /not valid UTF-8: byte [01] is wrong/);
  }
});

test("a compressed body is answered with 415", async () => {
  await assertProblem(await broadcast("x", { headers: { "Content-Encoding": "gzip" } }), 415, /encoded as gzip/);
});

test("a body in another charset than UTF-8 is answered with 415 that names the header and the remedy", async () => {
  for (const type of [
    "text/plain; charset=utf-16",
    'text/plain; charset="UTF-16LE"',
    "text/plain;charset=iso-8859-1",
    "text/event-stream; charset=utf-16",
    "application/json; a=b; Charset=latin1",
    "application/x-www-form-urlencoded; charset=windows-1252",
    "application/octet-stream; charset=binary",
  ]) {
    const body = type.startsWith("text/event-stream") ? "data: x\n\n" : "x";
    const response = await broadcast(body, { headers: { "Content-Type": type } });
    await assertProblem(
      response,
      415,
      /^The header Content-Type names the charset "[a-zA-Z0-9-]+"\. Send the body in UTF-8/,
    );
  }
});

test("the refused requests of this file have published nothing and have not disturbed an open stream", async () => {
  const stats = await channel.stats();
  assert.deepEqual([stats.published, stats.subscribers, stats.connected], [0, 1, 1]);
  await channel.publish("the only event");
  await witness.untilEvents(1);
  assert.deepEqual(
    witness.events.map((event) => event.data),
    ["the only event"],
  );
});
