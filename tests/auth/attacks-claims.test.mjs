// Tokens with a valid signature and invalid claims. The hub refuses the whole token.
import assert from "node:assert/strict";
import { test } from "node:test";
import { claims, header, mapValues, ONE_OF_EACH, testRefusalOnce } from "../support/attacks.mjs";
import { bearer, FULL_ACCESS, forge, mint, now } from "../support/tokens.mjs";

/** Returns tokens with a valid signature of these payloads: objects of claims, or JSON. */
const signed = (key, payloads) => mapValues(payloads, (payload) => forge(header(key), payload, key));

/** Returns the JSON of good claims, with more JSON before them. */
const withText = (more) => `{${more},${JSON.stringify(claims()).slice(1)}`;

/** Returns the JSON of good claims with `text` as the value of `claim`. */
function withValue(claim, text) {
  const others = JSON.stringify({ ...claims(), [claim]: undefined });
  return `{"${claim}":${text},${others.slice(1)}`;
}

testRefusalOnce("tokens that have expired, also by a millisecond", /expired/, (key) => ({
  "by a second": mint({ ...FULL_ACCESS, exp: now() - 1 }, key),
  "in this second": mint({ ...FULL_ACCESS, exp: now() }, key),
  "by a millisecond": mint({ ...FULL_ACCESS, exp: Date.now() / 1_000 - 0.001 }, key),
  "long ago": mint({ ...FULL_ACCESS, exp: 1 }, key),
  "in 1970": mint({ ...FULL_ACCESS, exp: 0 }, key),
  "before 1970": mint({ ...FULL_ACCESS, exp: -1 }, key),
  "long before 1970": mint({ ...FULL_ACCESS, exp: -1e300 }, key),
}));

testRefusalOnce("tokens before their nbf", /nbf|not valid (before|yet)/, (key) => ({
  "by ten seconds": mint({ ...FULL_ACCESS, nbf: now() + 10 }, key),
  "by an hour": mint({ ...FULL_ACCESS, exp: now() + 7_200, nbf: now() + 3_600 }, key),
  "for ever": mint({ ...FULL_ACCESS, nbf: 1e300 }, key),
}));

testRefusalOnce("tokens without exp", /\bexp\b/, (key) =>
  signed(key, {
    "no time at all": FULL_ACCESS,
    "only iat and nbf": { ...FULL_ACCESS, iat: now(), nbf: now() - 1 },
    "exp in another case": { ...FULL_ACCESS, Exp: now() + 60, EXP: now() + 60 },
    "exp inside another claim": { ...FULL_ACCESS, claims: { exp: now() + 60 } },
    "exp with a space": { ...FULL_ACCESS, "exp ": now() + 60 },
    "no claims": {},
  }),
);

for (const claim of ["exp", "nbf"]) {
  const values = { text: `"${now() + 60}"`, "other text": '"never"', true: "true", null: "null", object: "{}" };
  values.list = `[${now() + 60}]`;
  testRefusalOnce(`tokens whose ${claim} is not a number`, new RegExp(`\\b${claim}\\b`), (key) =>
    signed(
      key,
      mapValues(values, (text) => withValue(claim, text)),
    ),
  );

  const numbers = { "too large to be one": "1e400", Infinity: "Infinity", NaN: "NaN", hexadecimal: "0xffffffff" };
  testRefusalOnce(`tokens whose ${claim} is not a number in JSON`, new RegExp(`\\b${claim}\\b|JSON`), (key) =>
    signed(
      key,
      mapValues(numbers, (text) => withValue(claim, text)),
    ),
  );
}

for (const claim of ["publish", "subscribe"]) {
  testRefusalOnce(`tokens whose ${claim} is not a list of strings`, new RegExp(claim), (key) =>
    signed(
      key,
      Object.fromEntries(
        [
          ["string", "foo"],
          ["string for all channels", "*"],
          ["list in a string", "foo,*"],
          ["empty string", ""],
          ["number", 5],
          ["true", true],
          ["null", null],
          ["object", { 0: "*", length: 1 }],
          ["list of a number", [5]],
          ["list of true", [true]],
          ["list of null", [null]],
          ["list of a list", [["*"]]],
          ["list of an object", [{ pattern: "*" }]],
          ["list of a pattern and a number", ["*", 5]],
        ].map(([name, value]) => [name, claims({ [claim]: value })]),
      ),
    ),
  );

  testRefusalOnce(`tokens with an invalid * in a pattern of ${claim}`, new RegExp(`${claim}|\\*`), (key) =>
    signed(
      key,
      Object.fromEntries(
        ["a*b", "*a", "*a*", "**", "victim**", "vic*tim", "*\n", "*\0", "*\u200b", "victim* "].flatMap((pattern) => [
          [`${JSON.stringify(pattern)} alone`, claims({ [claim]: [pattern] })],
          [`${JSON.stringify(pattern)} and others`, claims({ [claim]: ["*", "victim", pattern] })],
        ]),
      ),
    ),
  );
}

