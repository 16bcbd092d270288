// `npm run token`: mints a token, or prints the public half of a key as JWT_KEYS takes it. stdout has that and nothing
// else, so that a shell can take it. The hub never mints: whoever knows the secret or the private key does.
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { fail, installPackages, keepStdout, say } from "./install.mjs";

const HELP = `Prints a token for a hub, or with --jwks the public key that JWT_KEYS needs.

  npm run token -- --publish foo --subscribe 'foo*' --ttl 1h

What it allows, at least one of (each may be given again):
  --publish PATTERN    publish to, read and end these channels
  --subscribe PATTERN  listen to these channels
                       a channel's id, or its beginning and then *; * alone is all channels

  --ttl TIME           how long it is valid: 90s, 30m, 1h or 7d; 1h where it is not given
  --sub NAME           who it is for; shown in the hub's log
  --issuer NAME        default: JWT_ISSUER of the environment
  --audience NAME      default: JWT_AUDIENCE of the environment

It is signed with JWT_SECRET of the environment, or with
  --key FILE           a private key, as PEM (PKCS #8) or JWK: RSA (RS256), EC P-256 (ES256) or Ed25519 (EdDSA)
  --kid NAME           the key's name in JWT_KEYS; default: that of a JWK, else its thumbprint (RFC 7638); '' for none;
                       --kid=-NAME for one that begins so
  --jwks               prints no token, but the public half of --key, under the same name

A key of your own, the hub's setting, and a token:
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem
  export JWT_KEYS=$(npm run -s token -- --key key.pem --jwks)
  TOKEN=$(npm run -s token -- --key key.pem --publish 'foo*')`;

const OPTIONS = {
  publish: { type: "string", multiple: true },
  subscribe: { type: "string", multiple: true },
  ttl: { type: "string" },
  sub: { type: "string" },
  issuer: { type: "string" },
  audience: { type: "string" },
  key: { type: "string" },
  kid: { type: "string" },
  jwks: { type: "boolean" },
  help: { type: "boolean" },
};

/** What a token says, which has no place in a set of keys. */
const CLAIMS = ["publish", "subscribe", "ttl", "sub", "issuer", "audience"];

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 };
const PATTERN = /^(?:[A-Za-z0-9._~:@-]{1,128}|[A-Za-z0-9._~:@-]{0,128}\*)$/;
const MIN_SECRET_BYTES = 32;
const MIN_RSA_BITS = 2_048;
/** As src/ has it: a longer one is refused by every hub. */
const MAX_TOKEN_CHARS = 8_192;

/** Says what is wrong with the options, and ends this process. */
function misused(text) {
  say(`${text} All options: npm run token -- --help`);
  process.exit(2);
}

function readOptions() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch ({ code, message }) {
    const [what] = message.split(/\. |\n/);
    const forgotten = "Options stand after `npm run token --`, and patterns in quotes.";
    return misused(`${what}. ${code === "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL" ? forgotten : ""}`.trim());
  }
}

/** The patterns that `option` gives, if any. */
function patterns(option) {
  for (const pattern of options[option] ?? []) {
    if (PATTERN.test(pattern)) continue;
    const right = "1 to 128 characters of A-Z a-z 0-9 . _ ~ : @ -, with or without a * behind them, or * alone";
    misused(`--${option} is ${JSON.stringify(pattern)}: a pattern is ${right}. For several, give it again.`);
  }
  return options[option];
}

function lifetime(ttl = "1h") {
  const [, count, unit] = ttl.match(/^0*([1-9]\d{0,8})([smhd])$/) ?? [];
  if (count) return Number(count) * SECONDS[unit];
  const right = "a whole number from 1 on and s, m, h or d, as in 90s, 30m, 1h or 7d";
  return misused(`--ttl is ${JSON.stringify(ttl)}: it has to be ${right}.`);
}

/** A claim that is text: what the option says, or else a variable of the environment, where it is set. */
function text(option, variable) {
  if (options[option] === "") misused(`--${option} is empty: leave it away, or say what it is.`);
  return options[option] ?? (variable || undefined);
}

/** What a file holds, as far as it can be a private key: { jwk } or { pem }. */
function keyMaterial(content) {
  if (!content.trimStart().startsWith("{")) return { pem: content };
  let jwk;
  try {
    jwk = JSON.parse(content);
  } catch {
    return refuseKey("is not valid JSON; a JWK is one JSON object");
  }
  if (Array.isArray(jwk.keys)) refuseKey("is a set of keys; take the private key out of it");
  if (jwk.kty === "oct") refuseKey("is a shared secret; set JWT_SECRET to it, decoded, and leave --key away");
  if (jwk.use !== undefined && jwk.use !== "sig")
    refuseKey(`is for use ${jwk.use}; a token is signed with one for sig`);
  if (!["undefined", "string"].includes(typeof jwk.kid))
    refuseKey("has a kid that is no text; every hub would refuse it");
  if (!jwk.d) refuseKey("has no private half (d); a token is signed with the private key");
  return { jwk };
}

