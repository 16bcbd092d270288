// Texts that are not tokens, or are too long for one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { claims, header, SIGNERS, testRefusalOnce } from "../support/attacks.mjs";
import { FULL_ACCESS, forge, mint, PLACES } from "../support/tokens.mjs";

const MAX_CHARS = 8_192;
/** The details that may report these faults. A changed text may also fail the check of its signature. */
const FORM = /JWT|base64|dot|part|JSON|UTF-8|character|header|payload|claims|signature/;

/** Changes the last character of base64url so that only unused bits differ. */
function otherPadding(text) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const changed = text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)) ^ 1];
  assert.deepEqual(Buffer.from(changed, "base64url"), Buffer.from(text, "base64url"));
  return changed;
}

/** Returns a good token with characters that only base64url has, and with a header and payload that could be padded. */
async function tokenWithAllFeatures(key) {
  for (let n = 0; n < 200; n++) {
    const token = await forge(header(key, { typ: "x".repeat(n % 3) }), claims({ pad: "~?>ÿ".repeat(n) }), key);
    const [head, payload] = token.split(".");
    if (/[-_]/.test(token) && head.length % 4 && payload.length % 4) return token;
  }
  throw new Error("no token has all of these features");
}

testRefusalOnce("tokens with invalid base64url", FORM, async (key) => {
  const token = await tokenWithAllFeatures(key);
  const [head, payload, signature] = token.split(".");
  const padded = (text) => text.padEnd(Math.ceil(text.length / 4) * 4, "=");
  return {
    "padded header": `${padded(head)}.${payload}.${signature}`,
    "padded payload": `${head}.${padded(payload)}.${signature}`,
    "padded signature": `${head}.${payload}.${padded(signature)}`,
    "all padded": [head, payload, signature].map(padded).join("."),
    "padded after the end": `${token}====`,
    "the other alphabet": token.replaceAll("-", "+").replaceAll("_", "/"),
    "other unused bits in the header": `${otherPadding(head)}.${payload}.${signature}`,
    "other unused bits in the payload": `${head}.${otherPadding(payload)}.${signature}`,
    "a space in the header": `${head.slice(0, 5)} ${head.slice(5)}.${payload}.${signature}`,
    "a tab in the payload": `${head}.${payload.slice(0, 5)}\t${payload.slice(5)}.${signature}`,
    "a space around a dot": `${head} . ${payload}.${signature}`,
    "a line end": `${head}.${payload}\r\n.${signature}`,
    "NUL at the end": `${token}\0`,
    "one character too many": `${head}.${payload}A.${signature}`,
    "no base64 at all": `${head}.!!!!.${signature}`,
    "no base64 in the header": `????.${payload}.${signature}`,
    "no base64 as signature": `${head}.${payload}.*`,
    quotes: `"${token}"`,
    "percent signs": `${head}%2E${payload}%2E${signature}`,
    "not encoded": `${JSON.stringify(header(key))}.${JSON.stringify(claims())}.${signature}`,
    "a comma": `${token},${token}`,
    "a semicolon": `${head}.${payload}.;${signature}`,
  };
});

testRefusalOnce("a signature with other unused bits", FORM, async (key) => {
  const [head, payload, signature] = (await mint(FULL_ACCESS, key)).split(".");
  return { "the last character": `${head}.${payload}.${otherPadding(signature)}` };
});

testRefusalOnce("tokens with too many or too few parts", FORM, async (key) => {
  const token = await mint(FULL_ACCESS, key);
  const [head, payload, signature] = token.split(".");
  return {
    before: `.${token}`,
    after: `${token}.`,
    "two after": `${token}..`,
    "something after": `${token}.x`,
    "a signature more": `${token}.${signature}`,
    between: `${head}..${payload}.${signature}`,
    "five parts": `${head}.${payload}.${signature}.${payload}.${signature}`,
    "two parts": `${head}.${payload}`,
    "one part": head,
    "dots alone": "..",
    "one dot": ".",
    "a thousand dots": ".".repeat(1_000),
    "no payload": `${head}..${signature}`,
    "no header": `.${payload}.${signature}`,
    "its order": `${payload}.${head}.${signature}`,
    "it twice": `${token}.${token}`,
    "a word": "token",
    "words between dots": "a.b.c",
  };
});

