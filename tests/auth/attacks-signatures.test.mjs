// Attacks on tokens' signatures: each is refused, and a good token is taken right beside it.
import { KeyObject, createSign } from "node:crypto";
import { attack, claims, header, parts, rsa, signersOf } from "../support/attacks.mjs";
import { ALL, mint, part, sign } from "../support/tokens.mjs";

const SIGNATURE = /its signature is not/;
/** Some of them are seen by their length, or have not the form of a token any more. */
const ANY = /its signature is not|it is no JWT/;

/** A good token, the bytes of its signature changed: in place, or to what `change` returns. */
async function resigned(key, change) {
  const [head, payload, signature] = parts(await mint(ALL, key));
  const bytes = Buffer.from(signature, "base64url");
  return `${head}.${payload}.${Buffer.from(change(bytes) ?? bytes).toString("base64url")}`;
}

attack("a signature that is cut, grown or changed", ANY, async (key) => ({
  "one byte less": resigned(key, (bytes) => bytes.subarray(0, -1)),
  half: resigned(key, (bytes) => bytes.subarray(0, bytes.length / 2)),
  "one byte": resigned(key, (bytes) => bytes.subarray(0, 1)),
  "a byte more": resigned(key, (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])),
  "a byte before": resigned(key, (bytes) => Buffer.concat([Buffer.alloc(1), bytes])),
  twice: resigned(key, (bytes) => Buffer.concat([bytes, bytes])),
  "first bit": resigned(key, (bytes) => void (bytes[0] ^= 0x80)),
  "last bit": resigned(key, (bytes) => void (bytes[bytes.length - 1] ^= 1)),
  reversed: resigned(key, (bytes) => bytes.reverse()),
  zeros: resigned(key, (bytes) => bytes.fill(0)),
  ones: resigned(key, (bytes) => bytes.fill(0xff)),
  "a character less": mint(ALL, key).then((token) => token.slice(0, -1)),
  "its text alone": mint(ALL, key).then((token) => `${parts(token)[0]}.${parts(token)[1]}.signature`),
}));

attack("no signature", ANY, async (key) => {
  const [head, payload] = parts(await mint(ALL, key));
  return { stripped: `${head}.${payload}.`, "with its dot": `${head}.${payload}`, "and no payload": `${head}..` };
});

attack("the signature of another token", SIGNATURE, async (key) => {
  const [head, , signature] = parts(await mint({ subscribe: ["harmless"] }, key));
  return {
    "over a payload for everything": `${head}.${part(claims())}.${signature}`,
    "under another header": `${part(header(key, { typ: "JWT", x: 1 }))}.${part(claims())}.${signature}`,
    "of the payload alone": (async () => {
      const payload = part(claims());
      return `${part(header(key))}.${payload}.${await sign(payload, key)}`;
    })(),
  };
});

const ORDER = Buffer.from("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", "hex");
const zero = Buffer.alloc(32);
const one = Buffer.from(`${"00".repeat(31)}01`, "hex");

attack(
  "signatures that a careless ECDSA takes for any text",
  SIGNATURE,
  (key) => ({
    "r and s are 0": resigned(key, () => Buffer.concat([zero, zero])),
    "r is 0": resigned(key, (bytes) => Buffer.concat([zero, bytes.subarray(32)])),
    "s is 0": resigned(key, (bytes) => Buffer.concat([bytes.subarray(0, 32), zero])),
    "r and s are the order": resigned(key, () => Buffer.concat([ORDER, ORDER])),
    "s is the order": resigned(key, (bytes) => Buffer.concat([bytes.subarray(0, 32), ORDER])),
    "r and s are 1": resigned(key, () => Buffer.concat([one, one])),
    "0 in DER": resigned(key, () => Buffer.from("3006020100020100", "hex")),
    "a good one in DER": (async () => {
      const input = `${part(header(key))}.${part(claims())}`;
      return `${input}.${createSign("sha256").update(input).sign(KeyObject.from(key.key)).toString("base64url")}`;
    })(),
  }),
  { signers: signersOf("ES256") },
);

/** A number of 32 bytes, the lowest first, and the order of Ed25519's group added to it. */
function plusOrder(bytes) {
  const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
  const sum = BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`) + order;
  return Buffer.from(sum.toString(16).padStart(64, "0"), "hex").reverse();
}

attack(
  "signatures that a careless EdDSA takes",
  SIGNATURE,
  (key) => ({
    "s and the order": resigned(key, (bytes) => Buffer.concat([bytes.subarray(0, 32), plusOrder(bytes.subarray(32))])),
    "the neutral point": resigned(key, () => Buffer.concat([Buffer.from(one).reverse(), zero])),
    "r is 0": resigned(key, (bytes) => Buffer.concat([zero, bytes.subarray(32)])),
  }),
  { signers: signersOf("EdDSA") },
);

attack(
  "signatures that a careless RSA takes",
  SIGNATURE,
  (key) => ({
    1: resigned(key, (bytes) => void bytes.fill(0).writeUInt8(1, bytes.length - 1)),
    "the modulus": resigned(key, () => Buffer.from(rsa.jwk.n, "base64url")),
    "the modulus less 1": resigned(key, () => {
      const modulus = Buffer.from(rsa.jwk.n, "base64url");
      modulus[modulus.length - 1] -= 1;
      return modulus;
    }),
  }),
  { signers: signersOf("RS256") },
);
