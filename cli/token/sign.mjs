// Signs tokens (JWS compact serialization, RFC 7515) and names keys (RFC 7638) with Node's own cryptography, because
// the package can have no dependencies (see scripts/prepack.mjs). The tests verify the results with the library jose.
import { createHash, createHmac, sign as signWith } from "node:crypto";

/** The members of a public key that its thumbprint covers, in the order of RFC 7638 (for OKP: RFC 8037). */
const REQUIRED_MEMBERS = { RSA: ["e", "kty", "n"], EC: ["crv", "kty", "x", "y"], OKP: ["crv", "kty", "x"] };

/** @typedef {{ key: import("node:crypto").KeyObject | Buffer, alg: string, kid?: string }} SigningKey */

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** How each algorithm signs `data`. @type {Record<string, (data: Buffer, key: any) => Buffer>} */
const SIGNATURES = {
  HS256: (data, key) => createHmac("sha256", key).update(data).digest(),
  RS256: (data, key) => signWith("sha256", data, key),
  ES256: (data, key) => signWith("sha256", data, { key, dsaEncoding: "ieee-p1363" }),
  EdDSA: (data, key) => signWith(null, data, key),
};

/**
 * Returns a token with these claims.
 * @param {object} claims
 * @param {SigningKey} key
 */
export function sign(claims, { key, alg, kid }) {
  const signed = `${encode({ alg, kid, typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${SIGNATURES[alg](Buffer.from(signed), key).toString("base64url")}`;
}

/** Returns the thumbprint of a key. */
export function thumbprint(jwk) {
  const members = REQUIRED_MEMBERS[jwk.kty].map((name) => [name, jwk[name]]);
  return createHash("sha256")
    .update(JSON.stringify(Object.fromEntries(members)))
    .digest("base64url");
}