testRefusalOnce("tokens whose header or payload is not a JSON object", FORM, async (key) => {
  const texts = {
    list: "[]",
    text: '"x"',
    number: "5",
    null: "null",
    true: "true",
    nothing: "",
    space: " ",
    "half an object": '{"a":',
    words: "publish",
    "single quotes": "{'a':1}",
    deep: `${"[".repeat(2_500)}${"]".repeat(2_500)}`,
    "deep and open": "[".repeat(5_000),
  };
  const cases = {};
  for (const [name, text] of Object.entries(texts)) {
    cases[`header: ${name}`] = forge(text, claims(), key);
    cases[`payload: ${name}`] = forge(header(key), text, key);
  }
  const good = JSON.stringify(claims());
  for (const [name, payload] of Object.entries({
    "an object, and more": `${good}x`,
    "two objects": `${good}${good}`,
    "a comma at its end": good.replace(/}$/, ",}"),
    "a comment": `${good.slice(0, -1)}/* */}`,
    "NUL after it": `${good}\0`,
    "a byte order mark before it": `\ufeff${good}`,
    "UTF-16": Buffer.from(good, "utf16le"),
    "Latin-1": Buffer.from(good.replace("{", '{"sub":"\u00e9",'), "latin1"),
    "half a surrogate pair": `${good.slice(0, -1)},"sub":"\\ud83d"}`,
    "half a surrogate pair as bytes": Buffer.from(good.replace("{", '{"sub":"\xed\xa0\x80",'), "latin1"),
    "a line end in a string": `${good.slice(0, -1)},"sub":"a\nb"}`,
    "too deep": `${good.slice(0, -1)},"sub":${"[".repeat(2_000)}${"]".repeat(2_000)}}`,
  })) {
    cases[`payload: ${name}`] = forge(header(key), payload, key);
  }
  return cases;
});

testRefusalOnce("tokens with characters that resemble those of base64url", FORM, async (key) => {
  const token = await mint(FULL_ACCESS, key);
  const [head, payload, signature] = token.split(".");
  return {
    "fullwidth dots": `${head}\uff0e${payload}\uff0e${signature}`,
    "other dots": `${head}\u2024${payload}\u2024${signature}`,
    "an ideographic full stop": `${head}\u3002${payload}\u3002${signature}`,
    "a fullwidth letter": `\uff45${token.slice(1)}`,
    "a Cyrillic letter": token.replace("e", "\u0435"),
    "a zero-width space": `${token.slice(0, 9)}\u200b${token.slice(9)}`,
    "a byte order mark": `\ufeff${token}`,
    "a no-break space": `${token}\u00a0`,
    "an emoji": `\u{1f511}${token}`,
    accents: token.replace("e", "\u00e9"),
    "a right-to-left override": `\u202e${token}`,
    "only emojis": "\u{1f511}.\u{1f511}.\u{1f511}",
  };
});

testRefusalOnce("tokens with a text before or after them", FORM, async (key) => {
  const token = await mint(FULL_ACCESS, key);
  return {
    "the scheme twice": `Bearer ${token}`,
    "another word": `token ${token}`,
    "its name": `token=${token}`,
    "two of them": `${token} ${token}`,
    "a character": `x${token}`,
  };
});

/** Returns a token of `length` characters with a valid signature. */
async function ofLength(key, length) {
  for (let typ = 0; typ < 4; typ++) {
    const make = (pad) => forge(header(key, { typ: "x".repeat(typ) }), claims({ pad: "x".repeat(pad) }), key);
    const least = Math.floor(((length - (await make(0)).length) * 3) / 4) - 2;
    for (let pad = least; pad < least + 5; pad++) {
      const token = await make(pad);
      if (token.length === length) return token;
    }
  }
  throw new Error(`no token has ${length} characters`);
}

testRefusalOnce("tokens of more than 8192 characters", /8192/, (key) => ({
  "one character more": ofLength(key, MAX_CHARS + 1),
  "twice as long": ofLength(key, 2 * MAX_CHARS),
}));

testRefusalOnce(
  "tokens of 100 KB",
  /8192/,
  (key) => ({ "valid signature": ofLength(key, 100_000), "one letter": "x".repeat(100_000) }),
  // The server itself may refuse so long a line.
  { statuses: [401, 414, 431] },
);

test("the hub accepts tokens of 8192 characters", async () => {
  for (const { hub, key } of SIGNERS) {
    const token = await ofLength(key, MAX_CHARS);
    for (const place of Object.keys(PLACES)) {
      const { query = "", headers } = PLACES[place](token);
      const response = await fetch(`${hub.origin}/channels/victim${query}`, { headers });
      assert.equal(response.status, 200, `${key.alg} by ${place}`);
      await response.body.cancel();
    }
  }
});
