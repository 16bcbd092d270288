// Attacks on the algorithms and keys of tokens.
import assert from "node:assert/strict";
import { constants, createHmac, createSign, KeyObject } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { CompactEncrypt, exportPKCS8, exportSPKI, importJWK } from "jose";
import {
  claims,
  ec,
  ed,
  header,
  keySet,
  mapValues,
  parts,
  rsa,
  SIGNERS,
  signersOf,
  testRefusal,
} from "../support/attacks.mjs";
import { portOf } from "../support/port.mjs";
import { FULL_ACCESS, forge, makeKey, mint, OTHER_SECRET, part, SECRET, secretKey } from "../support/tokens.mjs";

const others = {
  HS256: secretKey(OTHER_SECRET),
  RS256: await makeKey("RS256"),
  ES256: await makeKey("ES256"),
  EdDSA: await makeKey("EdDSA"),
};

// Every detail ends with "signed for this hub", so the word "signature" alone does not show what the hub has checked.
const SIGNATURE = /its signature is not/;
const ALGORITHM = /no key for it|its signature is not/;
const KEY = /no key for it/;
const FORM = /JWT|base64|dots|parts|JSON/;

testRefusal("tokens with the algorithm none in any spelling", ALGORITHM, async (key) => {
  const cases = {};
  for (const alg of ["none", "None", "NONE", "nOnE", "none ", "", "null"]) {
    const head = part(header(key, { alg }));
    const payload = part(claims());
    cases[`${alg}, without a signature`] = `${head}.${payload}.`;
    cases[`${alg}, with a valid signature`] = await forge(header(key, { alg }), claims(), key);
    cases[`${alg}, with the signature of a good token`] =
      `${head}.${payload}.${parts(await mint(FULL_ACCESS, key))[2]}`;
    cases[`${alg}, without kid`] = `${part({ alg })}.${payload}.`;
  }
  return cases;
});

testRefusal("tokens whose alg is unknown or not a string", /algorithm|alg\b|not a JWT/, (key) =>
  mapValues(
    {
      null: null,
      number: 0,
      list: [key.alg],
      object: { alg: key.alg },
      true: true,
      nothing: undefined,
      unknown: "HS257",
      long: "x".repeat(5_000),
    },
    (alg) => forge(header(key, { alg }), claims(), key),
  ),
);

testRefusal("tokens whose alg has another spelling or belongs to another key", ALGORITHM, (key) => {
  const algs = ["HS256", "RS256", "ES256", "EdDSA"].filter((alg) => alg !== key.alg);
  const spelled = [key.alg.toLowerCase(), ` ${key.alg}`, `${key.alg} `, `${key.alg}\0`];
  return Object.fromEntries([...algs, ...spelled].map((alg) => [alg, forge(header(key, { alg }), claims(), key)]));
});

testRefusal(
  "tokens signed with the secret and another HMAC algorithm",
  ALGORITHM,
  ({ key }) =>
    Object.fromEntries(
      [
        ["HS384", "sha384"],
        ["HS512", "sha512"],
      ].map(([alg, hash]) => {
        const input = `${part({ alg })}.${part(claims())}`;
        return [alg, `${input}.${createHmac(hash, key).update(input).digest("base64url")}`];
      }),
    ),
  { signers: signersOf("HS256") },
);

testRefusal(
  "tokens signed with the RSA key and another RSA algorithm",
  ALGORITHM,
  async ({ key, kid }) => {
    const cases = {};
    const { RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING } = constants;
    for (const { alg, hash, padding } of [
      { alg: "RS384", hash: "sha384", padding: RSA_PKCS1_PADDING },
      { alg: "RS512", hash: "sha512", padding: RSA_PKCS1_PADDING },
      { alg: "PS256", hash: "sha256", padding: RSA_PKCS1_PSS_PADDING },
      { alg: "PS512", hash: "sha512", padding: RSA_PKCS1_PSS_PADDING },
    ]) {
      const input = `${part(header({ alg, kid }))}.${part(claims())}`;
      const pem = KeyObject.from(key).export({ type: "pkcs8", format: "pem" });
      const signed = createSign(hash).update(input).sign({ key: pem, padding, saltLength: -1 });
      cases[alg] = `${input}.${signed.toString("base64url")}`;
    }
    return cases;
  },
  { signers: signersOf("RS256") },
);

// A verifier that takes the public key, which everybody has, for the secret of HS256 accepts these tokens.
for (const [name, target] of Object.entries({ RSA: rsa, EC: ec, Ed25519: ed })) {
  const spki = await exportSPKI(target.publicKey);
  const object = KeyObject.from(target.publicKey);
  const { kty, crv, x, y, n, e } = target.jwk;
  const secrets = {
    PEM: spki,
    "PEM with a line end": `${spki.trim()}\n`,
    "PEM without a line end": spki.trim(),
    "PEM with CRLF": spki.replaceAll("\n", "\r\n"),
    DER: object.export({ type: "spki", format: "der" }),
    JWK: JSON.stringify(target.jwk),
    "JWK with its required members only": JSON.stringify({ kty, crv, x, y, n, e }),
    JWKS: keySet,
    "JWKS of one key": JSON.stringify({ keys: [target.jwk] }),
    "text of a member": n ?? x,
    "bytes of a member": Buffer.from(n ?? x, "base64url"),
    kid: target.kid,
    nothing: "",
  };
  if (kty === "RSA") {
    secrets["PKCS #1 PEM"] = object.export({ type: "pkcs1", format: "pem" });
    secrets["PKCS #1 DER"] = object.export({ type: "pkcs1", format: "der" });
    secrets["private PEM"] = await exportPKCS8(target.key);
  }
  testRefusal(
    `tokens of HS256 that are signed with the ${name} public key as the secret`,
    ALGORITHM,
    async () => {
      const cases = {};
      for (const [form, text] of Object.entries(secrets)) {
        const key = { alg: "HS256", key: Buffer.from(text) };
        cases[`${form}, with kid`] = forge({ alg: "HS256", kid: target.kid }, claims(), key);
        cases[`${form}, without kid`] = forge({ alg: "HS256" }, claims(), key);
        cases[`${form}, with alg ${target.alg}`] = forge(header(target), claims(), key);
      }
      return cases;
    },
    { signers: signersOf(target.alg) },
  );
}

