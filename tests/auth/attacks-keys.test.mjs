// Attacks on tokens' algorithms and keys: each is refused, and a good token is taken right beside it.
import assert from "node:assert/strict";
import { KeyObject, constants, createHmac, createSign } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { CompactEncrypt, exportPKCS8, exportSPKI, importJWK } from "jose";
import {
  SIGNERS,
  attack,
  claims,
  ec,
  ed,
  header,
  keySet,
  mapValues,
  parts,
  rsa,
  signersOf,
} from "../support/attacks.mjs";
import { ALL, OTHER_SECRET, SECRET, forge, makeKey, mint, part, secretKey } from "../support/tokens.mjs";

const others = {
  HS256: secretKey(OTHER_SECRET),
  RS256: await makeKey("RS256"),
  ES256: await makeKey("ES256"),
  EdDSA: await makeKey("EdDSA"),
};

// Every detail ends in "signed for this hub": what it says of a signature has more words.
const SIGNATURE = /its signature is not/;
const ALGORITHM = /no key for it|its signature is not/;
const KEY = /no key for it/;
const FORM = /JWT|base64|dots|parts|JSON/;

attack("alg none, in any spelling, with or without a signature", ALGORITHM, async (key) => {
  const cases = {};
  for (const alg of ["none", "None", "NONE", "nOnE", "none ", "", "null"]) {
    const head = part(header(key, { alg }));
    const payload = part(claims());
    cases[`${alg}, without a signature`] = `${head}.${payload}.`;
    cases[`${alg}, signed all the same`] = await forge(header(key, { alg }), claims(), key);
    cases[`${alg}, with the signature of a good one`] = `${head}.${payload}.${parts(await mint(ALL, key))[2]}`;
    cases[`${alg}, no kid`] = `${part({ alg })}.${payload}.`;
  }
  return cases;
});

