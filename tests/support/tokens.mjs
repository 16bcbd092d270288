// Tokens. The package jose, which the hub does not use, makes the good ones. The bad ones are made by hand, because no
// library makes them.
import { createHmac } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from "jose";
import { Channel } from "./hub.mjs";

/** A JWT_SECRET, and another one. */
export const SECRET = "correct horse battery staple, and more";
export const OTHER_SECRET = "incorrect horse battery staple, and more";

/** Claims that permit everything. */
export const FULL_ACCESS = { publish: ["*"], subscribe: ["*"] };

/** Returns the time in seconds, as claims have it. */
export const now = () => Math.floor(Date.now() / 1_000);

/**
 * A key that signs tokens.
 * @typedef {object} Key
 * @property {string} alg
 * @property {string} [kid]
 * @property {any} key the secret or the private key
 * @property {any} [publicKey]
 * @property {any} [jwk] the public key as a JWK
 * @property {any} [privateJwk]
 */

/**
 * Returns the key that a JWT_SECRET stands for.
 * @returns {Key}
 */
export function secretKey(secret = SECRET) {
  return { alg: "HS256", key: new TextEncoder().encode(secret) };
}

/**
 * Makes a pair of keys for `alg`. Its `kid` is by default the thumbprint.
 * @param {string} alg
 * @param {string} [kid]
 * @returns {Promise<Key>}
 */
export async function makeKey(alg, kid) {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(publicKey);
  kid ??= await calculateJwkThumbprint(jwk);
  const privateJwk = await exportJWK(privateKey);
  return { alg, kid, key: privateKey, publicKey, jwk: { ...jwk, kid, alg, use: "sig" }, privateJwk };
}

/**
 * Returns the value of JWT_KEYS that has the public keys of `keys`.
 * @param {Pick<Key, "jwk">[]} keys
 */
export function jwks(...keys) {
  return JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
}

/**
 * Returns a key whose tokens have no `kid`.
 * @param {Key} key
 * @returns {Key}
 */
export function withoutKid(key) {
  return { ...key, kid: undefined };
}

/**
 * Returns a token that jose signs. It is valid for an hour unless `claims` have another `exp`.
 * @param {Record<string, any>} claims
 * @param {Key} key
 * @param {object} header members of the header besides `alg` and `kid`
 */
export function mint(claims = FULL_ACCESS, key = secretKey(), header = {}) {
  const { alg, kid } = key;
  return new SignJWT({ exp: now() + 3_600, ...claims }).setProtectedHeader({ alg, kid, ...header }).sign(key.key);
}

/** Returns a part of a token: the base64url of a text, of bytes, or of JSON. */
export function part(value) {
  const plain = typeof value === "string" || value instanceof Uint8Array;
  return Buffer.from(plain ? value : JSON.stringify(value)).toString("base64url");
}

/**
 * Returns the signature of `input` in base64url.
 * @param {string} input
 * @param {Key} key
 */
export async function sign(input, { alg, key }) {
  if (alg === "HS256") return createHmac("sha256", key).update(input).digest("base64url");
  const parameters = { RS256: "RSASSA-PKCS1-v1_5", ES256: { name: "ECDSA", hash: "SHA-256" }, EdDSA: "Ed25519" }[alg];
  return Buffer.from(await crypto.subtle.sign(parameters, key, Buffer.from(input))).toString("base64url");
}

/**
 * Returns a token with a correct signature, and with a header and claims that a library may refuse to sign: objects, or
 * JSON of any kind.
 * @param {any} header
 * @param {any} claims
 * @param {Key} key
 */
export async function forge(header, claims, key = secretKey()) {
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${await sign(input, key)}`;
}

/**
 * Returns the value of the header Authorization with the scheme Basic.
 * @param {string} user
 * @param {string} password
 */
export function basic(user, password) {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

/** @typedef {{ headers?: Record<string, string>, query?: string }} Credentials */

/**
 * The places of a token in a request. A cookie works for subscribing only.
 * @satisfies {Record<string, (token: string) => Credentials>}
 */
export const PLACES = {
  header: (token) => ({ headers: { Authorization: `Bearer ${token}` } }),
  password: (token) => ({ headers: { Authorization: basic("user", token) } }),
  query: (token) => ({ query: `?token=${encodeURIComponent(token)}` }),
  cookie: (token) => ({ headers: { Cookie: `sse_broadcaster_token=${token}` } }),
};

/**
 * Returns the headers of a request with `token` in the header Authorization.
 * @param {string} token
 */
export function bearer(token) {
  return PLACES.header(token).headers;
}

/**
 * Returns the status of a response, and for a failure also the last part of the problem's type: "401 missing-token".
 * @param {Response} response
 */
export async function outcomeOf(response) {
  if (response.status < 400) {
    await response.body?.cancel();
    return response.status;
  }
  const { type } = await response.json();
  return `${response.status} ${type.split(":").at(-1)}`;
}

/**
 * Returns a channel whose requests carry `token`.
 * @param {Channel} channel
 * @param {string} token
 */
export function authorized(channel, token) {
  return new AuthorizedChannel(channel, token);
}

class AuthorizedChannel extends Channel {
  /**
   * @param {Channel} channel
   * @param {string} token
   */
  constructor({ hub, id }, token) {
    super(hub, id);
    this.headers = bearer(token);
  }

  /** @type {Channel["publish"]} */
  publish(body, { headers, ...init } = {}) {
    return super.publish(body, { ...init, headers: { ...this.headers, ...headers } });
  }

  /** @type {Channel["end"]} */
  end(body, { headers, ...init } = {}) {
    return super.end(body, { ...init, headers: { ...this.headers, ...headers } });
  }

  async stats() {
    return (await fetch(`${this.url}/stats`, { headers: this.headers })).json();
  }
}
