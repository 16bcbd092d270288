// Tokens, good and bad. Good ones are made by a library that the hub does not use; bad ones by hand, as no library
// would.
import { createHmac } from "node:crypto";
import { SignJWT, calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";
import { Channel } from "./hub.mjs";

/** A JWT_SECRET, and another one. */
export const SECRET = "correct horse battery staple, and more";
export const OTHER_SECRET = "incorrect horse battery staple, and more";

/** What a token of these tests allows where it matters only that it is valid: everything. */
export const ALL = { publish: ["*"], subscribe: ["*"] };

/** This second, as claims count. */
export const now = () => Math.floor(Date.now() / 1_000);

/** A key that JWT_SECRET is. */
export function secretKey(secret = SECRET) {
  return { alg: "HS256", key: new TextEncoder().encode(secret) };
}

/** A new pair of keys for `alg`, with a name: { alg, kid, key, publicKey, jwk, privateJwk }. */
export async function makeKey(alg, kid) {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(publicKey);
  kid ??= await calculateJwkThumbprint(jwk);
  const privateJwk = await exportJWK(privateKey);
  return { alg, kid, key: privateKey, publicKey, jwk: { ...jwk, kid, alg, use: "sig" }, privateJwk };
}

/** The value of JWT_KEYS that has the public halves of `keys`. */
export function jwks(...keys) {
  return JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
}

/** A key whose token has no `kid`. */
export function nameless(key) {
  return { ...key, kid: undefined };
}

/** A token, by jose, that is valid for a minute unless `claims` say otherwise. `header` is added to the usual one. */
export function mint(claims = ALL, key = secretKey(), header = {}) {
  const { alg, kid } = key;
  return new SignJWT({ exp: now() + 60, ...claims }).setProtectedHeader({ alg, kid, ...header }).sign(key.key);
}

/** A part of a token: text and bytes as they are, anything else as JSON. */
export function part(value) {
  const plain = typeof value === "string" || value instanceof Uint8Array;
  return Buffer.from(plain ? value : JSON.stringify(value)).toString("base64url");
}

/** The signature of `input` by a private key of these tests, in base64url, of whatever `input` is. */
export async function sign(input, { alg, key }) {
  if (alg === "HS256") return createHmac("sha256", key).update(input).digest("base64url");
  const parameters = { RS256: "RSASSA-PKCS1-v1_5", ES256: { name: "ECDSA", hash: "SHA-256" }, EdDSA: "Ed25519" }[alg];
  return Buffer.from(await crypto.subtle.sign(parameters, key, Buffer.from(input))).toString("base64url");
}

/** A token that is signed well, of a header and claims (objects, or JSON of any kind) that no library would sign. */
export async function forge(header, claims, key = secretKey()) {
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${await sign(input, key)}`;
}

/** The places of a token: what a request has there. Cookies are for subscribing only. */
export const PLACES = {
  header: (token) => ({ headers: { Authorization: `Bearer ${token}` } }),
  query: (token) => ({ query: `?token=${encodeURIComponent(token)}` }),
  cookie: (token) => ({ headers: { Cookie: `sse_broadcaster_token=${token}` } }),
};

/** What a request has that shows `token` in the header. */
export function bearer(token) {
  return PLACES.header(token).headers;
}

/** A channel as somebody uses it who has `token`. */
export function authorized(channel, token) {
  return new AuthorizedChannel(channel, token);
}

class AuthorizedChannel extends Channel {
  constructor({ hub, id }, token) {
    super(hub, id);
    this.headers = bearer(token);
  }

  publish(body, { headers, ...init } = {}) {
    return super.publish(body, { ...init, headers: { ...this.headers, ...headers } });
  }

  async stats() {
    return (await fetch(`${this.url}/stats`, { headers: this.headers })).json();
  }
}