testRefusal("tokens signed with another key", SIGNATURE, (key) => {
  const other = { ...others[key.alg], kid: key.kid };
  return { "the same kid, or none": mint(FULL_ACCESS, other) };
});

testRefusal("tokens with an unknown or malicious kid", KEY, (key) => {
  const named = key.kid ?? "rsa-1";
  const kids = {
    unknown: "nobody",
    empty: "",
    "another case": named.toUpperCase(),
    "spaces before": ` ${named}`,
    "spaces after": `${named} `,
    NUL: `${named}\0`,
    "a path": "../../../../../../dev/null",
    "a path that leads to the key": `x/../${named}`,
    "an absolute path": "/etc/passwd",
    "a URL": "https://attacker.example/key.pem",
    SQL: "' OR '1'='1",
    "a UNION in SQL": `x' UNION SELECT '${OTHER_SECRET}';--`,
    "a command": "$(id)|id`id`",
    "a member of every object": "__proto__",
    "another member of every object": "constructor",
    "a pattern": "*",
    long: "x".repeat(3_000),
    unicode: `${named}\u200b\u{1f511}`,
    "the name of the secret": "JWT_SECRET",
    index: "0",
  };
  return mapValues(kids, (kid) => forge(header(key, { kid }), claims(), key));
});

testRefusal("tokens whose kid would lead a path or an SQL query to the attacker's secret", KEY, () =>
  mapValues({ "/dev/null": "../../../../dev/null", SQL: `x' UNION SELECT '${OTHER_SECRET}';--` }, (kid) =>
    forge({ alg: "HS256", kid }, claims(), secretKey(kid.includes("UNION") ? OTHER_SECRET : "")),
  ),
);

testRefusal("tokens whose kid is not a string", /kid|not a JWT/, (key) =>
  mapValues({ number: 1, true: true, list: [key.kid ?? "rsa-1"], object: {}, null: null }, (kid) =>
    forge(header(key, { kid }), claims(), key),
  ),
);

testRefusal("tokens with the kid of a key for another algorithm", KEY, (key) =>
  Object.fromEntries(
    [rsa, ec, ed].filter(({ alg }) => alg !== key.alg).map(({ kid }) => [kid, mint(FULL_ACCESS, { ...key, kid })]),
  ),
);

testRefusal("tokens whose header has crit", /crit|not a JWT/, (key) =>
  mapValues({ exp: ["exp"], b64: ["b64"], unknown: ["x"], empty: [], text: "exp", null: null, object: {} }, (crit) =>
    forge(header(key, { crit, b64: true, x: 1 }), claims(), key),
  ),
);

test("the hub ignores a key, or the URL of a key, in a token's header", { timeout: 60_000 }, async () => {
  let requests = 0;
  const attacker = Object.values(others).filter(({ jwk }) => jwk);
  const server = createServer((_, response) => {
    requests++;
    response.end(JSON.stringify({ keys: attacker.map(({ jwk }) => jwk) }));
  }).listen(0, "127.0.0.1");
  after(() => server.close());
  await once(server, "listening");
  const url = `http://127.0.0.1:${portOf(server)}/keys.json`;
  const publish = (hub, token) =>
    fetch(`${hub.origin}/channels/victim/broadcast?token=${token}`, { method: "POST", body: "x" });
  for (const { hub, key } of SIGNERS) {
    for (const other of attacker) {
      for (const kid of [key.kid, other.kid, undefined]) {
        for (const more of [{ jwk: other.jwk }, { jku: url }, { x5u: url }, { x5c: ["MA=="] }]) {
          const token = await forge(header({ alg: other.alg, kid }, more), claims(), other);
          const response = await publish(hub, token);
          assert.equal(response.status, 401, `${other.alg} ${JSON.stringify(more)}`);
          assert.match((await response.json()).detail, ALGORITHM);
        }
      }
    }
    assert.equal((await publish(hub, await mint(FULL_ACCESS, key))).status, 200);
  }
  assert.equal(requests, 0, "the hub has requested a key");
});

testRefusal("encrypted tokens (JWE)", FORM, () => {
  const { kty, n, e } = rsa.jwk;
  const encrypt = async (header, key) => {
    const plain = new TextEncoder().encode(JSON.stringify(claims()));
    return new CompactEncrypt(plain).setProtectedHeader(header).encrypt(await key);
  };
  return {
    "encrypted for the RSA key": encrypt(
      { alg: "RSA-OAEP", enc: "A256GCM", kid: rsa.kid },
      importJWK({ kty, n, e }, "RSA-OAEP"),
    ),
    "encrypted with the secret": encrypt({ alg: "dir", enc: "A128CBC-HS256" }, Buffer.from(SECRET).subarray(0, 32)),
  };
});
