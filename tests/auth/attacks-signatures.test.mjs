// Attacks on the signatures of tokens.
import { createSign, KeyObject } from "node:crypto";
import { claims, header, parts, rsa, signersOf, testRefusal } from "../support/attacks.mjs";
import { FULL_ACCESS, mint, part, sign } from "../support/tokens.mjs";

const SIGNATURE = /its signature is not/;
/** The details that may report these faults. The hub reports some of them by the length or form of the token. */
const ANY = /its signature is not|it is not a JWT/;

/** Returns a good token with a changed signature. `change` changes the bytes in place, or returns other bytes. */
async function withSignature(key, change) {
  const [head, payload, signature] = parts(await mint(FULL_ACCESS, key));
  const bytes = Buffer.from(signature, "base64url");
  return `${head}.${payload}.${Buffer.from(change(bytes) ?? bytes).toString("base64url")}`;
}

function flip(bytes, index, mask) {
  bytes[index] ^= mask;
}

testRefusal("tokens with a changed signature", ANY, async (key) => ({
  "one byte less": withSignature(key, (bytes) => bytes.subarray(0, -1)),
  half: withSignature(key, (bytes) => bytes.subarray(0, bytes.length / 2)),
  "one byte": withSignature(key, (bytes) => bytes.subarray(0, 1)),
  "a byte after": withSignature(key, (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])),
  "a byte before": withSignature(key, (bytes) => Buffer.concat([Buffer.alloc(1), bytes])),
  twice: withSignature(key, (bytes) => Buffer.concat([bytes, bytes])),
  "first bit": withSignature(key, (bytes) => flip(bytes, 0, 0x80)),
  "last bit": withSignature(key, (bytes) => flip(bytes, bytes.length - 1, 1)),
  reversed: withSignature(key, (bytes) => bytes.reverse()),
  zeros: withSignature(key, (bytes) => bytes.fill(0)),
  ones: withSignature(key, (bytes) => bytes.fill(0xff)),
  "one character less": mint(FULL_ACCESS, key).then((token) => token.slice(0, -1)),
  "a text": mint(FULL_ACCESS, key).then((token) => `${parts(token)[0]}.${parts(token)[1]}.signature`),
}));

testRefusal("tokens without a signature", ANY, async (key) => {
  const [head, payload] = parts(await mint(FULL_ACCESS, key));
  return { empty: `${head}.${payload}.`, "without its dot": `${head}.${payload}`, "without payload": `${head}..` };
});

testRefusal("tokens with the signature of another token", SIGNATURE, async (key) => {
  const [head, , signature] = parts(await mint({ subscribe: ["harmless"] }, key));
  return {
    "another payload": `${head}.${part(claims())}.${signature}`,
    "another header": `${part(header(key, { typ: "JWT", x: 1 }))}.${part(claims())}.${signature}`,
    "a signature of the payload only": (async () => {
      const payload = part(claims());
      return `${part(header(key))}.${payload}.${await sign(payload, key)}`;
    })(),
  };
});

const ORDER = Buffer.from("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", "hex");
const zero = Buffer.alloc(32);
const one = Buffer.from(`${"00".repeat(31)}01`, "hex");

testRefusal(
  "tokens with signatures that a faulty ECDSA accepts for any text",
  SIGNATURE,
  (key) => ({
    "r and s are 0": withSignature(key, () => Buffer.concat([zero, zero])),
    "r is 0": withSignature(key, (bytes) => Buffer.concat([zero, bytes.subarray(32)])),
    "s is 0": withSignature(key, (bytes) => Buffer.concat([bytes.subarray(0, 32), zero])),
    "r and s are the order": withSignature(key, () => Buffer.concat([ORDER, ORDER])),
    "s is the order": withSignature(key, (bytes) => Buffer.concat([bytes.subarray(0, 32), ORDER])),
    "r and s are 1": withSignature(key, () => Buffer.concat([one, one])),
    "0 in DER": withSignature(key, () => Buffer.from("3006020100020100", "hex")),
    "a good signature in DER": (async () => {
      const input = `${part(header(key))}.${part(claims())}`;
      return `${input}.${createSign("sha256").update(input).sign(KeyObject.from(key.key)).toString("base64url")}`;
    })(),
  }),
  { signers: signersOf("ES256") },
);

/** Adds the order of Ed25519's group to a number of 32 bytes in little-endian order. */
function plusOrder(bytes) {
  const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
  const sum = BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`) + order;
  return Buffer.from(sum.toString(16).padStart(64, "0"), "hex").reverse();
}

testRefusal(
  "tokens with signatures that a faulty EdDSA accepts",
  SIGNATURE,
  (key) => ({
    "s plus the order": withSignature(key, (bytes) =>
      Buffer.concat([bytes.subarray(0, 32), plusOrder(bytes.subarray(32))]),
    ),
    "the neutral point": withSignature(key, () => Buffer.concat([Buffer.from(one).reverse(), zero])),
    "r is 0": withSignature(key, (bytes) => Buffer.concat([zero, bytes.subarray(32)])),
  }),
  { signers: signersOf("EdDSA") },
);

testRefusal(
  "tokens with signatures that a faulty RSA accepts",
  SIGNATURE,
  (key) => ({
    1: withSignature(key, (bytes) => void bytes.fill(0).writeUInt8(1, bytes.length - 1)),
    "the modulus": withSignature(key, () => Buffer.from(rsa.jwk.n, "base64url")),
    "the modulus less 1": withSignature(key, () => {
      const modulus = Buffer.from(rsa.jwk.n, "base64url");
      modulus[modulus.length - 1] -= 1;
      return modulus;
    }),
  }),
  { signers: signersOf("RS256") },
);
