// Which pages of other origins may read what: every kind of answer, from the Worker and from the object.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask } from "../support/ask.mjs";
import { listen } from "../support/listener.mjs";
import { rawRequest } from "../support/raw.mjs";
import { SECRET, bearer, mint } from "../support/tokens.mjs";
import { startClosed, startWorkerd } from "../support/workerd.mjs";

const LIST = ["https://a.example", "http://localhost:3000", "https://b.example:8443"];
const [ALLOWED] = LIST;
const SETTINGS = { JWT_SECRET: SECRET, MAX_SUBSCRIBERS: "1", PUBLISH_PER_SECOND: "1" };
const good = bearer(await mint());
const stream = { Accept: "text/event-stream" };
const batch = { "Content-Type": "text/event-stream" };
const listed = await startClosed({ ...SETTINGS, ALLOWED_ORIGINS: LIST.join(", ") }, { withConsole: true });
const open = await startClosed(SETTINGS, { withConsole: true });

/** A hub has one channel that is full, and one that has ended. */
for (const hub of [listed, open]) {
  await listen(hub.channel("full"), { headers: good });
  assert.equal((await ask(hub.origin, "/channels/ended", { method: "DELETE", headers: good })).status, 200);
}

let channels = 0;
/** A channel that nobody has published to. */
const fresh = () => `/channels/fresh-${channels++}`;

const post = (path, headers = {}, body = "x") => ({ path, method: "POST", headers: { ...good, ...headers }, body });
const get = (path, headers = {}, method = "GET") => ({ path, method, headers: { ...good, ...headers } });

/** A publish that comes right after another one, which may have been too slow for that. */
async function tooMany(send) {
  const request = post(`${fresh()}/broadcast`);
  for (let tries = 0; tries < 20; tries++) {
    const answer = await send(request);
    if (answer.status === 429) return answer;
  }
  throw new Error("no publish was one too many");
}

/** All kinds of answers: what they are called, their status, and the request, or how to come by such an answer. */
const ANSWERS = [
  ["the stream", 200, () => get(fresh())],
  ["the head of a stream", 200, () => get(fresh(), {}, "HEAD")],
  ["a receipt", 200, () => post(`${fresh()}/broadcast`)],
  ["a page of the history", 200, () => get(`${fresh()}/events`)],
  ["the counters", 200, () => get(`${fresh()}/stats`)],
  ["the head of the counters", 200, () => get(`${fresh()}/stats`, {}, "HEAD")],
  ["the receipt of an end", 200, () => get(fresh(), {}, "DELETE")],
  ["healthz", 200, () => get("/healthz")],
  ["a channel that has ended", 204, () => get("/channels/ended")],
  ["a channel in the address bar", 302, () => get("/channels/full", { "Sec-Fetch-Dest": "document" })],
  ["a channel that cannot be", 400, () => get("/channels/%2F")],
  ["a bad query", 400, () => get(`${fresh()}?history=x`)],
  ["a batch of nothing", 400, () => post(`${fresh()}/broadcast`, batch, "")],
  ["no token", 401, () => ({ path: "/channels/full/stats" })],
  ["no token, for a stream", 401, () => ({ path: "/channels/full", headers: stream })],
  ["a bad token", 401, () => get("/channels/full", bearer("x"))],
  ["another channel's token", 403, async () => post("/channels/full/broadcast", bearer(await mint({})))],
  ["a path of nothing", 404, () => get("/nothing")],
  ["a method too many", 405, () => post("/channels/full/stats")],
  ["a body too large", 413, () => post(`${fresh()}/broadcast`, {}, "x".repeat(65_537))],
  ["a compressed body", 415, () => post(`${fresh()}/broadcast`, { "Content-Encoding": "gzip" })],
  ["a publish too many", 429, tooMany],
  ["a full channel", 503, () => get("/channels/full")],
  ["a full channel, as a stream", 200, () => get("/channels/full", stream)],
  ["a preflight", 204, () => ({ path: "/channels/full/broadcast", method: "OPTIONS" })],
  ["a preflight of a file", 204, () => ({ path: "/", method: "OPTIONS" })],
];

/** Asks `hub` for an answer of that kind, as a page of `origin`, or as nobody's page where it is undefined. */
async function answerTo(hub, [, , make], origin) {
  const send = ({ path, method, headers, body }) =>
    ask(hub.origin, path, { method, body, headers: { ...headers, ...(origin !== undefined && { Origin: origin }) } });
  const made = await make(send);
  return made.path ? send(made) : made;
}

/** The headers of CORS, by the ends of their names. */
function corsHeaders({ headers }) {
  const prefix = "access-control-";
  const found = Object.entries(headers).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(found.map(([name, value]) => [name.slice(prefix.length), value]));
}

