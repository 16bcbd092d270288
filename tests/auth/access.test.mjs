// Who may do what: every request of the API, with every kind of token, for each value of ACCESS.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PLACES, SECRET, bearer, mint, now, secretKey } from "../support/tokens.mjs";
import { startClosed, startWorkerd } from "../support/workerd.mjs";

/** [method, path, whom it is for], with the channel's id for CHANNEL. */
const REQUESTS = [
  ["GET", "/channels/CHANNEL", "subscribe"],
  ["HEAD", "/channels/CHANNEL", "subscribe"],
  ["POST", "/channels/CHANNEL/broadcast", "publish"],
  ["GET", "/channels/CHANNEL/stats", "publish"],
  ["HEAD", "/channels/CHANNEL/stats", "publish"],
  ["GET", "/channels/CHANNEL/events", "publish"],
  ["HEAD", "/channels/CHANNEL/events", "publish"],
  ["DELETE", "/channels/CHANNEL", "publish"],
  ["GET", "/healthz", "all"],
  ["HEAD", "/healthz", "all"],
  ["GET", "/", "all"],
  ["HEAD", "/", "all"],
  ["OPTIONS", "/", "all"],
  ["OPTIONS", "/healthz", "all"],
  ["OPTIONS", "/channels/CHANNEL", "all"],
  ["OPTIONS", "/channels/CHANNEL/broadcast", "all"],
  ["OPTIONS", "/channels/CHANNEL/stats", "all"],
  ["OPTIONS", "/channels/CHANNEL/events", "all"],
];

/** For whom no token is needed. */
const FREE = {
  "": ["all"],
  token: ["all"],
  "publish-token": ["all", "subscribe"],
  open: ["all", "subscribe", "publish"],
};

/** What a token says of a channel, and what it allows. `undefined`: there is none. */
const TOKENS = {
  none: { allows: [] },
  bad: { claims: { publish: ["*"], subscribe: ["*"], exp: 1 }, allows: [] },
  "nothing at all": { claims: {}, allows: [] },
  "empty lists": { claims: { publish: [], subscribe: [] }, allows: [] },
  "to publish": { claims: { publish: ["CHANNEL"] }, allows: ["publish"] },
  "to listen": { claims: { subscribe: ["CHANNEL"] }, allows: ["subscribe"] },
  both: { claims: { publish: ["CHANNEL"], subscribe: ["CHANNEL"] }, allows: ["publish", "subscribe"] },
  "of other channels": { claims: { publish: ["other", "x*"], subscribe: ["other", "x*"] }, allows: [] },
  "for all": { claims: { publish: ["*"], subscribe: ["*"] }, allows: ["publish", "subscribe"] },
};

const PROBLEMS = {
  401: (name) => ({
    kind: name === "none" ? "missing-token" : "invalid-token",
    authenticate: 'Bearer error="invalid_token"',
  }),
  403: () => ({ kind: "forbidden", authenticate: 'Bearer error="insufficient_scope"' }),
};

/** The files of the objects that there have been. The folder is there as soon as workerd is, and has one of its own. */
function objects(hub) {
  return readdirSync(join(hub.stateDir, "channel")).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
}

let channels = 0;

/** Sends a request of the table with a token. Checks its answer, and that no object was touched where it is refused. */
async function check(hub, access, [method, path, whom], name, accept) {
  const id = `c-${channels++}`;
  const forChannel = (text) => text.replaceAll("CHANNEL", id);
  const { claims, allows } = TOKENS[name];
  const headers = { Accept: accept };
  if (claims) Object.assign(headers, bearer(await mint(JSON.parse(forChannel(JSON.stringify(claims))))));
  const body = method === "POST" ? "x" : undefined;
  const before = objects(hub).length;
  const response = await fetch(hub.origin + forChannel(path), { method, headers, body });
  const what = `ACCESS=${access}: ${method} ${path} with token "${name}", Accept ${accept}`;
  const good = method === "OPTIONS" ? 204 : 200;
  const refused = ["none", "bad"].includes(name) ? 401 : 403;
  const status = FREE[access].includes(whom) || allows.includes(whom) ? good : refused;
  assert.equal(response.status, status, what);
  if (status === good) return response.body?.cancel();
  const { kind, authenticate } = PROBLEMS[status](name);
  assert.equal(response.headers.get("www-authenticate"), authenticate, what);
  assert.equal(response.headers.get("access-control-allow-origin"), "*", what);
  const text = await response.text();
  assert.equal(objects(hub).length, before, `${what}: it has made an object`);
  assert.equal(response.headers.get("content-type"), "application/problem+json", what);
  if (method === "HEAD") return assert.equal(text, "", what);
  const problem = JSON.parse(text);
  assert.deepEqual([problem.type, problem.status], [`urn:sse-broadcaster:problem:${kind}`, status], what);
  assert.ok(problem.detail.length > 30, `${what}: ${problem.detail}`);
  assert.match(problem.detail, status === 401 && name !== "none" ? /expired/ : new RegExp(`"${whom}"`), what);
}

