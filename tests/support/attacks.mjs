// Hubs with every kind of key, and how a token is tried on them: in every place where one may stand, for publishing and
// for listening, and each time a good one beside it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL, PLACES, SECRET, jwks, makeKey, mint, nameless, now, secretKey } from "./tokens.mjs";
import { startClosed } from "./workerd.mjs";

export const secret = secretKey();
export const rsa = await makeKey("RS256", "rsa-1");
export const ec = await makeKey("ES256", "ec-1");
export const ed = await makeKey("EdDSA", "ed-1");

const JWT_KEYS = jwks(rsa, ec, ed);
export const keySet = JWT_KEYS;
const withSecret = await startClosed({ JWT_SECRET: SECRET });
const withKeys = await startClosed({ JWT_KEYS });
const withBoth = await startClosed({ JWT_SECRET: SECRET, JWT_KEYS });

/** Who can sign a good token, and for which hub. Keys may be named by the token, or not. */
export const SIGNERS = [
  { hub: withSecret, key: secret },
  { hub: withKeys, key: rsa },
  { hub: withKeys, key: nameless(ec) },
  { hub: withKeys, key: ed },
  { hub: withBoth, key: secret },
  { hub: withBoth, key: nameless(rsa) },
  { hub: withBoth, key: ec },
  { hub: withBoth, key: nameless(ed) },
];

/** One of each kind of key. */
export const FEW = [SIGNERS[0], SIGNERS[1], SIGNERS[6], SIGNERS[7]];

/** Those of them whose key is for one of `algs`. */
export const signersOf = (...algs) => SIGNERS.filter(({ key }) => algs.includes(key.alg));

const PATH = "/channels/victim";
const ACTIONS = [
  { what: "POST", places: ["header", "query"], path: `${PATH}/broadcast`, init: { method: "POST", body: "x" } },
  { what: "GET", places: ["header", "query", "cookie"], path: PATH, init: {} },
];

async function send(hub, { path, init }, place, token) {
  const { query = "", headers } = PLACES[place](token);
  return fetch(hub.origin + path + query, { ...init, headers });
}

/** Whether a token can stand in a header's line. */
const fitsHeader = (token) => !/[\0\r\n]/.test(token);

/** Nobody reads more, and what a stranger sends is not to be sent back to him at length. */
const MAX_DETAIL_CHARS = 500;

/** Characters as a header has them: one for each byte. */
const asHeader = (token) => Buffer.from(token, "utf8").toString("latin1");

/** What is wrong with a `response` that is to refuse a token and to say why; undefined where nothing is. */
async function failing(response, token, detail, statuses) {
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

/**
 * A test that tokens are refused, with a detail like `detail`. `make(key)` returns an object that has them by what is
 * wrong with them. It is called for every place anew, as what is wrong with some of them passes.
 */
export function attack(name, detail, make, { signers = SIGNERS, statuses = [401] } = {}) {
  test(name, { timeout: 120_000 }, async () => {
    const failures = new Map();
    for (const { hub, key } of signers) {
      for (const action of ACTIONS) {
        for (const place of action.places) {
          const good = await send(hub, action, place, await mint(ALL, key));
          assert.equal(good.status, 200, `a good token of ${key.alg}: ${action.what} by ${place}`);
          await good.body.cancel();
          const cases = Object.entries(await make(key));
          assert.ok(cases.length > 0);
          for (const [which, making] of cases) {
            const token = await making;
            if (place !== "query" && !fitsHeader(token)) continue;
            const response = await send(hub, action, place, place === "query" ? token : asHeader(token));
            const failure = await failing(response, token, detail, statuses);
            // Once for each case, wherever it shows first: with what is wrong in every place, nobody would read it.
            const where = `${key.alg}, ${action.what} by ${place}`;
            if (failure && !failures.has(which)) failures.set(which, `${where}: ${failure}`);
          }
        }
      }
    }
    assert.deepEqual(Object.fromEntries(failures), {});
  });
}

/** The same with one of each kind of key, for tokens with which it is not the key that is wrong. */
export function attackOnFew(name, detail, make, options) {
  attack(name, detail, make, { signers: FEW, ...options });
}

/** The parts of a token. */
export const parts = (token) => token.split(".");

/** An object of the same members, their values changed. */
export const mapValues = (object, change) =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));

/** Claims of a token for everything, for a minute, with `more`. */
export const claims = (more = {}) => ({ ...ALL, exp: now() + 60, ...more });

/** A header as jose would write it for `key`, with `more`. */
export const header = ({ alg, kid }, more = {}) => ({ alg, ...(kid === undefined ? {} : { kid }), ...more });
