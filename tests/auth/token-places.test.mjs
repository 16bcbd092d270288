// The places of a request in which the hub finds a token, and which of several tokens it uses.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import http from "node:http";
import { test } from "node:test";
import { promisify } from "node:util";
import { EventSource } from "eventsource";
import { cases } from "../support/cases.mjs";
import {
  basic,
  FULL_ACCESS,
  mint,
  now,
  OTHER_SECRET,
  outcomeOf,
  PLACES,
  SECRET,
  secretKey,
} from "../support/tokens.mjs";
import { startTokenHub } from "../support/workerd.mjs";

const PATH = "/channels/foo";
const INVALID = "401 invalid-token";
const MISSING = "401 missing-token";

/** Sends a request, and returns the outcome. */
async function ask(hub, { path = PATH, method = "GET", query = "", headers = {} }) {
  const body = method === "POST" ? "x" : undefined;
  return outcomeOf(await fetch(hub.origin + path + query, { method, headers, body }));
}

test("the token in the header has precedence over the query, and the query over the cookie, valid or not", async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
  const good = await mint();
  const bad = await mint(FULL_ACCESS, secretKey(OTHER_SECRET));
  const forbidden = await mint({ subscribe: ["bar"], publish: ["bar"] });
  for (const [header, query, cookie, answer] of cases([
    [good, undefined, undefined, 200],
    [undefined, good, undefined, 200],
    [undefined, undefined, good, 200],
    [undefined, undefined, undefined, MISSING],
    [good, bad, bad, 200],
    [good, forbidden, bad, 200],
    [bad, good, good, INVALID],
    [forbidden, good, good, "403 forbidden"],
    [undefined, good, bad, 200],
    [undefined, bad, good, INVALID],
    [undefined, forbidden, good, "403 forbidden"],
    [undefined, "", good, 200],
    [undefined, "", "", MISSING],
    [undefined, "", bad, INVALID],
    [good, "", "", 200],
  ])) {
    const request = { headers: {} };
    if (header !== undefined) request.headers.Authorization = `Bearer ${header}`;
    if (query !== undefined) request.query = `?token=${query}`;
    if (cookie !== undefined) request.headers.Cookie = `sse_broadcaster_token=${cookie}`;
    const names = new Map([
      [good, "good"],
      [bad, "bad"],
      [forbidden, "forbidden"],
      ["", "empty"],
    ]);
    const what = [header, query, cookie].map((token) => names.get(token)).join(", ");
    assert.equal(await ask(hub, request), answer, what);
  }
});

test("a token in a cookie permits subscribing only", async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
  const token = await mint();
  for (const [method, path] of [
    ["POST", `${PATH}/broadcast`],
    ["GET", `${PATH}/stats`],
    ["GET", `${PATH}/events`],
    ["DELETE", PATH],
    ["POST", `${PATH}/end`],
  ]) {
    assert.equal(await ask(hub, { method, path, ...PLACES.cookie(token) }), MISSING, `${method} ${path}`);
    assert.equal(await ask(hub, { method, path, ...PLACES.cookie("nonsense"), ...PLACES.query(token) }), 200);
    assert.equal(await ask(hub, { method, path, ...PLACES.header(token) }), 200);
  }
  const head = await fetch(`${hub.origin}/channels/open`, { method: "HEAD", ...PLACES.cookie(token) });
  assert.equal(head.status, 200);
});

