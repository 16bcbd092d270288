// The headers of CORS and ALLOWED_ORIGINS, on every kind of response of the Worker and of the object.
import assert from "node:assert/strict";
import { test } from "node:test";
import { rawRequest } from "../support/raw.mjs";
import { sendRequest } from "../support/request.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { bearer, mint, SECRET } from "../support/tokens.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const LIST = ["https://a.example", "http://localhost:3000", "https://b.example:8443"];
const [ALLOWED] = LIST;
const SETTINGS = { JWT_SECRET: SECRET, MAX_SUBSCRIBERS: "1", PUBLISH_PER_SECOND: "1" };
const good = bearer(await mint());
const stream = { Accept: "text/event-stream" };
const batch = { "Content-Type": "text/event-stream" };
const listed = await startTokenHub({ ...SETTINGS, ALLOWED_ORIGINS: LIST.join(", ") }, { withConsole: true });
const open = await startTokenHub(SETTINGS, { withConsole: true });

// Each hub has one channel that is full and one that has ended.
for (const hub of [listed, open]) {
  await subscribe(hub.channel("full"), { headers: good });
  assert.equal((await sendRequest(hub.origin, "/channels/ended", { method: "DELETE", headers: good })).status, 200);
}

/** The names of all kinds of preflight requests begin with this text. */
const PREFLIGHT = "a preflight";
const ALWAYS_ALLOWED = "Content-Type, Authorization, Last-Event-ID, Idempotency-Key";

let channels = 0;
/** Returns the path of an unused channel. */
const fresh = () => `/channels/fresh-${channels++}`;

/** @typedef {import("../support/request.mjs").RequestOptions & { path: string }} Request */
/** @typedef {{ status: number, headers: Record<string, string>, text: string }} Response */

/** @returns {Request} */
const post = (path, headers = {}, body = "x") => ({ path, method: "POST", headers: { ...good, ...headers }, body });
/** @returns {Request} */
const get = (path, headers = {}, method = "GET") => ({ path, method, headers: { ...good, ...headers } });

/**
 * Publishes until the hub answers with 429. On a slow machine, the first publishes may be more than a second apart.
 * @param {(request: Request) => Promise<Response>} send
 */
async function tooMany(send) {
  const request = post(`${fresh()}/broadcast`);
  for (let tries = 0; tries < 20; tries++) {
    const answer = await send(request);
    if (answer.status === 429) return answer;
  }
  throw new Error("no publish was answered with 429");
}

/**
 * A kind of response: its name, its status, and a function that returns the request or, if that is not enough, the
 * response.
 * @typedef {[name: string, status: number,
 *   make: (send: (request: Request) => Promise<Response>) => Request | Promise<Request | Response>]} Kind
 */

/** @type {Kind[]} */
const KINDS = [
  ["the stream", 200, () => get(fresh())],
  ["a stream with HEAD", 200, () => get(fresh(), {}, "HEAD")],
  ["a receipt", 200, () => post(`${fresh()}/broadcast`)],
  ["a page of the history", 200, () => get(`${fresh()}/events`)],
  ["stats", 200, () => get(`${fresh()}/stats`)],
  ["stats with HEAD", 200, () => get(`${fresh()}/stats`, {}, "HEAD")],
  ["the receipt of a DELETE", 200, () => get(fresh(), {}, "DELETE")],
  ["healthz", 200, () => get("/healthz")],
  ["a channel that has ended", 204, () => get("/channels/ended")],
  ["a redirect from a channel to the console", 302, () => get("/channels/full", { "Sec-Fetch-Dest": "document" })],
  ["an invalid channel id", 400, () => get("/channels/%2F")],
  ["an invalid query", 400, () => get(`${fresh()}?history=x`)],
  ["an empty batch", 400, () => post(`${fresh()}/broadcast`, batch, "")],
  ["a request without a token", 401, () => ({ path: "/channels/full/stats" })],
  ["a stream without a token", 401, () => ({ path: "/channels/full", headers: stream })],
  ["an invalid token", 401, () => get("/channels/full", bearer("x"))],
  ["a token for another channel", 403, async () => post("/channels/full/broadcast", bearer(await mint({})))],
  ["an unknown path", 404, () => get("/nothing")],
  ["an unsupported method", 405, () => post("/channels/full/stats")],
  ["a body that is too large", 413, () => post(`${fresh()}/broadcast`, {}, "x".repeat(65_537))],
  ["a compressed body", 415, () => post(`${fresh()}/broadcast`, { "Content-Encoding": "gzip" })],
  ["a publish beyond PUBLISH_PER_SECOND", 429, tooMany],
  ["a full channel", 503, () => get("/channels/full")],
  ["an error as a stream", 200, () => get("/channels/full", stream)],
  ["a preflight request", 204, () => ({ path: "/channels/full/broadcast", method: "OPTIONS" })],
  ["a preflight request for a file", 204, () => ({ path: "/", method: "OPTIONS" })],
];

