// Invalid settings of keys: the hub answers every request with 500 that names the setting, and shows no secret.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { bearer, jwks, makeKey, mint, OTHER_SECRET, SECRET } from "../support/tokens.mjs";
import { startTokenHub } from "../support/workerd.mjs";

const ec = await makeKey("ES256", "ec-1");
const ed = await makeKey("EdDSA", "ed-1");
const rsa = await makeKey("RS256", "rsa-1");
const set = (...keys) => JSON.stringify({ keys });
const digest = createHash("sha256").update("a secret that is in no answer").digest("base64url");

const REQUESTS = [
  ["GET", "/"],
  ["GET", "/healthz"],
  ["GET", "/channels/foo"],
  ["OPTIONS", "/channels/foo"],
  ["POST", "/channels/foo/broadcast"],
  ["GET", "/channels/foo/stats"],
  ["GET", "/channels/foo/events"],
  ["DELETE", "/channels/foo"],
  ["GET", "/nothing"],
];

/**
 * Invalid settings: their description, what the detail of the problem has to name, and secrets that it must not show.
 * @type {[description: string, settings: { ACCESS?: string, JWT_SECRET?: string, JWT_KEYS?: string }, named: RegExp,
 *   secrets?: string[]][]}
 */
const INVALID = [
  ["no settings", {}, /JWT_SECRET.*JWT_KEYS|JWT_KEYS.*JWT_SECRET/],
  ["empty settings", { ACCESS: "token", JWT_SECRET: "", JWT_KEYS: "" }, /JWT_SECRET/],
  ["no key for publishers", { ACCESS: "publish-token" }, /JWT_SECRET/],
  ["an unknown ACCESS", { ACCESS: "closed", JWT_SECRET: SECRET }, /ACCESS is "closed".*token.*publish-token.*open/],
  ["an ACCESS in another case", { ACCESS: "Open", JWT_SECRET: SECRET }, /ACCESS is "Open"/],
  ["a short secret", { JWT_SECRET: digest.slice(0, 31) }, /JWT_SECRET.*32/, [digest.slice(0, 31)]],
  ["a short secret beside keys", { JWT_SECRET: "abc-xyz", JWT_KEYS: jwks(ec) }, /JWT_SECRET.*32/, ["abc-xyz"]],
  ["keys that are not JSON", { JWT_KEYS: `${digest}{` }, /JWT_KEYS/, [digest]],
  ["invalid keys beside a secret", { JWT_SECRET: SECRET, JWT_KEYS: "{}" }, /JWT_KEYS/, [SECRET]],
  ["a list instead of a key set", { JWT_KEYS: JSON.stringify([ec.jwk]) }, /JWT_KEYS/],
  ["a key instead of a key set", { JWT_KEYS: JSON.stringify(ec.jwk) }, /JWT_KEYS/],
  ["an empty key set", { JWT_KEYS: set() }, /JWT_KEYS/],
  ["a number as a key", { JWT_KEYS: set(5) }, /JWT_KEYS/],
  ["a shared secret as a key", { JWT_KEYS: set({ kty: "oct", k: digest }) }, /JWT_KEYS/, [digest]],
  ["a key without one of its coordinates", { JWT_KEYS: set({ ...ec.jwk, y: undefined }) }, /JWT_KEYS/],
  ["a point that is not on the curve", { JWT_KEYS: set({ ...ec.jwk, y: ec.jwk.x }) }, /JWT_KEYS/],
  ["a key with invalid base64", { JWT_KEYS: set({ ...ed.jwk, x: "!!!" }) }, /JWT_KEYS/],
  ["a key that is too long", { JWT_KEYS: set({ ...ed.jwk, x: `${ed.jwk.x}AAAA` }) }, /JWT_KEYS/],
  ["another curve", { JWT_KEYS: set({ ...ec.jwk, crv: "P-384" }) }, /JWT_KEYS/],
  ["an unknown curve", { JWT_KEYS: set({ ...ed.jwk, crv: "Ed448" }) }, /JWT_KEYS/],
  ["an unknown key type", { JWT_KEYS: set({ ...ed.jwk, kty: "XYZ" }) }, /JWT_KEYS/],
  ["another algorithm", { JWT_KEYS: set({ ...rsa.jwk, alg: "RS512" }) }, /JWT_KEYS/],
  ["an algorithm for secrets", { JWT_KEYS: set({ ...rsa.jwk, alg: "HS256" }) }, /JWT_KEYS/],
];