test("the hub finds tokens in different notations of header, query and cookie", async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
  const token = await mint();
  for (const [Authorization, answer] of cases([
    [`Bearer ${token}`, 200],
    [`bearer ${token}`, 200],
    [`BEARER ${token}`, 200],
    [`Bearer\t${token}`, 200],
    [`Bearer  \t ${token}`, 200],
    ["Basic dXNlcjpwYXNz", INVALID],
    [`Basic ${token}`, INVALID],
    ["Basic", INVALID],
    [basic("", token), 200],
    [basic("user", token), 200],
    [basic("é", token), 200],
    [basic("user", token).replace("Basic ", "bASIC \t "), 200],
    [basic(token, ""), INVALID],
    [basic("user", `${token}.x`), INVALID],
    [`${basic("user", token)}=`, INVALID],
    [`${basic("user", token)}, ${basic("user", token)}`, INVALID],
    [`Basic ${"A".repeat(16_388)}`, INVALID],
    [`Bearertoken ${token}`, MISSING],
    [`DPoP ${token}`, MISSING],
    [token, MISSING],
    [`Bearer ${token} ${token}`, INVALID],
    [`Bearer ${token}, Bearer ${token}`, INVALID],
  ])) {
    assert.equal(await ask(hub, { headers: { Authorization } }), answer, Authorization.replaceAll(token, "TOKEN"));
  }
  assert.match(String(await ask(hub, { headers: { Authorization: "Bearer" } })), /^401 /);
  assert.equal(await ask(hub, { headers: { Authorization: "Basic dXNlcjpwYXNz" }, ...PLACES.query(token) }), 200);
  for (const [query, answer] of cases([
    [`?catch_up=1&token=${token}`, 200],
    [`?token=${token}&history=5`, 200],
    [`?%74oken=${token}`, 200],
    [`?token=${token.replaceAll(".", "%2E")}`, 200],
    [`?Token=${token}`, MISSING],
    [`?tokens=${token}`, MISSING],
    [`?token`, MISSING],
    [`?token=${token}&token=${token}`, "400 invalid-query"],
    [`?token=${token}&token=`, "400 invalid-query"],
    [`?token=%20${token}`, INVALID],
    [`?token=${token}+`, INVALID],
  ])) {
    assert.equal(await ask(hub, { query }), answer, query.replaceAll(token, "TOKEN"));
  }
  assert.match(String(await ask(hub, { query: "?token=%ff" })), /^40[01] invalid-/);
  for (const [Cookie, answer] of cases([
    [`sse_broadcaster_token=${token}`, 200],
    [`a=b; sse_broadcaster_token=${token}; c=d`, 200],
    [`a=b;sse_broadcaster_token=${token};c=d`, 200],
    [`a="x=y"; sse_broadcaster_token=${token}`, 200],
    [`Sse_Broadcaster_Token=${token}`, MISSING],
    [`xsse_broadcaster_token=${token}`, MISSING],
    [`sse_broadcaster_tokens=${token}`, MISSING],
    [`a=sse_broadcaster_token=${token}`, MISSING],
    [`sse_broadcaster_token`, MISSING],
    [`sse_broadcaster_token=x${token}`, INVALID],
  ])) {
    assert.equal(await ask(hub, { headers: { Cookie } }), answer, Cookie.replaceAll(token, "TOKEN"));
  }
});

test("the password of Basic is a token for publishing and subscribing, with curl and in a URL of Node", async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
  const token = await mint();
  const { host } = new URL(hub.origin);
  const path = `${host}${PATH}/broadcast`;
  for (const args of [
    ["-u", `webhook:${token}`, `http://${path}`],
    [`http://webhook:${token}@${path}?idempotency_key=a`],
  ]) {
    const { stdout } = await promisify(execFile)("curl", ["-sS", "--fail-with-body", "-d", "x", ...args]);
    assert.equal(JSON.parse(stdout).events, 1);
  }
  const status = await new Promise((resolve, reject) => {
    const url = new URL(`http://webhook:${token}@${path}`);
    http
      .request(url, { method: "POST" }, (response) => resolve(response.resume().statusCode))
      .on("error", reject)
      .end();
  });
  assert.equal(status, 200);
  for (const [method, path] of [
    ["GET", PATH],
    ["HEAD", PATH],
    ["GET", `${PATH}/stats`],
    ["GET", `${PATH}/events`],
    ["DELETE", PATH],
  ]) {
    assert.equal(
      (await fetch(hub.origin + path, { method, ...PLACES.password(token) })).status,
      200,
      `${method} ${path}`,
    );
  }
});

test("a header with the scheme Basic that is for a proxy does not prevent the use of the query or the cookie", async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
  const good = await mint();
  const bad = await mint(FULL_ACCESS, secretKey(OTHER_SECRET));
  const cookies = (/** @type {string[]} */ ...tokens) =>
    tokens.map((token) => `sse_broadcaster_token=${token}`).join("; ");
  for (const Authorization of [basic("user", "pass"), basic("user", bad), "Basic ???"]) {
    assert.equal(await ask(hub, { headers: { Authorization }, query: `?token=${good}` }), 200);
    assert.equal(await ask(hub, { headers: { Authorization }, query: `?token=${bad}` }), INVALID);
    assert.equal(await ask(hub, { headers: { Authorization, Cookie: cookies(good) } }), 200);
    assert.equal(await ask(hub, { headers: { Authorization, Cookie: cookies(bad, bad, good) } }), 200);
    // The hub tries four tokens, so that a request costs at most four signature checks.
    assert.equal(await ask(hub, { headers: { Authorization, Cookie: cookies(bad, bad, bad, good) } }), INVALID);
    const publish = { path: `${PATH}/broadcast`, method: "POST", headers: { Authorization, Cookie: cookies(good) } };
    assert.equal(await ask(hub, publish), INVALID, "a cookie does not permit publishing");
  }
});