/**
 * Gets a response of a kind from `hub`, with the header Origin if `origin` is defined.
 * @param {{ origin: string }} hub
 * @param {Kind} kind
 * @param {string} [origin]
 */
async function responseOf(hub, [, , make], origin) {
  /** @param {Request} request */
  const send = ({ path, method, headers, body }) => {
    const all = origin === undefined ? headers : { ...headers, Origin: origin };
    return sendRequest(hub.origin, path, { method, body, headers: all });
  };
  const made = await make(send);
  return "path" in made ? send(made) : made;
}

/** Returns the headers of CORS, by their names without "access-control-". */
function corsHeaders({ headers }) {
  const prefix = "access-control-";
  const found = Object.entries(headers).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(found.map(([name, value]) => [name.slice(prefix.length), value]));
}

const varies = ({ headers }) => (headers.vary?.split(",") ?? []).map((name) => name.trim().toLowerCase()).sort();

/**
 * Checks the headers of CORS. `allowed` has those that depend on the origin.
 * @param {Response} answer
 * @param {Kind} kind
 * @param {Record<string, string>} allowed
 */
function assertCors(answer, kind, allowed) {
  const [name, status] = kind;
  assert.equal(answer.status, status, `${name}: ${answer.text}`);
  const { "allow-methods": methods, "allow-headers": names, "max-age": age, ...cors } = corsHeaders(answer);
  assert.deepEqual(cors, { ...allowed, "expose-headers": "Retry-After, Idempotency-Replayed" }, name);
  if (allowed["allow-origin"] && name.startsWith(PREFLIGHT)) {
    assert.equal(methods, answer.headers.allow);
    assert.match(names, /\bAuthorization\b/);
    assert.ok(Number(age) > 0);
  } else {
    assert.deepEqual([methods, names, age], [undefined, undefined, undefined], name);
  }
}

for (const kind of KINDS) {
  test(`CORS permits the origins of ALLOWED_ORIGINS, by default all, to read ${kind[0]} (${kind[1]})`, async () => {
    const preflight = kind[0].startsWith(PREFLIGHT) ? ["access-control-request-headers"] : [];
    const also = kind[1] === 302 ? ["sec-fetch-dest"] : preflight;
    for (const origin of [ALLOWED, LIST[1], "https://other.example", undefined, "null"]) {
      const answer = await responseOf(listed, kind, origin);
      const allowed = LIST.includes(origin) && { "allow-origin": origin, "allow-credentials": "true" };
      if (allowed) assertCors(answer, kind, allowed);
      else assert.deepEqual([answer.status, corsHeaders(answer)], [kind[1], {}], `${origin}: ${answer.text}`);
      assert.deepEqual(varies(answer), [...also, "origin"].sort());
    }
    for (const origin of [ALLOWED, undefined, "null"]) {
      const answer = await responseOf(open, kind, origin);
      assertCors(answer, kind, { "allow-origin": "*" });
      assert.deepEqual(varies(answer), also);
    }
  });
}

/** Sends a preflight request, and returns the value of Access-Control-Allow-Headers. */
async function allowedHeaders(hub, requested, origin = ALLOWED) {
  const headers = { Origin: origin, "Access-Control-Request-Method": "POST" };
  if (requested !== undefined) headers["Access-Control-Request-Headers"] = requested;
  const answer = await sendRequest(hub.origin, "/channels/full/broadcast", { method: "OPTIONS", headers });
  assert.equal(answer.status, 204);
  assert.ok(varies(answer).includes("access-control-request-headers"));
  return answer.headers["access-control-allow-headers"];
}

test("a preflight response allows the headers that were asked for if the origin is allowed", async () => {
  for (const hub of [listed, open]) {
    for (const [requested, more] of [
      [undefined, ""],
      ["", ""],
      ["authorization,content-type", ""],
      ["cache-control,traceparent,x-requested-with", ", cache-control, traceparent, x-requested-with"],
      ["a, A ,a,\tb", ", a, b"],
      ["*, a b, c:d, (e), f", ", f"],
      ["x".repeat(65), ""],
    ]) {
      assert.equal(await allowedHeaders(hub, requested), ALWAYS_ALLOWED + more, requested);
    }
    const many = Array.from({ length: 1_000 }, (_, n) => `x-${n}`);
    assert.equal(await allowedHeaders(hub, many.join(",")), `${ALWAYS_ALLOWED}, ${many.slice(0, 32).join(", ")}`);
  }
  assert.equal(await allowedHeaders(listed, "traceparent", "https://other.example"), undefined);
  assert.equal(await allowedHeaders(open, "traceparent", "null"), `${ALWAYS_ALLOWED}, traceparent`);
});