function refuseKey(why) {
  return fail(`--key: ${options.key} ${why}`);
}

/** The algorithm that a key is for: it has one only. */
function algorithm({ asymmetricKeyType: type, asymmetricKeyDetails: details }) {
  if (type === "rsa" && details.modulusLength >= MIN_RSA_BITS) return "RS256";
  if (type === "rsa") return refuseKey(`has ${details.modulusLength} bits; an RSA key needs ${MIN_RSA_BITS} or more`);
  if (type === "ec" && details.namedCurve === "prime256v1") return "ES256";
  if (type === "ed25519") return "EdDSA";
  const is = details?.namedCurve ? `${type} ${details.namedCurve}` : type;
  return refuseKey(`is of type ${is}; it has to be RSA, EC P-256 (prime256v1) or Ed25519`);
}

/** The private key of the file that --key names: { key, alg, jwk }. */
function readKey() {
  let content;
  try {
    // npm runs scripts in the project's folder, wherever the one who types is.
    const from = process.env.npm_lifecycle_event === "token" ? process.env.INIT_CWD : undefined;
    content = readFileSync(resolve(from ?? "", options.key), "utf8");
  } catch ({ code }) {
    return fail(`--key: ${options.key} cannot be read (${code}); name a file with a private key`);
  }
  const { jwk, pem } = keyMaterial(content);
  let key;
  try {
    key = createPrivateKey(jwk ? { key: jwk, format: "jwk" } : pem);
  } catch {
    if (pem?.includes("ENCRYPTED")) refuseKey("is encrypted; decrypt it first: openssl pkey -in FILE -out DECRYPTED");
    return refuseKey("holds no private key; it has to be PEM (-----BEGIN PRIVATE KEY-----) or a JWK");
  }
  const alg = algorithm(key);
  if (jwk?.alg !== undefined && jwk.alg !== alg) refuseKey(`says alg ${jwk.alg}; for such a key it has to be ${alg}`);
  return { key, alg, jwk: { ...key.export({ format: "jwk" }), kid: jwk?.kid } };
}

/** JWT_SECRET, as a key. */
function secret() {
  if (options.kid !== undefined) misused("--kid is the name of a key: it goes with --key. JWT_SECRET has no name.");
  const { JWT_SECRET = "" } = process.env;
  const bytes = new TextEncoder().encode(JWT_SECRET);
  const right = `set it to that of the hub, at least ${MIN_SECRET_BYTES} bytes, or give a private key: --key FILE`;
  if (bytes.length === 0) fail(`JWT_SECRET is not set: ${right}`);
  if (bytes.length < MIN_SECRET_BYTES) fail(`JWT_SECRET has ${bytes.length} bytes: ${right}`);
  return { key: bytes, alg: "HS256" };
}

/** The signing key, with its name where it has one. */
async function signer() {
  if (options.key === undefined) return secret();
  const { calculateJwkThumbprint } = await import("jose");
  const { jwk, ...rest } = readKey();
  const kid = options.kid ?? jwk.kid ?? (await calculateJwkThumbprint(jwk));
  return { ...rest, jwk, kid: kid || undefined };
}

async function printKeys() {
  const { jwk, alg, kid } = await signer();
  const { kty, crv, x, y, n, e } = jwk;
  console.log(JSON.stringify({ keys: [{ kty, crv, x, y, n, e, kid, alg, use: "sig" }] }));
}

async function printToken(claims, seconds) {
  const { key, alg, kid } = await signer();
  const { SignJWT } = await import("jose");
  const now = Math.floor(Date.now() / 1_000);
  const token = await new SignJWT({ ...claims, iat: now, exp: now + seconds })
    .setProtectedHeader({ alg, kid, typ: "JWT" })
    .sign(key);
  if (token.length > MAX_TOKEN_CHARS) {
    fail(`the token would have ${token.length} characters, and a hub takes ${MAX_TOKEN_CHARS}; give it fewer patterns`);
  }
  console.log(token);
}

keepStdout();
const options = readOptions();
if (options.help) {
  console.log(HELP);
} else if (options.jwks) {
  if (options.key === undefined) misused("--jwks prints the public half of a private key: give that by --key FILE.");
  const idle = CLAIMS.find((name) => options[name] !== undefined);
  if (idle) misused(`--${idle} says what a token allows, and --jwks prints none: leave one of them away.`);
  installPackages();
  await printKeys();
} else {
  const claims = {
    publish: patterns("publish"),
    subscribe: patterns("subscribe"),
    sub: text("sub"),
    iss: text("issuer", process.env.JWT_ISSUER),
    aud: text("audience", process.env.JWT_AUDIENCE),
  };
  const seconds = lifetime(options.ttl);
  if (!claims.publish && !claims.subscribe) {
    misused("Such a token would allow nothing: give --publish PATTERN, --subscribe PATTERN, or both.");
  }
  installPackages();
  await printToken(claims, seconds);
}
