// Which token of a request the hub uses, which key verifies it, and which claims it needs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EventSource } from "eventsource";
import { cases } from "../support/cases.mjs";
import {
  FULL_ACCESS,
  forge,
  jwks,
  makeKey,
  mint,
  now,
  OTHER_SECRET,
  PLACES,
  SECRET,
  secretKey,
  withoutKid,
} from "../support/tokens.mjs";
import { startTokenHub } from "../support/workerd.mjs";

const PATH = "/channels/foo";
const [rsa, otherRsa] = [await makeKey("RS256", "rsa-1"), await makeKey("RS256", "rsa-2")];
const [ec, otherEc] = [await makeKey("ES256", "ec-1"), await makeKey("ES256", "ec-2")];
const [ed, otherEd] = [await makeKey("EdDSA", "ed-1"), await makeKey("EdDSA", "ed-2")];
const secret = secretKey();

/** Sends a request. Returns the status, and of a failure also the last part of the problem's type. */
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

/** Subscribes with `token`, and returns the result of `ask`. */
const show = async (hub, token) => ask(hub, PLACES.header(await token));

const INVALID = "401 invalid-token";
const MISSING = "401 missing-token";

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
  ]) {
    assert.equal(await ask(hub, { method, path, ...PLACES.cookie(token) }), MISSING, `${method} ${path}`);
    assert.equal(await ask(hub, { method, path, ...PLACES.cookie("nonsense"), ...PLACES.query(token) }), 200);
    assert.equal(await ask(hub, { method, path, ...PLACES.header(token) }), 200);
  }
  const head = await fetch(hub.origin + PATH, { method: "HEAD", ...PLACES.cookie(token) });
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
    ["Basic dXNlcjpwYXNz", MISSING],
    [`Basic ${token}`, MISSING],
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
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
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

test("tokens of each algorithm are verified with JWT_SECRET, JWT_KEYS, or both", async () => {
  const secretOnly = await startTokenHub({ JWT_SECRET: SECRET });
  const keysOnly = await startTokenHub({ JWT_KEYS: jwks(rsa, ec, ed) });
  const both = await startTokenHub({ JWT_SECRET: SECRET, JWT_KEYS: jwks(rsa, ec, ed) });
  for (const [key, ...answers] of cases([
    [secret, 200, INVALID, 200],
    [rsa, INVALID, 200, 200],
    [ec, INVALID, 200, 200],
    [ed, INVALID, 200, 200],
    [withoutKid(rsa), INVALID, 200, 200],
    [withoutKid(ec), INVALID, 200, 200],
    [withoutKid(ed), INVALID, 200, 200],
  ])) {
    const found = [];
    for (const hub of [secretOnly, keysOnly, both]) found.push(await show(hub, mint(FULL_ACCESS, key)));
    assert.deepEqual(found, answers, `${key.alg} ${key.kid}`);
  }
});

test("a token is verified with the key of its kid, and without kid only if one key fits", async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET, JWT_KEYS: jwks(rsa, ec, otherEc, ed, otherEd) });
  const as = (kid, key) => ({ ...key, kid });
  for (const [key, answer] of [
    [ec, 200],
    [otherEc, 200],
    [as("ec-1", otherEc), INVALID],
    [as("ec-2", ec), INVALID],
    [withoutKid(ec), INVALID],
    [withoutKid(otherEc), INVALID],
    [ed, 200],
    [as("ed-2", ed), INVALID],
    [withoutKid(otherEd), INVALID],
    [rsa, 200],
    [withoutKid(rsa), 200],
    [as("rsa-1", otherRsa), INVALID],
    [as("ec-1", ed), INVALID],
    [secret, 200],
    [as("anything", secret), INVALID],
    [as("ec-1", secret), INVALID],
  ]) {
    assert.equal(await show(hub, mint(FULL_ACCESS, key)), answer, `${key.alg} ${key.kid}`);
  }
  const { detail } = await (
    await fetch(hub.origin + PATH, PLACES.header(await mint(FULL_ACCESS, withoutKid(ec))))
  ).json();
  assert.match(detail, /kid/, "the detail names the missing member");
});