attack("an algorithm that is none, or no text", /algorithm|alg\b|no JWT/, (key) =>
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

attack("the name of an algorithm in another spelling, or of another key's", ALGORITHM, (key) => {
  const algs = ["HS256", "RS256", "ES256", "EdDSA"].filter((alg) => alg !== key.alg);
  const spelled = [key.alg.toLowerCase(), ` ${key.alg}`, `${key.alg} `, `${key.alg}\0`];
  return Object.fromEntries([...algs, ...spelled].map((alg) => [alg, forge(header(key, { alg }), claims(), key)]));
});

attack(
  "another algorithm of the same secret",
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

attack(
  "another algorithm of the same RSA key",
  ALGORITHM,
  async ({ key, kid }) => {
    const cases = {};
    for (const [alg, hash, padding] of [
      ["RS384", "sha384", constants.RSA_PKCS1_PADDING],
      ["RS512", "sha512", constants.RSA_PKCS1_PADDING],
      ["PS256", "sha256", constants.RSA_PKCS1_PSS_PADDING],
      ["PS512", "sha512", constants.RSA_PKCS1_PSS_PADDING],
    ]) {
      const input = `${part(header({ alg, kid }))}.${part(claims())}`;
      const signed = createSign(hash)
        .update(input)
        .sign({ key: KeyObject.from(key), padding, saltLength: -1 });
      cases[alg] = `${input}.${signed.toString("base64url")}`;
    }
    return cases;
  },
  { signers: signersOf("RS256") },
);

// The oldest of them: a public key, which everybody has, taken for a secret.
for (const [name, target] of Object.entries({ RSA: rsa, EC: ec, Ed25519: ed })) {
  const spki = await exportSPKI(target.publicKey);
  const object = KeyObject.from(target.publicKey);
  const { kty, crv, x, y, n, e } = target.jwk;
  const secrets = {
    PEM: spki,
    "PEM and a line's end": `${spki.trim()}\n`,
    "PEM without one": spki.trim(),
    "PEM with CRLF": spki.replaceAll("\n", "\r\n"),
    DER: object.export({ type: "spki", format: "der" }),
    JWK: JSON.stringify(target.jwk),
    "JWK, its members alone": JSON.stringify({ kty, crv, x, y, n, e }),
    JWKS: keySet,
    "JWKS of one": JSON.stringify({ keys: [target.jwk] }),
    "a member's text": n ?? x,
    "a member's bytes": Buffer.from(n ?? x, "base64url"),
    kid: target.kid,
    nothing: "",
  };
  if (kty === "RSA") {
    secrets["PKCS #1 PEM"] = object.export({ type: "pkcs1", format: "pem" });
    secrets["PKCS #1 DER"] = object.export({ type: "pkcs1", format: "der" });
    secrets["private PEM"] = await exportPKCS8(target.key);
  }
  attack(
    `HS256 signed with the ${name} public key`,
    ALGORITHM,
    async () => {
      const cases = {};
      for (const [form, text] of Object.entries(secrets)) {
        const key = { alg: "HS256", key: Buffer.from(text) };
        cases[`${form}, named`] = forge({ alg: "HS256", kid: target.kid }, claims(), key);
        cases[`${form}, nameless`] = forge({ alg: "HS256" }, claims(), key);
        cases[`${form}, as ${target.alg}`] = forge(header(target), claims(), key);
      }
      return cases;
    },
    { signers: signersOf(target.alg) },
  );
}

attack("another key", SIGNATURE, (key) => {
  const other = { ...others[key.alg], kid: key.kid };
  return { "of the same name, or without one": mint(ALL, other) };
});

attack("a key that is not there, or that a name cannot have", KEY, (key) => {
  const named = key.kid ?? "rsa-1";
  const kids = {
    unknown: "nobody",
    empty: "",
    "another case": named.toUpperCase(),
    "spaces before": ` ${named}`,
    "spaces after": `${named} `,
    NUL: `${named}\0`,
    "a path": "../../../../../../dev/null",
    "a path that comes back": `x/../${named}`,
    "an absolute path": "/etc/passwd",
    "a URL": "https://attacker.example/key.pem",
    SQL: "' OR '1'='1",
    "SQL's union": `x' UNION SELECT '${OTHER_SECRET}';--`,
    "a command": "$(id)|id`id`",
    "a member of objects": "__proto__",
    "another one": "constructor",
    "a pattern": "*",
    long: "x".repeat(3_000),
    unicode: `${named}\u200b\u{1f511}`,
    "a secret's": "JWT_SECRET",
    index: "0",
  };
  return mapValues(kids, (kid) => forge(header(key, { kid }), claims(), key));
});

attack("a name with path or SQL characters, signed with what an attacker would have it find", KEY, () =>
  mapValues({ "/dev/null": "../../../../dev/null", SQL: `x' UNION SELECT '${OTHER_SECRET}';--` }, (kid) =>
    forge({ alg: "HS256", kid }, claims(), secretKey(kid.includes("UNION") ? OTHER_SECRET : "")),
  ),
);

attack("a name of a key that is no text", /kid|no JWT/, (key) =>
  mapValues({ number: 1, true: true, list: [key.kid ?? "rsa-1"], object: {}, null: null }, (kid) =>
    forge(header(key, { kid }), claims(), key),
  ),
);

attack("the name of a key of another algorithm", KEY, (key) =>
  Object.fromEntries(
    [rsa, ec, ed].filter(({ alg }) => alg !== key.alg).map(({ kid }) => [kid, mint(ALL, { ...key, kid })]),
  ),
);

attack("a header with crit", /crit|no JWT/, (key) =>
  mapValues({ exp: ["exp"], b64: ["b64"], unknown: ["x"], empty: [], text: "exp", null: null, object: {} }, (crit) =>
    forge(header(key, { crit, b64: true, x: 1 }), claims(), key),
  ),
);

test("a header that brings its key, or says where it is, is not listened to", { timeout: 60_000 }, async () => {
  let asked = 0;
  const attacker = Object.values(others).filter(({ jwk }) => jwk);
  const server = createServer((request, response) => {
    asked++;
    response.end(JSON.stringify({ keys: attacker.map(({ jwk }) => jwk) }));
  }).listen(0, "127.0.0.1");
  after(() => server.close());
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}/keys.json`;
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
    assert.equal((await publish(hub, await mint(ALL, key))).status, 200);
  }
  assert.equal(asked, 0, "the hub has fetched a key");
});

attack("a JWE", FORM, () => {
  const { kty, n, e } = rsa.jwk;
  const encrypt = async (header, key) => {
    const plain = new TextEncoder().encode(JSON.stringify(claims()));
    return new CompactEncrypt(plain).setProtectedHeader(header).encrypt(await key);
  };
  return {
    "for the RSA key": encrypt({ alg: "RSA-OAEP", enc: "A256GCM", kid: rsa.kid }, importJWK({ kty, n, e }, "RSA-OAEP")),
    "by the secret": encrypt({ alg: "dir", enc: "A128CBC-HS256" }, Buffer.from(SECRET).subarray(0, 32)),
  };
});
