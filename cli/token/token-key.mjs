// Reads the key that signs a token.
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fail } from "../messages.mjs";
import { thumbprint } from "./sign.mjs";

const MIN_SECRET_BYTES = 32;
const MIN_RSA_BITS = 2_048;

/** Returns JWT_SECRET as a signing key. */
export function readSecret() {
  const { JWT_SECRET = "" } = process.env;
  const key = Buffer.from(JWT_SECRET);
  const help = `set it to the hub's secret of at least ${MIN_SECRET_BYTES} bytes, or give a private key: --key FILE`;
  if (key.length === 0) fail(`JWT_SECRET is not set: ${help}`);
  if (key.length < MIN_SECRET_BYTES) fail(`JWT_SECRET has ${key.length} bytes: ${help}`);
  return { key, alg: "HS256", kid: undefined };
}

/**
 * Returns the private key in a file, whose path is relative to `folder`. Its kid is `name`, or the kid of the JWK, or
 * the key's thumbprint. An empty `name` means that the key has no kid.
 */
export function readPrivateKey(folder, file, name) {
  const { key, alg, jwk } = new KeyFile(folder, file).read();
  const kid = name ?? jwk.kid ?? thumbprint(jwk);
  return { key, alg, jwk, kid: kid || undefined };
}

/** The file of a private key. Every problem with it ends this process with a message that names the file. */
class KeyFile {
  constructor(folder, file) {
    this.folder = folder;
    this.file = file;
  }

  /** Returns the key, its algorithm, and the key as a JWK. */
  read() {
    const content = this.#readFile();
    const jwk = content.trimStart().startsWith("{") ? this.#parseJwk(content) : undefined;
    const key = jwk ? this.#importJwk(jwk) : this.#importPem(content);
    const alg = this.#algorithmOf(key);
    if (jwk?.alg !== undefined && jwk.alg !== alg)
      this.#refuse(`says alg ${jwk.alg}; for this key it has to be ${alg}`);
    return { key, alg, jwk: { ...key.export({ format: "jwk" }), kid: jwk?.kid } };
  }

  #readFile() {
    try {
      return readFileSync(resolve(this.folder, this.file), "utf8");
    } catch ({ code }) {
      return this.#refuse(`cannot be read (${code}); name a file with a private key`);
    }
  }

  #parseJwk(content) {
    const jwk = this.#parseJson(content);
    if (Array.isArray(jwk.keys)) this.#refuse("is a set of keys; extract the private key from it");
    if (jwk.kty === "oct") this.#refuse("is a shared secret; decode it, set JWT_SECRET to it, and omit --key");
    if (jwk.use !== undefined && jwk.use !== "sig") this.#refuse(`is for use ${jwk.use}; a token needs a key for sig`);
    if (jwk.kid !== undefined && typeof jwk.kid !== "string") {
      this.#refuse("has a kid that is not a string; every hub would refuse it");
    }
    if (!jwk.d) this.#refuse("has no private half (d); a token is signed with the private key");
    return jwk;
  }

  #parseJson(content) {
    try {
      return JSON.parse(content);
    } catch {
      return this.#refuse("is not valid JSON; a JWK is one JSON object");
    }
  }

  #importJwk(jwk) {
    try {
      return createPrivateKey({ key: jwk, format: "jwk" });
    } catch {
      return this.#refuseContent();
    }
  }

  #importPem(content) {
    try {
      return createPrivateKey(content);
    } catch {
      if (content.includes("ENCRYPTED")) {
        this.#refuse("is encrypted; decrypt it first: openssl pkey -in FILE -out DECRYPTED");
      }
      return this.#refuseContent();
    }
  }

  /**
   * Returns the only algorithm for which the hub accepts a key of this type.
   * @param {import("node:crypto").KeyObject} key
   */
  #algorithmOf({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }) {
    const { modulusLength: bits = 0, namedCurve: curve } = details;
    if (type === "rsa" && bits >= MIN_RSA_BITS) return "RS256";
    if (type === "rsa") return this.#refuse(`has ${bits} bits; an RSA key needs ${MIN_RSA_BITS} or more`);
    if (type === "ec" && curve === "prime256v1") return "ES256";
    if (type === "ed25519") return "EdDSA";
    return this.#refuse(
      `is of type ${curve ? `${type} ${curve}` : type}; it has to be RSA, EC P-256 (prime256v1) or Ed25519`,
    );
  }

  /** @returns {never} */
  #refuseContent() {
    return this.#refuse("contains no private key; it has to be PEM (-----BEGIN PRIVATE KEY-----) or a JWK");
  }

  /** @returns {never} */
  #refuse(reason) {
    return fail(`--key: ${this.file} ${reason}`);
  }
}
