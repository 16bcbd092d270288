// Permissions: every request of the API with every kind of token, for each value of ACCESS.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { apiTable } from "../support/sources.mjs";
import { bearer, mint, now, PLACES, SECRET, secretKey } from "../support/tokens.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

/**
 * A request, and the permission that it needs. CHANNEL stands for the channel's id, CHANNEL.2 for another channel's.
 * @typedef {[method: string, path: string, permission: string]} Request
 */

/** @type {Request[]} */
const REQUESTS = [
  ["GET", "/channels/CHANNEL", "subscribe"],
  ["HEAD", "/channels/CHANNEL", "subscribe"],
  ["GET", "/channels/CHANNEL,CHANNEL.2", "subscribe"],
  ["HEAD", "/channels/CHANNEL,CHANNEL.2", "subscribe"],
  ["POST", "/channels/CHANNEL/broadcast", "publish"],
  ["POST", "/channels/CHANNEL,CHANNEL.2/broadcast", "publish"],
  ["POST", "/channels/CHANNEL/end", "publish"],
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
  ["OPTIONS", "/channels/CHANNEL/end", "all"],
  ["OPTIONS", "/channels/CHANNEL/stats", "all"],
  ["OPTIONS", "/channels/CHANNEL/events", "all"],
];

/** The requests that need no token, by the value of ACCESS. */
const WITHOUT_TOKEN = {
  "": ["all"],
  token: ["all"],
  "publish-token": ["all", "subscribe"],
  open: ["all", "subscribe", "publish"],
};

/** The claims of tokens, and the permissions that they give for CHANNEL. "none" stands for a request without a token. */
const TOKENS = {
  none: { allows: [] },
  bad: { claims: { publish: ["*"], subscribe: ["*"], exp: 1 }, allows: [] },
  "nothing at all": { claims: {}, allows: [] },
  "empty lists": { claims: { publish: [], subscribe: [] }, allows: [] },
  "to publish": { claims: { publish: ["CHANNEL", "CHANNEL.2"] }, allows: ["publish"] },
  "to subscribe": { claims: { subscribe: ["CHANNEL", "CHANNEL.2"] }, allows: ["subscribe"] },
  both: {
    claims: { publish: ["CHANNEL", "CHANNEL.2"], subscribe: ["CHANNEL", "CHANNEL.2"] },
    allows: ["publish", "subscribe"],
  },
  "for other channels": { claims: { publish: ["other", "x*"], subscribe: ["other", "x*"] }, allows: [] },
  "for all": { claims: { publish: ["*"], subscribe: ["*"] }, allows: ["publish", "subscribe"] },
};

const PROBLEMS = {
  401: (name) => ({
    kind: name === "none" ? "missing-token" : "invalid-token",
    authenticate: 'Bearer error="invalid_token"',
  }),
  403: () => ({ kind: "forbidden", authenticate: 'Bearer error="insufficient_scope"' }),
};

/** Returns the database files of all objects that the hub has made. */
function objects(hub) {
  return readdirSync(join(hub.stateDir, "channel")).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
}

let channels = 0;

/** Sends a request with a token, and checks the answer. A request that is refused must not make an object. */
async function check(hub, access, [method, path, permission], name, accept) {
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
  const isPermitted = WITHOUT_TOKEN[access].includes(permission) || allows.includes(permission);
  const status = isPermitted ? good : refused;
  assert.equal(response.status, status, what);
  if (isPermitted) return response.body?.cancel();
  const { kind, authenticate } = PROBLEMS[status](name);
  assert.equal(response.headers.get("www-authenticate"), authenticate, what);
  assert.equal(response.headers.get("access-control-allow-origin"), "*", what);
  const text = await response.text();
  assert.equal(objects(hub).length, before, `${what}: the request has made an object`);
  assert.equal(response.headers.get("content-type"), "application/problem+json", what);
  if (method === "HEAD") return assert.equal(text, "", what);
  const problem = JSON.parse(text);
  assert.deepEqual([problem.type, problem.status], [`urn:sse-broadcaster:problem:${kind}`, status], what);
  assert.ok(problem.detail.length > 30, `${what}: ${problem.detail}`);
  assert.match(problem.detail, status === 401 && name !== "none" ? /expired/ : new RegExp(`"${permission}"`), what);
}