test("an error for an allowed origin is a stream with hub.error", async () => {
  const kind = KINDS.find(([name]) => name === "an error as a stream");
  assert.match(
    (await responseOf(listed, kind, ALLOWED)).text,
    /^retry: \d+\nevent: hub\.error\ndata: .*MAX_SUBSCRIBERS/,
  );
});

test("ALLOWED_ORIGINS does not affect the files of the console", async () => {
  const plain = await sendRequest(listed.origin, "/");
  assert.equal(plain.status, 200);
  for (const origin of [ALLOWED, "https://other.example"]) {
    const answer = await sendRequest(listed.origin, "/", { headers: { Origin: origin } });
    assert.deepEqual([answer.status, answer.text, corsHeaders(answer)], [200, plain.text, {}]);
  }
});

test("an origin is allowed only if it equals an origin of ALLOWED_ORIGINS", async () => {
  for (const origin of LIST) {
    const { headers } = await sendRequest(listed.origin, "/healthz", { headers: { Origin: origin } });
    assert.equal(headers["access-control-allow-origin"], origin);
  }
  for (const origin of [
    "https://a.example.evil.com",
    "https://a.example:443",
    "https://a.example:8443",
    "https://a.example/",
    "https://a.example/path",
    "https://a.exampl",
    "https://a.example ",
    "https://A.EXAMPLE",
    "HTTPS://a.example",
    "http://a.example",
    "https://evil.com#https://a.example",
    "https://evil.com?https://a.example",
    "https://a.example@evil.com",
    "https://evil-a.example",
    "https://sub.a.example",
    "https://b.example",
    "https://b.example:84430",
    "http://localhost",
    "http://localhost:3001",
    "http://127.0.0.1:3000",
    "https://a.example, http://localhost:3000",
    "https://a.example,",
    ",",
    "",
    "*",
    "null",
  ]) {
    const request = { headers: { Origin: origin } };
    // The runtime removes a space at the end of a header's value.
    const same = origin.trim() === ALLOWED;
    const { headers } = await sendRequest(listed.origin, "/healthz", request);
    assert.equal(headers["access-control-allow-origin"], same ? ALLOWED : undefined, origin);
    assert.equal(headers.vary, "Origin");
  }
});

test("a request with two Origin headers gets no headers of CORS", async () => {
  const lines = ["GET /healthz HTTP/1.1", "Host: x", "Connection: close", `Origin: ${ALLOWED}`, `Origin: ${ALLOWED}`];
  const answer = await rawRequest(listed.origin, `${lines.join("\r\n")}\r\n\r\n`);
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.doesNotMatch(answer, /access-control/i);
});

test("ALLOWED_ORIGINS may have spaces, commas or both between its origins", async () => {
  for (const list of ["https://a.example,https://c.example", " https://a.example   https://c.example , "]) {
    const hub = await startWorkerd({ ALLOWED_ORIGINS: list });
    for (const origin of ["https://a.example", "https://c.example"]) {
      const { status, headers } = await sendRequest(hub.origin, "/healthz", { headers: { Origin: origin } });
      assert.deepEqual([status, headers["access-control-allow-origin"]], [200, origin], list);
    }
    await hub.kill();
  }
});

test("with an invalid ALLOWED_ORIGINS every request is answered with 500 that names the setting", {
  timeout: 60_000,
}, async () => {
  const hub = await startWorkerd();
  for (const list of [
    "https://a.example/path",
    "https://a.example/",
    "https://a.example, *",
    "* *",
    "https://*.example",
    "a.example",
    "localhost:3000",
    "null",
    "https://",
    "https://user@a.example",
    "https://a.example?x=y",
    "https://A.example",
    "https://a.example:443",
    "https://a.example;https://c.example",
    ",",
    " ",
  ]) {
    await hub.restart({ ALLOWED_ORIGINS: list });
    for (const path of ["/healthz", "/channels/foo"]) {
      const { status, headers, text } = await sendRequest(hub.origin, path, { headers: { Origin: ALLOWED } });
      assert.deepEqual([status, headers["content-type"]], [500, "application/problem+json"], list);
      const { type, detail } = JSON.parse(text);
      assert.equal(type, "urn:sse-broadcaster:problem:invalid-setting");
      assert.ok(detail.includes(`: ALLOWED_ORIGINS is "${list}": it has to be *, or exact origins`), detail);
    }
  }
});