for (const ACCESS of Object.keys(FREE)) {
  test(`ACCESS=${ACCESS}: every request with every kind of token`, { timeout: 60_000 }, async () => {
    const settings = { ACCESS, JWT_SECRET: SECRET, LOG_LEVEL: "error" };
    const hub = await startWorkerd(settings, { withConsole: true });
    for (const request of REQUESTS) {
      for (const name of Object.keys(TOKENS)) {
        for (const accept of ["*/*", "text/event-stream"]) await check(hub, ACCESS, request, name, accept);
      }
    }
    assert.ok(objects(hub).length > 0, "what is allowed makes objects");
  });
}

test("what is refused makes no object, and no request brings one into being before its token is seen", async () => {
  const hub = await startClosed({ ACCESS: "", JWT_SECRET: SECRET });
  const stranger = await mint({ publish: ["*"], subscribe: ["*"] }, secretKey("somebody else's secret, of 32 bytes"));
  for (const [method, path] of REQUESTS) {
    for (const place of Object.keys(PLACES)) {
      const { query = "", headers } = PLACES[place](stranger);
      const body = method === "POST" ? "x" : undefined;
      const response = await fetch(hub.origin + path + query, { method, headers, body });
      await response.arrayBuffer();
    }
  }
  assert.deepEqual(objects(hub), []);
  const good = await fetch(`${hub.origin}/channels/a/stats`, { headers: bearer(await mint({ publish: ["a"] })) });
  assert.equal(good.status, 200);
  assert.equal(objects(hub).length, 1);
});

test("patterns are exact, or the beginning of an id", async () => {
  const hub = await startClosed({ JWT_SECRET: SECRET });
  const longest = "x".repeat(128);
  for (const [patterns, allowed, forbidden] of [
    [["foo"], ["foo", "%66oo"], ["fo", "fooo", "Foo", "FOO", "foo.", "f%6F%6F%6F"]],
    [["foo*"], ["foo", "fooo", "foo-bar", "foo%7Ebar"], ["fo", "Foo", "xfoo", "%46oo"]],
    [
      ["a", "b*", "c"],
      ["a", "b", "bb", "c"],
      ["d", "aa", "cb"],
    ],
    [["*"], ["a", "-", "~", longest], []],
    [["a.c"], ["a.c"], ["abc", "a-c"]],
    [["@:~_-."], ["@:~_-.", "%40%3A~_-."], ["@"]],
    [[longest], [longest], [longest.slice(1)]],
    [[`${longest.slice(1)}*`], [longest, longest.slice(1)], [longest.slice(2)]],
    [Array.from({ length: 500 }, (_, n) => `c${n}`), ["c0", "c499"], ["c500", "c"]],
  ]) {
    const ask = async (id, claim, path) => {
      const headers = bearer(await mint({ [claim]: patterns }));
      return (await fetch(`${hub.origin}/channels/${id}${path}`, { method: "HEAD", headers })).status;
    };
    for (const [ids, status] of [
      [allowed, 200],
      [forbidden, 403],
    ]) {
      for (const id of ids) {
        assert.equal(await ask(id, "subscribe", ""), status, `${patterns.slice(0, 9)} subscribe ${id}`);
        assert.equal(await ask(id, "publish", "/stats"), status, `${patterns.slice(0, 9)} publish ${id}`);
      }
    }
  }
});

test("a path or id that cannot be is told before any token is looked at; queries and bodies after it", async () => {
  const hub = await startClosed({ JWT_SECRET: SECRET }, { withConsole: true });
  for (const [token, refused] of [
    [undefined, 401],
    ["nonsense", 401],
    [await mint({ publish: ["*"], exp: now() - 1 }), 401],
    [await mint({}), 403],
  ]) {
    const headers = token ? bearer(token) : {};
    const ask = async (method, path, body, more) =>
      (await fetch(hub.origin + path, { method, body, headers: { ...headers, ...more } })).status;
    assert.equal(await ask("GET", "/nothing"), 404);
    assert.equal(await ask("GET", "/channels/a/nothing"), 404);
    assert.equal(await ask("PUT", "/channels/a"), 405);
    assert.equal(await ask("GET", "/channels/a/broadcast"), 405);
    assert.equal(await ask("DELETE", "/channels/a/stats"), 405);
    for (const [method, path] of [
      ["GET", ""],
      ["POST", "/broadcast"],
      ["DELETE", ""],
      ["GET", "/events"],
    ]) {
      assert.equal(await ask(method, `/channels/a%2Fb${path}`), 400);
    }
    for (const [method, path, body, more] of [
      ["GET", "/channels/a?history=x"],
      ["GET", "/channels/a?catch_up=7"],
      ["GET", "/channels/a/events?limit=0"],
      ["POST", "/channels/a/broadcast?event=hub.x", "x"],
      ["POST", "/channels/a/broadcast", "x".repeat(70_000)],
      ["POST", "/channels/a/broadcast", new Uint8Array([0xff])],
      ["POST", "/channels/a/broadcast", "x", { "Content-Encoding": "gzip" }],
      ["POST", "/channels/a/broadcast", "x", { "Idempotency-Key": "x".repeat(200) }],
    ]) {
      assert.equal(await ask(method, path, body, more), refused, `${method} ${path}`);
    }
  }
});