for (const ACCESS of Object.keys(WITHOUT_TOKEN)) {
  test(`with ACCESS=${ACCESS} each request succeeds only with the permission that it needs`, {
    timeout: 60_000,
  }, async () => {
    const settings = { ACCESS, JWT_SECRET: SECRET, LOG_LEVEL: "error" };
    const hub = await startWorkerd(settings, { withConsole: true });
    for (const request of REQUESTS) {
      for (const name of Object.keys(TOKENS)) {
        const accepts = request[0] === "GET" ? ["*/*", "text/event-stream"] : ["*/*"];
        for (const accept of accepts) await check(hub, ACCESS, request, name, accept);
      }
    }
    assert.ok(objects(hub).length > 0, "permitted requests have made objects");
  });
}

test("the tests of access cover every path and method of the API", () => {
  const requests = REQUESTS.filter(([, path]) => path !== "/" && !path.includes(","));
  const covered = requests.map(([method, path]) => `${method} ${path}`);
  const table = apiTable().flatMap(({ path, methods }) =>
    [...methods, "OPTIONS"].map((method) => `${method} ${path.replace("{id}", "CHANNEL")}`),
  );
  assert.ok(table.length > 10);
  assert.deepEqual(covered.toSorted(), table.toSorted());
});

test("a request that is refused makes no object", async () => {
  const hub = await startTokenHub({ ACCESS: "", JWT_SECRET: SECRET });
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

test("a pattern matches an id exactly, or as a prefix if it ends in *", async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
  const longest = "x".repeat(128);
  /** @type {[patterns: string[], allowed: string[], forbidden: string[]][]} */
  const cases = [
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
  ];
  for (const [patterns, allowed, forbidden] of cases) {
    const ask = async (id, claim, path) => {
      const headers = bearer(await mint({ [claim]: patterns }));
      return (await fetch(`${hub.origin}/channels/${id}${path}`, { method: "HEAD", headers })).status;
    };
    for (const id of [...allowed, ...forbidden]) {
      const status = allowed.includes(id) ? 200 : 403;
      assert.equal(await ask(id, "subscribe", ""), status, `${patterns.slice(0, 9)} subscribe ${id}`);
      assert.equal(await ask(id, "publish", "/stats"), status, `${patterns.slice(0, 9)} publish ${id}`);
    }
  }
});

test("an invalid path, method or id is reported before the token is checked, and a query or body after that", async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET }, { withConsole: true });
  for (const { token, refused } of [
    { token: undefined, refused: 401 },
    { token: "nonsense", refused: 401 },
    { token: await mint({ publish: ["*"], exp: now() - 1 }), refused: 401 },
    { token: await mint({}), refused: 403 },
  ]) {
    const headers = token ? bearer(token) : {};
    /** @type {(method: string, path: string, body?: BodyInit, more?: Record<string, string>) => Promise<number>} */
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
    /** @type {Parameters<typeof ask>[]} */
    const invalid = [
      ["GET", "/channels/a?history=x"],
      ["GET", "/channels/a?catch_up=7"],
      ["GET", "/channels/a/events?limit=0"],
      ["POST", "/channels/a/broadcast?event=hub.x", "x"],
      ["POST", "/channels/a/broadcast", "x".repeat(70_000)],
      ["POST", "/channels/a/broadcast", new Uint8Array([0xff])],
      ["POST", "/channels/a/broadcast", "x", { "Content-Encoding": "gzip" }],
      ["POST", "/channels/a/broadcast", "x", { "Idempotency-Key": "x".repeat(200) }],
    ];
    for (const request of invalid) assert.equal(await ask(...request), refused, `${request.slice(0, 2)}`);
  }
});
