// Which token of a request counts, which key verifies it, and what else it has to say.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EventSource } from "eventsource";
import {
  ALL,
  OTHER_SECRET,
  PLACES,
  SECRET,
  forge,
  jwks,
  makeKey,
  mint,
  nameless,
  now,
  secretKey,
} from "../support/tokens.mjs";
import { startClosed } from "../support/workerd.mjs";

const PATH = "/channels/foo";
const [rsa, otherRsa] = [await makeKey("RS256", "rsa-1"), await makeKey("RS256", "rsa-2")];
const [ec, otherEc] = [await makeKey("ES256", "ec-1"), await makeKey("ES256", "ec-2")];
const [ed, otherEd] = [await makeKey("EdDSA", "ed-1"), await makeKey("EdDSA", "ed-2")];
const secret = secretKey();

/** What is answered to a request: its status and the last part of the problem's type. */
async function ask(hub, { path = PATH, method = "GET", query = "", headers = {} }) {
  const body = method === "POST" ? "x" : undefined;
  const response = await fetch(hub.origin + path + query, { method, headers, body });
  if (response.status < 400) {
    await response.body?.cancel();
    return response.status;
  }
  const { type } = await response.json();
  return `${response.status} ${type.split(":").at(-1)}`;
}

/** What is answered to a listener that shows `token`. */
const show = async (hub, token) => ask(hub, PLACES.header(await token));

const INVALID = "401 invalid-token";
const MISSING = "401 missing-token";

