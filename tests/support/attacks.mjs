// Tests that the hub refuses tokens. Each test sends the tokens to hubs with every kind of key and in every place of a
// request, and sends a good token beside them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FULL_ACCESS, jwks, makeKey, mint, now, PLACES, SECRET, secretKey, withoutKid } from "./tokens.mjs";
import { startTokenHub } from "./workerd.mjs";

export const secret = secretKey();
export const rsa = await makeKey("RS256", "rsa-1");
export const ec = await makeKey("ES256", "ec-1");
export const ed = await makeKey("EdDSA", "ed-1");

const JWT_KEYS = jwks(rsa, ec, ed);
export const keySet = JWT_KEYS;
const [withSecret, withKeys, withBoth] = await Promise.all([
  startTokenHub({ JWT_SECRET: SECRET }),
  startTokenHub({ JWT_KEYS }),
  startTokenHub({ JWT_SECRET: SECRET, JWT_KEYS }),
]);

/** Keys that sign good tokens, and the hubs that have them. The tokens of some keys have no `kid`. */
export const SIGNERS = [
  { hub: withSecret, key: secret },
  { hub: withKeys, key: rsa },
  { hub: withKeys, key: withoutKid(ec) },
  { hub: withKeys, key: ed },
  { hub: withBoth, key: secret },
  { hub: withBoth, key: withoutKid(rsa) },
  { hub: withBoth, key: ec },
  { hub: withBoth, key: withoutKid(ed) },
];

/** One signer for each kind of key. */
export const ONE_OF_EACH = [SIGNERS[0], SIGNERS[1], SIGNERS[6], SIGNERS[7]];

/** Returns the signers whose key is for one of `algs`. */
export const signersOf = (...algs) => SIGNERS.filter(({ key }) => algs.includes(key.alg));

const PATH = "/channels/victim";
/** A request for each place of a token. */
const REQUESTS = [
  { name: "publish", place: "header", path: `${PATH}/broadcast`, init: { method: "POST", body: "x" } },
  { name: "publish", place: "password", path: `${PATH}/broadcast`, init: { method: "POST", body: "x" } },
  { name: "subscribe", place: "query", path: PATH, init: {} },
  { name: "subscribe", place: "cookie", path: PATH, init: {} },
];

async function send(hub, { place, path, init }, token) {
  const { query = "", headers } = PLACES[place](token);
  return fetch(hub.origin + path + query, { ...init, headers });
}

/** Whether a token can be the value of a header. */
const fitsHeader = (token) => !/[\0\r\n]/.test(token);

/** The hub must not send a long token back in full. */
const MAX_DETAIL_CHARS = 500;

/** Returns UTF-8 as the characters of a header, one for each byte. */
const asHeader = (token) => Buffer.from(token, "utf8").toString("latin1");

/** Returns what is wrong with a `response` that should refuse a token and explain why, or undefined. */
async function findFault(response, token, detail, statuses) {
  if (response.ok) {
    await response.body.cancel();
    return `is answered ${response.status}`;
  }
  const text = await response.text();
  const shown = `${response.status} ${text.slice(0, 300)}`;
  if (!statuses.includes(response.status)) return `is answered ${shown}`;
  if (response.status !== 401) return undefined;
  const type = response.headers.get("content-type");
  const authenticate = response.headers.get("www-authenticate");
  if (type !== "application/problem+json" || authenticate !== 'Bearer error="invalid_token"') {
    return `has the headers ${type} and ${authenticate}`;
  }
  const problem = JSON.parse(text);
  if (problem.type !== "urn:sse-broadcaster:problem:invalid-token" || problem.status !== 401) return `is ${shown}`;
  if (!detail.test(problem.detail)) return `is not explained: ${problem.detail.slice(0, 300)}`;
  if (problem.detail.length > MAX_DETAIL_CHARS) return `is explained in ${problem.detail.length} characters`;
  if (token.length >= 20 && problem.detail.includes(token)) return "shows the token";
  return undefined;
}

/** @typedef {import("./tokens.mjs").Key} Key */
/** @typedef {Record<string, string | Promise<string>>} Tokens */

/**
 * Defines a test that the hub refuses tokens, with a detail that matches `detail`.
 * @param {string} tokens what these tokens are, after "the hub refuses"
 * @param {RegExp} detail
 * @param {(key: Key) => Tokens | Promise<Tokens>} make makes the tokens, by what is wrong with them. It is called for
 *   every place again, because some of the tokens become valid or invalid with time.
 * @param {{ signers?: typeof SIGNERS, statuses?: number[] }} [options]
 */
export function testRefusal(tokens, detail, make, { signers = SIGNERS, statuses = [401] } = {}) {
  test(`the hub refuses ${tokens}`, { timeout: 120_000 }, async () => {
    const failures = new Map();
    for (const { hub, key } of signers) {
      for (const request of REQUESTS) {
        const { place } = request;
        const where = `${key.alg}, ${request.name} with the token in the ${place}`;
        const good = await send(hub, request, await mint(FULL_ACCESS, key));
        assert.equal(good.status, 200, `a good token of ${where}`);
        await good.body.cancel();
        const cases = Object.entries(await make(key));
        assert.ok(cases.length > 0);
        for (const [name, making] of cases) {
          const token = await making;
          if (place !== "query" && !fitsHeader(token)) continue;
          const response = await send(hub, request, place === "query" ? token : asHeader(token));
          const fault = await findFault(response, token, detail, statuses);
          // The report has each case once, to stay short.
          if (fault && !failures.has(name)) failures.set(name, `${where}: ${fault}`);
        }
      }
    }
    assert.deepEqual(Object.fromEntries(failures), {});
  });
}

/**
 * Defines a test like `testRefusal`, with one signer for each kind of key: for faults that do not depend on the key.
 * @type {typeof testRefusal}
 */
export function testRefusalOnce(tokens, detail, make, options) {
  testRefusal(tokens, detail, make, { signers: ONE_OF_EACH, ...options });
}

/**
 * Returns the parts of a token.
 * @param {string} token
 */
export const parts = (token) => token.split(".");

/**
 * Returns an object with the same members and changed values.
 * @template T, U
 * @param {Record<string, T>} object
 * @param {(value: T) => U} change
 * @returns {Record<string, U>}
 */
export const mapValues = (object, change) =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));

/** Returns claims that permit everything for a minute, with `more` claims. */
export const claims = (more = {}) => ({ ...FULL_ACCESS, exp: now() + 60, ...more });

/**
 * Returns the header that the package jose would write for a key, with `more` members.
 * @param {{ alg: string, kid?: string }} key
 */
export const header = ({ alg, kid }, more = {}) => ({ alg, ...(kid === undefined ? {} : { kid }), ...more });
