// Settings of access that nobody can run with: every request is told which one, and nobody is told a secret.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { OTHER_SECRET, SECRET, bearer, jwks, makeKey, mint } from "../support/tokens.mjs";
import { startClosed } from "../support/workerd.mjs";

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

/** [what is wrong, settings, what the detail names, what it may not show]. */
const WRONG = [
  ["nothing is set", {}, /JWT_SECRET.*JWT_KEYS|JWT_KEYS.*JWT_SECRET/],
  ["nothing is set, explicitly", { ACCESS: "token", JWT_SECRET: "", JWT_KEYS: "" }, /JWT_SECRET/],
  ["nothing is set for publishers", { ACCESS: "publish-token" }, /JWT_SECRET/],
  ["no such access", { ACCESS: "closed", JWT_SECRET: SECRET }, /ACCESS is "closed".*token.*publish-token.*open/],
  ["another case", { ACCESS: "Open", JWT_SECRET: SECRET }, /ACCESS is "Open"/],
  ["a short secret", { JWT_SECRET: digest.slice(0, 31) }, /JWT_SECRET.*32/, [digest.slice(0, 31)]],
  ["a short secret beside keys", { JWT_SECRET: "abc-xyz", JWT_KEYS: jwks(ec) }, /JWT_SECRET.*32/, ["abc-xyz"]],
  ["keys that are no JSON", { JWT_KEYS: `${digest}{` }, /JWT_KEYS/, [digest]],
  ["bad keys beside a secret", { JWT_SECRET: SECRET, JWT_KEYS: "{}" }, /JWT_KEYS/, [SECRET]],
  ["a list of keys", { JWT_KEYS: JSON.stringify([ec.jwk]) }, /JWT_KEYS/],
  ["one key", { JWT_KEYS: JSON.stringify(ec.jwk) }, /JWT_KEYS/],
  ["no key", { JWT_KEYS: set() }, /JWT_KEYS/],
  ["keys that are none", { JWT_KEYS: set(5) }, /JWT_KEYS/],
  ["a shared secret", { JWT_KEYS: set({ kty: "oct", k: digest }) }, /JWT_KEYS/, [digest]],
  ["a key that is cut", { JWT_KEYS: set({ ...ec.jwk, y: undefined }) }, /JWT_KEYS/],
  ["a point that is on no curve", { JWT_KEYS: set({ ...ec.jwk, y: ec.jwk.x }) }, /JWT_KEYS/],
  ["a key of bad base64", { JWT_KEYS: set({ ...ed.jwk, x: "!!!" }) }, /JWT_KEYS/],
  ["a key that is too long", { JWT_KEYS: set({ ...ed.jwk, x: `${ed.jwk.x}AAAA` }) }, /JWT_KEYS/],
  ["another curve", { JWT_KEYS: set({ ...ec.jwk, crv: "P-384" }) }, /JWT_KEYS/],
  ["an unknown curve", { JWT_KEYS: set({ ...ed.jwk, crv: "Ed448" }) }, /JWT_KEYS/],
  ["an unknown type", { JWT_KEYS: set({ ...ed.jwk, kty: "XYZ" }) }, /JWT_KEYS/],
  ["another algorithm", { JWT_KEYS: set({ ...rsa.jwk, alg: "RS512" }) }, /JWT_KEYS/],
  ["an algorithm of secrets", { JWT_KEYS: set({ ...rsa.jwk, alg: "HS256" }) }, /JWT_KEYS/],
];

// Whoever has it can sign tokens: it is in the wrong place, and shown to nobody. So is one beside keys that are of use.
for (const { alg, jwk, privateJwk } of [ec, rsa, ed]) {
  const secrets = Object.entries(privateJwk).flatMap(([name, value]) => (name in jwk ? [] : [value]));
  const both = set(...[ec, rsa, ed].map((key) => key.jwk).filter((key) => key !== jwk), { ...jwk, ...privateJwk });
  WRONG.push([`a private key for ${alg}`, { JWT_KEYS: set(privateJwk) }, /JWT_KEYS.*private/, secrets]);
  WRONG.push([`a private key for ${alg} beside others`, { JWT_KEYS: both }, /JWT_KEYS.*private/, secrets]);
}

for (const [what, settings, named, secrets = []] of WRONG) {
  test(`${what}: every request is told so`, async () => {
    const hub = await startClosed({ ACCESS: "", ...settings }, { withConsole: true });
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
          assert.ok(!detail.includes(secret), "it shows the secret");
        }
      }
    }
  });
}

test("keys that are of no use here are passed over, and two of one name are too many", async () => {
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
    const hub = await startClosed({ JWT_KEYS: set(jwk, ed.jwk) });
    const response = await fetch(`${hub.origin}/channels/foo/stats`, { headers: bearer(await mint(undefined, ed)) });
    assert.equal(response.status, 200, `beside ${JSON.stringify(jwk).slice(0, 80)}: ${await response.text()}`);
  }
  const twice = set(ec.jwk, { ...other, kid: "ec-1" }, ed.jwk);
  const hub = await startClosed({ JWT_KEYS: twice });
  const ask = async (key) => fetch(`${hub.origin}/channels/foo/stats`, { headers: bearer(await mint(undefined, key)) });
  const refused = await ask(ec);
  assert.equal(refused.status, 401);
  assert.match((await refused.json()).detail, /several keys/);
  assert.equal((await ask(ed)).status, 200, "the others are as good as ever");
});

test("32 bytes of secret are enough, counted as UTF-8; open needs none", async () => {
  const ask = async (settings, token) => {
    const hub = await startClosed(settings);
    return (await fetch(`${hub.origin}/channels/foo/stats`, { headers: token ? bearer(token) : {} })).status;
  };
  for (const JWT_SECRET of [OTHER_SECRET.slice(0, 32), "é".repeat(16)]) {
    const key = { alg: "HS256", key: new TextEncoder().encode(JWT_SECRET) };
    assert.equal(key.key.length, 32);
    assert.equal(await ask({ JWT_SECRET }, await mint(undefined, key)), 200);
  }
  assert.equal(await ask({ ACCESS: "open" }), 200);
});