test("the header wins, then the query, then the cookie, and a bad one is not made good by another", async () => {
  const hub = await startClosed({ JWT_SECRET: SECRET });
  const good = await mint();
  const bad = await mint(ALL, secretKey(OTHER_SECRET));
  const forbidden = await mint({ subscribe: ["bar"], publish: ["bar"] });
  for (const [header, query, cookie, answer] of [
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
  ]) {
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

test("a cookie is for listening only; header and query are for everything", async () => {
  const hub = await startClosed({ JWT_SECRET: SECRET });
  const token = await mint();
  for (const [method, path] of [
    ["POST", `${PATH}/broadcast`],
    ["GET", `${PATH}/stats`],
    ["GET", `${PATH}/events`],
    ["DELETE", PATH],
  ]) {
    assert.equal(await ask(hub, { method, path, ...PLACES.cookie(token) }), MISSING, `${method} ${path}`);
    assert.equal(await ask(hub, { method, path, ...PLACES.cookie("nonsense"), ...PLACES.query(token) }), 200);
    assert.equal(await ask(hub, { method, path, ...PLACES.header(token) }), 200);
  }
  const head = await fetch(hub.origin + PATH, { method: "HEAD", ...PLACES.cookie(token) });
  assert.equal(head.status, 200);
});

test("how a header, a query and a cookie are written", async () => {
  const hub = await startClosed({ JWT_SECRET: SECRET });
  const token = await mint();
  for (const [Authorization, answer] of [
    [`Bearer ${token}`, 200],
    [`bearer ${token}`, 200],
    [`BEARER ${token}`, 200],
    [`Bearer\t${token}`, 200],
    [`Bearer  \t ${token}`, 200],
    ["Basic dXNlcjpwYXNz", MISSING],
    [`Basic ${token}`, MISSING],
    [`Bearertoken ${token}`, MISSING],
    [`DPoP ${token}`, MISSING],
    [token, MISSING],
    [`Bearer ${token} ${token}`, INVALID],
    [`Bearer ${token}, Bearer ${token}`, INVALID],
  ]) {
    assert.equal(await ask(hub, { headers: { Authorization } }), answer, Authorization.replaceAll(token, "TOKEN"));
  }
  assert.match(await ask(hub, { headers: { Authorization: "Bearer" } }), /^401 /);
  assert.equal(await ask(hub, { headers: { Authorization: "Basic dXNlcjpwYXNz" }, ...PLACES.query(token) }), 200);
  for (const [query, answer] of [
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
  ]) {
    assert.equal(await ask(hub, { query }), answer, query.replaceAll(token, "TOKEN"));
  }
  assert.match(await ask(hub, { query: "?token=%ff" }), /^40[01] invalid-/);
  for (const [Cookie, answer] of [
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
  ]) {
    assert.equal(await ask(hub, { headers: { Cookie } }), answer, Cookie.replaceAll(token, "TOKEN"));
  }
});

test("a good cookie counts behind bad ones of the same name, as long as there are few", async () => {
  const hub = await startClosed({ JWT_SECRET: SECRET });
  const good = await mint();
  const bad = {
    nonsense: "nonsense",
    forged: await mint(ALL, secretKey(OTHER_SECRET)),
    expired: await mint({ ...ALL, exp: now() - 1 }),
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
  // One that counts for this request is tried, even where all are valid.
  assert.equal(await cookies(bad.elsewhere, bad.publisher, good), 200);
  // The first is what the refusal is about.
  assert.equal(await cookies(bad.elsewhere, bad.forged), "403 forbidden");
  assert.equal(await cookies(bad.forged, bad.elsewhere), INVALID);
  // Four are tried, so that a header full of them costs no more than four signatures.
  const four = [bad.forged, bad.expired, bad.elsewhere, bad.nonsense];
  assert.equal(await cookies(...four.slice(1), good), 200);
  assert.equal(await cookies(...four, good), INVALID);
  // A bad token in another place is not made good by a cookie.
  const headers = { Cookie: `sse_broadcaster_token=${good}` };
  assert.equal(await ask(hub, { headers, ...PLACES.query(bad.forged) }), INVALID);
});

test("an EventSource with a token in its address listens; with a bad one it is told so, and stays away", async (t) => {
  const hub = await startClosed({ JWT_SECRET: SECRET });
  const connect = (token) => {
    const source = new EventSource(`${hub.channel("foo").url}?token=${token}`);
    t.after(() => source.close());
    return new Promise((resolve) => {
      source.onopen = () => resolve("open");
      source.onerror = ({ code }) => resolve([code, source.readyState]);
    });
  };
  assert.equal(await connect(await mint()), "open");
  assert.deepEqual(await connect(await mint({ ...ALL, exp: now() - 1 })), [401, EventSource.CLOSED]);
  assert.deepEqual(await connect(await mint({ subscribe: ["bar"] })), [403, EventSource.CLOSED]);
});

test("who opens a channel in the address bar comes to the console, which gets the token", async () => {
  const hub = await startClosed({ JWT_SECRET: SECRET });
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

test("each algorithm verifies, by JWT_SECRET, by JWT_KEYS, or by both", async () => {
  const secretOnly = await startClosed({ JWT_SECRET: SECRET });
  const keysOnly = await startClosed({ JWT_KEYS: jwks(rsa, ec, ed) });
  const both = await startClosed({ JWT_SECRET: SECRET, JWT_KEYS: jwks(rsa, ec, ed) });
  for (const [key, ...answers] of [
    [secret, 200, INVALID, 200],
    [rsa, INVALID, 200, 200],
    [ec, INVALID, 200, 200],
    [ed, INVALID, 200, 200],
    [nameless(rsa), INVALID, 200, 200],
    [nameless(ec), INVALID, 200, 200],
    [nameless(ed), INVALID, 200, 200],
  ]) {
    const found = [];
    for (const hub of [secretOnly, keysOnly, both]) found.push(await show(hub, mint(ALL, key)));
    assert.deepEqual(found, answers, `${key.alg} ${key.kid}`);
  }
});

test("only the key with a token's kid verifies it, and without kid there is no guessing", async () => {
  const hub = await startClosed({ JWT_SECRET: SECRET, JWT_KEYS: jwks(rsa, ec, otherEc, ed, otherEd) });
  const as = (kid, key) => ({ ...key, kid });
  for (const [key, answer] of [
    [ec, 200],
    [otherEc, 200],
    [as("ec-1", otherEc), INVALID],
    [as("ec-2", ec), INVALID],
    [nameless(ec), INVALID],
    [nameless(otherEc), INVALID],
    [ed, 200],
    [as("ed-2", ed), INVALID],
    [nameless(otherEd), INVALID],
    [rsa, 200],
    [nameless(rsa), 200],
    [as("rsa-1", otherRsa), INVALID],
    [as("ec-1", ed), INVALID],
    [secret, 200],
    [as("anything", secret), INVALID],
    [as("ec-1", secret), INVALID],
  ]) {
    assert.equal(await show(hub, mint(ALL, key)), answer, `${key.alg} ${key.kid}`);
  }
  const { detail } = await (await fetch(hub.origin + PATH, PLACES.header(await mint(ALL, nameless(ec))))).json();
  assert.match(detail, /kid/, "it says what would tell them apart");
});

test("keys may have no kid, nor say what they are for", async () => {
  const plain = ({ jwk: { kid, alg, use, ...jwk } }) => ({ jwk });
  const hub = await startClosed({ JWT_KEYS: jwks(plain(rsa), plain(ec), plain(ed)) });
  for (const key of [rsa, ec, ed]) {
    assert.equal(await show(hub, mint(ALL, nameless(key))), 200, key.alg);
    assert.equal(await show(hub, mint(ALL, key)), INVALID, `${key.alg} with a name`);
  }
  const two = await startClosed({ JWT_KEYS: jwks(plain(ec), plain(otherEc)) });
  assert.equal(await show(two, mint(ALL, nameless(ec))), INVALID);
});

test("issuer and audience are checked where they are set", async () => {
  const settings = { JWT_SECRET: SECRET, JWT_ISSUER: "https://issuer.example", JWT_AUDIENCE: "hub" };
  const both = await startClosed(settings);
  const issuer = await startClosed({ ...settings, JWT_AUDIENCE: "" });
  const audience = await startClosed({ ...settings, JWT_ISSUER: "" });
  const none = await startClosed({ JWT_SECRET: SECRET });
  const iss = "https://issuer.example";
  for (const [claims, ...answers] of [
    [{ iss, aud: "hub" }, 200, 200, 200, 200],
    [{ iss, aud: ["other", "hub"] }, 200, 200, 200, 200],
    [{ iss, aud: ["hub"] }, 200, 200, 200, 200],
    [{ iss }, INVALID, 200, INVALID, 200],
    [{ aud: "hub" }, INVALID, INVALID, 200, 200],
    [{}, INVALID, INVALID, INVALID, 200],
    [{ iss: `${iss}/`, aud: "hub" }, INVALID, INVALID, 200, 200],
    [{ iss: "HTTPS://issuer.example", aud: "hub" }, INVALID, INVALID, 200, 200],
    [{ iss: "", aud: "" }, INVALID, INVALID, INVALID, 200],
    [{ iss, aud: "Hub" }, INVALID, 200, INVALID, 200],
    [{ iss, aud: [] }, INVALID, 200, INVALID, 200],
    [{ iss, aud: ["other"] }, INVALID, 200, INVALID, 200],
    [{ iss, aud: "hub,other" }, INVALID, 200, INVALID, 200],
  ]) {
    const found = [];
    for (const hub of [both, issuer, audience, none]) found.push(await show(hub, mint({ ...ALL, ...claims })));
    assert.deepEqual(found, answers, JSON.stringify(claims));
  }
  // What is no text, and no list of texts, is neither.
  const issuers = [[iss], 5, null, {}].map((iss) => ({ iss }));
  const odd = [...issuers, { aud: 5 }, { aud: null }, { aud: {} }, { aud: ["hub", 5] }, { aud: [["hub"]] }];
  const taken = [];
  for (const claims of odd) {
    const token = forge({ alg: "HS256" }, { ...ALL, exp: now() + 60, iss, aud: "hub", ...claims });
    if ((await show(both, token)) !== INVALID) taken.push(claims);
  }
  assert.deepEqual(taken, []);
  for (const [claims, name, setting] of [
    [{ aud: "hub" }, /\biss\b/],
    [{ iss }, /\baud\b/],
    [{ iss: "somebody else", aud: "hub" }, /\biss\b/, /JWT_ISSUER/],
    [{ iss, aud: "another one" }, /\baud\b/, /JWT_AUDIENCE/],
  ]) {
    const { detail } = await (await fetch(both.origin + PATH, PLACES.header(await mint({ ...ALL, ...claims })))).json();
    assert.match(detail, name);
    if (setting) assert.match(detail, setting, "where it stands what would be right");
  }
});

test("times: valid from nbf on, until the second before exp; other claims do not matter", async () => {
  const hub = await startClosed({ JWT_SECRET: SECRET });
  for (const [claims, answer] of [
    [{ nbf: now() }, 200],
    [{ nbf: now() - 1, exp: now() + 5 }, 200],
    [{ nbf: 0 }, 200],
    [{ nbf: -1e300 }, 200],
    [{ exp: 1e300 }, 200],
    [{ iat: now() + 3_600, jti: "x", scope: "publish", publish_: ["x"], roles: [1] }, 200],
    [{ deep: JSON.parse(`${"[".repeat(2_000)}${"]".repeat(2_000)}`) }, 200],
  ]) {
    assert.equal(await show(hub, mint({ ...ALL, ...claims })), answer, JSON.stringify(claims).slice(0, 99));
  }
  assert.equal(await show(hub, mint(ALL, secret, { typ: "at+jwt", cty: "x", x: [] })), 200);
});