test("the answer to a bad header with the scheme Basic says what is wrong, and does not make a browser ask", async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
  const good = await mint();
  for (const [Authorization, detail] of /** @type {[string, RegExp][]} */ ([
    ["Basic", /"user:token" in base64 with padding/],
    [`Basic ${good}`, /"user:token" in base64 with padding/],
    [`Basic ${btoa("no colon")}`, /"user:token" in base64 with padding/],
    [basic("user", "pass"), /it is not a JWT .*with the scheme Basic, the token has to be the password/],
    [basic(good, ""), /it is not a JWT .*with the scheme Basic, the token has to be the password/],
    [basic("user", await mint({ ...FULL_ACCESS, exp: now() - 1 })), /it has expired/],
    [basic("user", await mint(FULL_ACCESS, secretKey(OTHER_SECRET))), /signature is not valid/],
    [`Basic ${"A".repeat(20_000)}`, /longer than 8192 characters/],
  ])) {
    const response = await fetch(`${hub.origin}${PATH}/stats`, { headers: { Authorization } });
    const problem = await response.json();
    assert.deepEqual([response.status, problem.title], [401, "Invalid token"]);
    assert.match(problem.detail, detail);
    assert.ok(!problem.detail.includes(Authorization.slice("Basic ".length) || "no token"));
    assert.equal(response.headers.get("www-authenticate"), 'Bearer error="invalid_token"');
  }
  const missing = await fetch(`${hub.origin}${PATH}/stats`);
  assert.match((await missing.json()).detail, /"Authorization: Bearer …", as the password of "Authorization: Basic …"/);
});

test("a valid cookie counts beside up to three invalid ones of the same name", async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
  const good = await mint();
  const bad = {
    nonsense: "nonsense",
    forged: await mint(FULL_ACCESS, secretKey(OTHER_SECRET)),
    expired: await mint({ ...FULL_ACCESS, exp: now() - 1 }),
    elsewhere: await mint({ subscribe: ["bar"] }),
    publisher: await mint({ publish: ["*"], subscribe: [] }),
  };
  const cookies = (...tokens) => {
    const pairs = tokens.map((token) => `sse_broadcaster_token=${token}`);
    return ask(hub, { headers: { Cookie: pairs.join("; ") } });
  };
  for (const [name, token] of Object.entries(bad)) {
    assert.equal(await cookies(token, good), 200, name);
    assert.equal(await cookies("", token, token, token, good), 200, name);
    assert.equal(await cookies(good, token), 200, name);
  }
  // The hub also tries the next cookie if a valid token does not permit the request.
  assert.equal(await cookies(bad.elsewhere, bad.publisher, good), 200);
  // The refusal is about the first cookie.
  assert.equal(await cookies(bad.elsewhere, bad.forged), "403 forbidden");
  assert.equal(await cookies(bad.forged, bad.elsewhere), INVALID);
  // The hub tries four cookies, so that a header costs at most four signature checks.
  const four = [bad.forged, bad.expired, bad.elsewhere, bad.nonsense];
  assert.equal(await cookies(...four.slice(1), good), 200);
  assert.equal(await cookies(...four, good), INVALID);
  // An invalid token in another place has precedence over a valid cookie.
  const headers = { Cookie: `sse_broadcaster_token=${good}` };
  assert.equal(await ask(hub, { headers, ...PLACES.query(bad.forged) }), INVALID);
});

test("an EventSource with a token in its URL subscribes, and does not reconnect if the token is refused", async (t) => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
  const connect = (token) => {
    const source = new EventSource(`${hub.channel("foo").url}?token=${token}`);
    t.after(() => source.close());
    return new Promise((resolve) => {
      source.onopen = () => resolve("open");
      source.onerror = ({ code }) => resolve([code, source.readyState]);
    });
  };
  assert.equal(await connect(await mint()), "open");
  assert.deepEqual(await connect(await mint({ ...FULL_ACCESS, exp: now() - 1 })), [401, EventSource.CLOSED]);
  assert.deepEqual(await connect(await mint({ subscribe: ["bar"] })), [403, EventSource.CLOSED]);
});

test("a channel's URL in the address bar redirects to the console with the channel and the token", async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET }, { withConsole: true });
  const redirect = async (query) => {
    const headers = { "Sec-Fetch-Dest": "document" };
    const response = await fetch(hub.origin + PATH + query, { headers, redirect: "manual" });
    await response.arrayBuffer();
    assert.equal(response.status, 302);
    const { origin, pathname, hash, searchParams } = new URL(response.headers.get("location"), hub.origin);
    assert.deepEqual([origin, pathname, hash], [hub.origin, "/", ""]);
    return Object.fromEntries(searchParams);
  };
  const token = await mint();
  assert.deepEqual(await redirect(""), { channel: "foo" });
  assert.deepEqual(await redirect(`?token=${token}`), { channel: "foo", token });
  assert.deepEqual(await redirect("?token=nonsense"), { channel: "foo", token: "nonsense" });
  const odd = 'a&b\r\nX: y#c"é%2E+ channel=x';
  assert.deepEqual(await redirect(`?token=${encodeURIComponent(odd)}`), { channel: "foo", token: odd });
});