test("keys in JWT_KEYS may have neither kid nor alg nor use", async () => {
  /** @param {import("../support/tokens.mjs").Key} key */
  const plain = ({ jwk: { kid, alg, use, ...jwk } }) => ({ jwk });
  const hub = await startTokenHub({ JWT_KEYS: jwks(plain(rsa), plain(ec), plain(ed)) });
  for (const key of [rsa, ec, ed]) {
    assert.equal(await show(hub, mint(FULL_ACCESS, withoutKid(key))), 200, key.alg);
    assert.equal(await show(hub, mint(FULL_ACCESS, key)), INVALID, `${key.alg} with kid`);
  }
  const two = await startTokenHub({ JWT_KEYS: jwks(plain(ec), plain(otherEc)) });
  assert.equal(await show(two, mint(FULL_ACCESS, withoutKid(ec))), INVALID);
});

test("iss and aud of a token are checked if JWT_ISSUER and JWT_AUDIENCE are set", async () => {
  const settings = { JWT_SECRET: SECRET, JWT_ISSUER: "https://issuer.example", JWT_AUDIENCE: "hub" };
  const both = await startTokenHub(settings);
  const issuer = await startTokenHub({ ...settings, JWT_AUDIENCE: "" });
  const audience = await startTokenHub({ ...settings, JWT_ISSUER: "" });
  const none = await startTokenHub({ JWT_SECRET: SECRET });
  const iss = "https://issuer.example";
  for (const [claims, ...answers] of cases([
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
  ])) {
    const found = [];
    for (const hub of [both, issuer, audience, none]) found.push(await show(hub, mint({ ...FULL_ACCESS, ...claims })));
    assert.deepEqual(found, answers, JSON.stringify(claims));
  }
  // Each of these claims has the wrong type.
  const issuers = [[iss], 5, null, {}].map((iss) => ({ iss }));
  const odd = [...issuers, { aud: 5 }, { aud: null }, { aud: {} }, { aud: ["hub", 5] }, { aud: [["hub"]] }];
  const accepted = [];
  for (const claims of odd) {
    const token = forge({ alg: "HS256" }, { ...FULL_ACCESS, exp: now() + 60, iss, aud: "hub", ...claims });
    if ((await show(both, token)) !== INVALID) accepted.push(claims);
  }
  assert.deepEqual(accepted, []);
  for (const [claims, name, setting] of cases([
    [{ aud: "hub" }, /\biss\b/],
    [{ iss }, /\baud\b/],
    [{ iss: "somebody else", aud: "hub" }, /\biss\b/, /JWT_ISSUER/],
    [{ iss, aud: "another one" }, /\baud\b/, /JWT_AUDIENCE/],
  ])) {
    const { detail } = await (
      await fetch(both.origin + PATH, PLACES.header(await mint({ ...FULL_ACCESS, ...claims })))
    ).json();
    assert.match(detail, name);
    if (setting) assert.match(detail, setting, "the detail names the setting");
  }
});

test("a token is valid from nbf until exp, whatever its other claims are", async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
  for (const [claims, answer] of cases([
    [{ nbf: now() }, 200],
    [{ nbf: now() - 1, exp: now() + 5 }, 200],
    [{ nbf: 0 }, 200],
    [{ nbf: -1e300 }, 200],
    [{ exp: 1e300 }, 200],
    [{ iat: now() + 3_600, jti: "x", scope: "publish", publish_: ["x"], roles: [1] }, 200],
    [{ deep: JSON.parse(`${"[".repeat(2_000)}${"]".repeat(2_000)}`) }, 200],
  ])) {
    assert.equal(await show(hub, mint({ ...FULL_ACCESS, ...claims })), answer, JSON.stringify(claims).slice(0, 99));
  }
  assert.equal(await show(hub, mint(FULL_ACCESS, secret, { typ: "at+jwt", cty: "x", x: [] })), 200);
});
