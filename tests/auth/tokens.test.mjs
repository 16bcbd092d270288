// Which key verifies a token, and which claims it needs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cases } from "../support/cases.mjs";
import {
  FULL_ACCESS,
  forge,
  jwks,
  makeKey,
  mint,
  now,
  outcomeOf,
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

const INVALID = "401 invalid-token";

/** Subscribes with `token`, and returns the outcome. */
const show = async (hub, token) => outcomeOf(await fetch(hub.origin + PATH, PLACES.header(await token)));

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
