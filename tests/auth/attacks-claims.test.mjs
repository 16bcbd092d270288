// Tokens that are signed well, and say what no token may say: each is refused as a whole, and a good one is taken right
// beside it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FEW, attackOnFew, claims, header, mapValues } from "../support/attacks.mjs";
import { ALL, bearer, forge, mint, now } from "../support/tokens.mjs";

/** Tokens that are signed well, with `payloads`: an object of claims, or of JSON as it stands. */
const signed = (key, payloads) => mapValues(payloads, (payload) => forge(header(key), payload, key));

/** JSON of good claims, in which `more` stands, too. */
const withText = (more) => `{${more},${JSON.stringify(claims()).slice(1)}`;

/** JSON of good claims, but with `text` as the value of `claim`. */
function withValue(claim, text) {
  const others = JSON.stringify({ ...claims(), [claim]: undefined });
  return `{"${claim}":${text},${others.slice(1)}`;
}

attackOnFew("expired, by a second or just now", /expired/, (key) => ({
  "by a second": mint({ ...ALL, exp: now() - 1 }, key),
  "just now": mint({ ...ALL, exp: now() }, key),
  "by a millisecond": mint({ ...ALL, exp: Date.now() / 1_000 - 0.001 }, key),
  "long ago": mint({ ...ALL, exp: 1 }, key),
  "at the beginning": mint({ ...ALL, exp: 0 }, key),
  "before it": mint({ ...ALL, exp: -1 }, key),
  "before it by far": mint({ ...ALL, exp: -1e300 }, key),
}));

attackOnFew("not valid yet", /nbf|not valid (before|yet)/, (key) => ({
  "for a moment": mint({ ...ALL, nbf: now() + 2 }, key),
  "for an hour": mint({ ...ALL, exp: now() + 7_200, nbf: now() + 3_600 }, key),
  "for ever": mint({ ...ALL, nbf: 1e300 }, key),
}));

attackOnFew("without exp", /\bexp\b/, (key) =>
  signed(key, {
    "without it": ALL,
    "with others": { ...ALL, iat: now(), nbf: now() - 1 },
    "in another case": { ...ALL, Exp: now() + 60, EXP: now() + 60 },
    "somewhere else": { ...ALL, claims: { exp: now() + 60 } },
    "with a space": { ...ALL, "exp ": now() + 60 },
    "with nothing": {},
  }),
);

for (const claim of ["exp", "nbf"]) {
  const values = { text: `"${now() + 60}"`, "other text": '"never"', true: "true", null: "null", object: "{}" };
  values.list = `[${now() + 60}]`;
  attackOnFew(`${claim} that is no number`, new RegExp(`\\b${claim}\\b`), (key) =>
    signed(
      key,
      mapValues(values, (text) => withValue(claim, text)),
    ),
  );

  const numbers = { "too large to be one": "1e400", Infinity: "Infinity", NaN: "NaN", hexadecimal: "0xffffffff" };
  attackOnFew(`${claim} that is no number of JSON`, new RegExp(`\\b${claim}\\b|JSON`), (key) =>
    signed(
      key,
      mapValues(numbers, (text) => withValue(claim, text)),
    ),
  );
}

for (const claim of ["publish", "subscribe"]) {
  attackOnFew(`${claim} that is no list of texts`, new RegExp(claim), (key) =>
    signed(
      key,
      Object.fromEntries(
        [
          ["a text", "foo"],
          ["a text for all", "*"],
          ["texts in one", "foo,*"],
          ["empty", ""],
          ["number", 5],
          ["true", true],
          ["null", null],
          ["object", { 0: "*", length: 1 }],
          ["list of a number", [5]],
          ["list of true", [true]],
          ["list of null", [null]],
          ["list of a list", [["*"]]],
          ["list of an object", [{ pattern: "*" }]],
          ["a good one and a bad one", ["*", 5]],
        ].map(([name, value]) => [name, claims({ [claim]: value })]),
      ),
    ),
  );

  attackOnFew(`${claim} with a * that is not at the end`, new RegExp(`${claim}|\\*`), (key) =>
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

test("what only looks like a pattern permits nothing", async () => {
  const spaced = ["", " ", "victim ", " victim", "vic tim", "victim\n", "victim\0", "\0victim", "victim\u200b"];
  const spelled = ["Victim", "v\u0456ctim", "%76ictim", "\uff0a", "%2A", "x".repeat(5_000), "~"];
  const clever = ["/channels/victim", "victim/", "victim,x", "victi?", "victi.", "victi_", "victi%", "[a-z]+", ".+"];
  const { hub, key } = FEW[0];
  const ask = async (patterns) => {
    const headers = bearer(await mint({ publish: patterns, subscribe: patterns }, key));
    const listening = await fetch(`${hub.origin}/channels/victim`, { headers });
    await listening.body.cancel();
    const published = await fetch(`${hub.origin}/channels/victim/broadcast`, { method: "POST", body: "x", headers });
    return [listening.status, published.status];
  };
  for (const pattern of [...spaced, ...spelled, ...clever]) {
    for (const status of await ask([pattern])) assert.ok([401, 403].includes(status), `${pattern}: ${status}`);
  }
  assert.deepEqual(await ask(["victi*"]), [200, 200]);
});

attackOnFew("sub that is no text", /\bsub\b/, (key) =>
  signed(
    key,
    Object.fromEntries([5, true, null, [], ["alice"], {}].map((sub) => [JSON.stringify(sub), claims({ sub })])),
  ),
);

const DUPLICATES = {
  "exp, the first one over": () => withText('"exp":1'),
  "exp, the last one over": () => `${JSON.stringify(claims()).slice(0, -1)},"exp":1}`,
  "exp, both the same": () => withText(`"exp":${claims().exp}`),
  "exp, one with an escape": () => withText('"\\u0065xp":1'),
  nbf: () => withText('"nbf":1,"nbf":2'),
  "nbf, one ahead": () => withText(`"nbf":${now() + 3_600},"nbf":1`),
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

attackOnFew("claims that stand twice", /twice|duplicate|once/, (key) =>
  signed(
    key,
    mapValues(DUPLICATES, (text) => text()),
  ),
);

attackOnFew("a header whose members stand twice", /twice|duplicate|once|header|algorithm|none/, (key) => {
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
