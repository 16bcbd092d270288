// Prints a signed token, or the public half of a key in the format of JWT_KEYS. stdout contains only the result, so
// that a shell can assign it to a variable. The hub itself never creates tokens.
import { fail, keepStdout, refuse as refuseOptions } from "../messages.mjs";
import { readOptions } from "../options.mjs";
import { sign } from "./sign.mjs";
import { readPrivateKey, readSecret } from "./token-key.mjs";

/** The help. `command` is the command in the examples. */
const help = (command) => `Prints a token for a hub, or with --jwks the public key for JWT_KEYS.

  ${command} --publish foo --subscribe 'foo*' --ttl 1h

What the token allows (give at least one; each may be given several times):
  --publish PATTERN    publish to, read and end these channels
  --subscribe PATTERN  subscribe to these channels
                       A pattern is a channel's id, or the beginning of ids followed by *; * alone is all channels.

What the token contains:
  --ttl TIME           how long it is valid: 90s, 30m, 1h or 7d; default: 1h
  --sub NAME           the subject; the hub's log shows it
  --issuer NAME        default: the environment variable JWT_ISSUER
  --audience NAME      default: the environment variable JWT_AUDIENCE

The token is signed with the environment variable JWT_SECRET, or with a key:
  --key FILE           a private key as PEM (PKCS #8) or JWK: RSA (RS256), EC P-256 (ES256) or Ed25519 (EdDSA)
  --kid NAME           the key's name in JWT_KEYS; default: the kid of a JWK, or the thumbprint (RFC 7638); '' for none;
                       write --kid=-NAME for a name that begins with -
  --jwks               prints the public half of --key, with its name, instead of a token

Create a key, set it for the hub, and print a token:
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem
  export JWT_KEYS=$(${quiet(command)} --key key.pem --jwks)
  TOKEN=$(${quiet(command)} --key key.pem --publish 'foo*')`;

const OPTIONS = /** @type {const} */ ({
  publish: { type: "string", multiple: true },
  subscribe: { type: "string", multiple: true },
  ttl: { type: "string" },
  sub: { type: "string" },
  issuer: { type: "string" },
  audience: { type: "string" },
  key: { type: "string" },
  kid: { type: "string" },
  jwks: { type: "boolean" },
  help: { type: "boolean", short: "h" },
});

/** The options that describe a token. They have no meaning for a set of keys. */
const TOKEN_OPTIONS = ["publish", "subscribe", "ttl", "sub", "issuer", "audience"];

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 };
const PATTERN = /^(?:[A-Za-z0-9._~:@-]{1,128}|[A-Za-z0-9._~:@-]{0,128}\*)$/;
/** The hub's limit: it refuses a longer token. */
const MAX_TOKEN_CHARS = 8_192;

/** npm prints lines of its own on stdout, unless it has the option -s. */
const quiet = (command) => command.replace("npm run ", "npm run -s ");

/** @type {string} the command in messages */
let command;
/** @type {import("../options.mjs").Values<typeof OPTIONS>} */
let options;

/** @returns {never} */
const refuse = (text) => refuseOptions(text, command);

/** Returns the patterns of an option, or undefined if it was not given. */
function checkPatterns(option) {
  for (const pattern of options[option] ?? []) {
    if (PATTERN.test(pattern)) continue;
    const format = "1 to 128 characters of A-Z a-z 0-9 . _ ~ : @ -, optionally followed by *, or * alone";
    refuse(
      `--${option} is ${JSON.stringify(pattern)}: a pattern is ${format}. Repeat --${option} for several patterns.`,
    );
  }
  return options[option];
}

/** Returns a lifetime in seconds. */
function checkTtl(ttl = "1h") {
  const [, count, unit] = ttl.match(/^0*([1-9]\d{0,8})([smhd])$/) ?? [];
  if (count) return Number(count) * SECONDS[unit];
  const format = "a whole number from 1 on, followed by s, m, h or d, as in 90s, 30m, 1h or 7d";
  return refuse(`--ttl is ${JSON.stringify(ttl)}: it has to be ${format}.`);
}

/** Returns the text of an option, or else of an environment variable, or undefined if neither is set. */
function checkText(option, variable) {
  if (options[option] === "") refuse(`--${option} is empty: omit it, or give it a value.`);
  return options[option] ?? (variable || undefined);
}

function checkKeyOptions() {
  const { key, kid, jwks } = options;
  if (key === undefined && jwks)
    refuse("--jwks prints the public half of a private key: name its file with --key FILE.");
  if (key === undefined && kid !== undefined) {
    refuse("--kid is the name of a key: it goes with --key. JWT_SECRET has no name.");
  }
}

function printKeys(folder) {
  const unused = TOKEN_OPTIONS.find((name) => options[name] !== undefined);
  if (unused) refuse(`--${unused} describes a token, and --jwks prints no token: omit one of the two.`);
  const { jwk, alg, kid } = readPrivateKey(folder, options.key, options.kid);
  const { kty, crv, x, y, n, e } = jwk;
  console.log(JSON.stringify({ keys: [{ kty, crv, x, y, n, e, kid, alg, use: "sig" }] }));
}

function printToken(folder) {
  const claims = {
    publish: checkPatterns("publish"),
    subscribe: checkPatterns("subscribe"),
    sub: checkText("sub"),
    iss: checkText("issuer", process.env.JWT_ISSUER),
    aud: checkText("audience", process.env.JWT_AUDIENCE),
  };
  const seconds = checkTtl(options.ttl);
  if (!claims.publish && !claims.subscribe) {
    refuse("This token would allow nothing: give --publish PATTERN, --subscribe PATTERN, or both.");
  }
  const key = options.key === undefined ? readSecret() : readPrivateKey(folder, options.key, options.kid);
  const now = Math.floor(Date.now() / 1_000);
  const token = sign({ ...claims, iat: now, exp: now + seconds }, key);
  if (token.length > MAX_TOKEN_CHARS) {
    fail(`the token would have ${token.length} characters, but a hub accepts ${MAX_TOKEN_CHARS}; use fewer patterns`);
  }
  console.log(token);
}

/**
 * Prints what the options in `args` ask for.
 * @param {string[]} args
 * @param {{ command: string, folder: string }} context the command in messages, and the folder to which the path of
 *   a key is relative
 */
export function printTokenOrKeys(args, context) {
  keepStdout();
  command = context.command;
  options = readOptions(args, OPTIONS, command, `Write options after \`${command}\`, and quote patterns.`);
  if (options.help) return console.log(help(command));
  checkKeyOptions();
  return options.jwks ? printKeys(context.folder) : printToken(context.folder);
}