test("a pattern that only resembles a channel id permits nothing", async () => {
  const spaced = ["", " ", "victim ", " victim", "vic tim", "victim\n", "victim\0", "\0victim", "victim\u200b"];
  const spelled = ["Victim", "v\u0456ctim", "%76ictim", "\uff0a", "%2A", "x".repeat(5_000), "~"];
  const clever = ["/channels/victim", "victim/", "victim,x", "victi?", "victi.", "victi_", "victi%", "[a-z]+", ".+"];
  const { hub, key } = ONE_OF_EACH[0];
  const ask = async (patterns) => {
    const headers = bearer(await mint({ publish: patterns, subscribe: patterns }, key));
    const subscribing = await fetch(`${hub.origin}/channels/victim`, { headers });
    await subscribing.body.cancel();
    const published = await fetch(`${hub.origin}/channels/victim/broadcast`, { method: "POST", body: "x", headers });
    return [subscribing.status, published.status];
  };
  for (const pattern of [...spaced, ...spelled, ...clever]) {
    for (const status of await ask([pattern])) assert.ok([401, 403].includes(status), `${pattern}: ${status}`);
  }
  assert.deepEqual(await ask(["victi*"]), [200, 200]);
});

testRefusalOnce("tokens whose sub is not a string", /\bsub\b/, (key) =>
  signed(
    key,
    Object.fromEntries([5, true, null, [], ["alice"], {}].map((sub) => [JSON.stringify(sub), claims({ sub })])),
  ),
);

const DUPLICATES = {
  "exp, the first one expired": () => withText('"exp":1'),
  "exp, the last one expired": () => `${JSON.stringify(claims()).slice(0, -1)},"exp":1}`,
  "exp, both the same": () => withText(`"exp":${claims().exp}`),
  "exp, one with an escape": () => withText('"\\u0065xp":1'),
  nbf: () => withText('"nbf":1,"nbf":2'),
  "nbf, one in the future": () => withText(`"nbf":${now() + 3_600},"nbf":1`),
  "publish, the first one harmless": () => withText('"publish":["harmless"]'),
  "publish, the last one harmless": () => `${JSON.stringify(claims()).slice(0, -1)},"publish":["harmless"]}`,
  "publish, one with an escape": () => withText('"\\u0070ublish":["harmless"]'),
  "publish, an empty one": () => withText('"publish":[]'),
  subscribe: () => withText('"subscribe":["harmless"]'),
  "subscribe, the same": () => withText('"subscribe":["*"]'),
  sub: () => withText('"sub":"alice","sub":"bob"'),
  iss: () => withText('"iss":"a","iss":"b"'),
  aud: () => withText('"aud":"a","aud":["b"]'),
};

testRefusalOnce("tokens that have a claim twice", /twice|duplicate|once/, (key) =>
  signed(
    key,
    mapValues(DUPLICATES, (text) => text()),
  ),
);

testRefusalOnce("tokens whose header has a member twice", /twice|duplicate|once|header|algorithm|none/, (key) => {
  const good = JSON.stringify(header(key));
  const kid = key.kid ?? "rsa-1";
  const texts = {
    "alg, none first": `{"alg":"none",${good.slice(1)}`,
    "alg, none last": `${good.slice(0, -1)},"alg":"none"}`,
    "alg, the same": `{"alg":${JSON.stringify(key.alg)},${good.slice(1)}`,
    "alg, with an escape": `{"\\u0061lg":"none",${good.slice(1)}`,
    kid: `{"kid":"nobody","kid":${JSON.stringify(kid)},"alg":${JSON.stringify(key.alg)}}`,
    "kid, the same": `{"kid":${JSON.stringify(kid)},"kid":${JSON.stringify(kid)},"alg":${JSON.stringify(key.alg)}}`,
    crit: `{"crit":[],"crit":["x"],${good.slice(1)}`,
  };
  return mapValues(texts, (text) => forge(text, claims(), key));
});