const varies = ({ headers }) => (headers.vary?.split(",") ?? []).map((name) => name.trim().toLowerCase()).sort();

function assertCors(answer, kind, allowed) {
  const [name, status] = kind;
  assert.equal(answer.status, status, `${name}: ${answer.text}`);
  const { "allow-methods": methods, "allow-headers": names, "max-age": age, ...cors } = corsHeaders(answer);
  assert.deepEqual(cors, allowed && { ...allowed, "expose-headers": "Retry-After, Idempotency-Replayed" }, name);
  if (allowed["allow-origin"] && name.startsWith("a preflight")) {
    assert.equal(methods, answer.headers.allow);
    assert.match(names, /\bAuthorization\b/);
    assert.ok(Number(age) > 0);
  } else {
    assert.deepEqual([methods, names, age], [undefined, undefined, undefined], name);
  }
}

for (const kind of ANSWERS) {
  test(`${kind[0]} (${kind[1]}) may be read by who is on the list, and without a list by all`, async () => {
    const also = kind[1] === 302 ? ["sec-fetch-dest"] : [];
    for (const origin of [ALLOWED, LIST[1], "https://other.example", undefined, "null"]) {
      const answer = await answerTo(listed, kind, origin);
      const allowed = LIST.includes(origin) && { "allow-origin": origin, "allow-credentials": "true" };
      if (allowed) assertCors(answer, kind, allowed);
      else assert.deepEqual([answer.status, corsHeaders(answer)], [kind[1], {}], `${origin}: ${answer.text}`);
      assert.deepEqual(varies(answer), ["origin", ...also]);
    }
    for (const origin of [ALLOWED, undefined, "null"]) {
      const answer = await answerTo(open, kind, origin);
      assertCors(answer, kind, { "allow-origin": "*" });
      assert.deepEqual(varies(answer), also);
    }
  });
}

test("what is meant to be a hub.error is one", async () => {
  const kind = ANSWERS.find(([name]) => name === "a full channel, as a stream");
  assert.match((await answerTo(listed, kind, ALLOWED)).text, /^retry: \d+\nevent: hub\.error\ndata: .*MAX_SUBSCRIBERS/);
});

test("the console's files are no matter of the list", async () => {
  const plain = await ask(listed.origin, "/");
  assert.equal(plain.status, 200);
  for (const origin of [ALLOWED, "https://other.example"]) {
    const answer = await ask(listed.origin, "/", { headers: { Origin: origin } });
    assert.deepEqual([answer.status, answer.text, corsHeaders(answer)], [200, plain.text, {}]);
  }
});

test("origins are compared as they are, whole", async () => {
  for (const origin of LIST) {
    const { headers } = await ask(listed.origin, "/healthz", { headers: { Origin: origin } });
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
    // A space at the end is no part of a header's value.
    const same = origin.trim() === ALLOWED;
    const { headers } = await ask(listed.origin, "/healthz", request);
    assert.equal(headers["access-control-allow-origin"], same ? ALLOWED : undefined, origin);
    assert.equal(headers.vary, "Origin");
  }
});

test("two headers Origin are nobody's", async () => {
  const lines = ["GET /healthz HTTP/1.1", "Host: x", "Connection: close", `Origin: ${ALLOWED}`, `Origin: ${ALLOWED}`];
  const answer = await rawRequest(listed.origin, `${lines.join("\r\n")}\r\n\r\n`);
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.doesNotMatch(answer, /access-control/i);
});

test("a list may have spaces, commas or both between its origins", async () => {
  for (const list of ["https://a.example,https://c.example", " https://a.example   https://c.example , "]) {
    const hub = await startWorkerd({ ALLOWED_ORIGINS: list });
    for (const origin of ["https://a.example", "https://c.example"]) {
      const { status, headers } = await ask(hub.origin, "/healthz", { headers: { Origin: origin } });
      assert.deepEqual([status, headers["access-control-allow-origin"]], [200, origin], list);
    }
    await hub.kill();
  }
});

test("a list that cannot be is a problem that names the setting", { timeout: 60_000 }, async () => {
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
      const { status, headers, text } = await ask(hub.origin, path, { headers: { Origin: ALLOWED } });
      assert.deepEqual([status, headers["content-type"]], [500, "application/problem+json"], list);
      const { type, detail } = JSON.parse(text);
      assert.equal(type, "urn:sse-broadcaster:problem:invalid-setting");
      assert.ok(detail.includes(`: ALLOWED_ORIGINS is "${list}": it has to be *, or exact origins`), detail);
    }
  }
});