// A private key can sign tokens, so the hub refuses it even beside other keys, and never shows it.
for (const { alg, jwk, privateJwk } of [ec, rsa, ed]) {
  const secrets = Object.entries(privateJwk).flatMap(([name, value]) => (name in jwk ? [] : [value]));
  const both = set(...[ec, rsa, ed].map((key) => key.jwk).filter((key) => key !== jwk), { ...jwk, ...privateJwk });
  INVALID.push([`a private key for ${alg}`, { JWT_KEYS: set(privateJwk) }, /JWT_KEYS.*private/, secrets]);
  INVALID.push([`a private key for ${alg} beside others`, { JWT_KEYS: both }, /JWT_KEYS.*private/, secrets]);
}

for (const [what, settings, named, secrets = []] of INVALID) {
  test(`every request is answered with 500 that names the setting, without a secret: ${what}`, async () => {
    const hub = await startTokenHub({ ACCESS: "", ...settings }, { withConsole: true });
    const headers = bearer(await mint());
    for (const [method, path] of REQUESTS) {
      for (const init of [{}, { headers }, { headers: { Accept: "text/event-stream" } }]) {
        const response = await fetch(hub.origin + path, { method, ...init });
        const text = await response.text();
        assert.equal(response.status, 500, `${method} ${path}: ${text}`);
        assert.equal(response.headers.get("content-type"), "application/problem+json");
        const { type, detail } = JSON.parse(text);
        assert.equal(type, "urn:sse-broadcaster:problem:invalid-setting");
        assert.match(detail, named);
        const { JWT_SECRET, JWT_KEYS } = settings;
        for (const secret of [JWT_SECRET, JWT_KEYS, ...secrets].filter(Boolean)) {
          assert.ok(!detail.includes(secret), "the detail shows a secret");
        }
      }
    }
  });
}

test("keys for other purposes are ignored, and keys with the same kid verify nothing", async () => {
  const { jwk: other } = await makeKey("ES256");
  const useless = [
    { ...rsa.jwk, alg: "RSA-OAEP", use: "enc", kid: "enc" },
    { ...rsa.jwk, alg: "RS512", kid: "512" },
    { ...rsa.jwk, use: undefined, key_ops: ["encrypt"], kid: "ops" },
    { kty: "oct", k: digest, kid: "oct" },
    { kty: "EC", crv: "P-521", x: "AA", y: "AA", kid: "p521" },
    { kty: "OKP", crv: "X25519", x: ed.jwk.x, kid: "x25519" },
    { kty: "AKP", alg: "ML-DSA-44", pub: "AA", kid: "akp" },
    { kty: "unheard-of", kid: "new" },
    { ...ec.jwk, x5t: "AA", issued: 5, extra: { a: [1] }, kid: "more" },
  ];
  for (const jwk of useless) {
    const hub = await startTokenHub({ JWT_KEYS: set(jwk, ed.jwk) });
    const response = await fetch(`${hub.origin}/channels/foo/stats`, { headers: bearer(await mint(undefined, ed)) });
    assert.equal(response.status, 200, `beside ${JSON.stringify(jwk).slice(0, 80)}: ${await response.text()}`);
  }
  const twice = set(ec.jwk, { ...other, kid: "ec-1" }, ed.jwk);
  const hub = await startTokenHub({ JWT_KEYS: twice });
  const ask = async (key) => fetch(`${hub.origin}/channels/foo/stats`, { headers: bearer(await mint(undefined, key)) });
  const refused = await ask(ec);
  assert.equal(refused.status, 401);
  assert.match((await refused.json()).detail, /several keys/);
  assert.equal((await ask(ed)).status, 200, "the other keys work");
});

test("a JWT_SECRET of 32 bytes in UTF-8 is long enough, and ACCESS=open needs none", async () => {
  const ask = async (settings, token) => {
    const hub = await startTokenHub(settings);
    return (await fetch(`${hub.origin}/channels/foo/stats`, { headers: token ? bearer(token) : {} })).status;
  };
  for (const JWT_SECRET of [OTHER_SECRET.slice(0, 32), "é".repeat(16)]) {
    const key = { alg: "HS256", key: new TextEncoder().encode(JWT_SECRET) };
    assert.equal(key.key.length, 32);
    assert.equal(await ask({ JWT_SECRET }, await mint(undefined, key)), 200);
  }
  assert.equal(await ask({ ACCESS: "open" }), 200);
});
