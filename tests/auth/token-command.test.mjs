// `npm run token`: it prints a token that other software verifies, and reports invalid options.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { root } from "../../scripts/install.mjs";
import { cases } from "../support/cases.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { now, SECRET } from "../support/tokens.mjs";
import { startTokenHub } from "../support/workerd.mjs";

const folder = temporaryFolder();
const secret = new TextEncoder().encode(SECRET);
const SOME = ["--publish", "foo"];
let keys = 0;

function start(command, args, { env = {}, cwd = root } = {}) {
  const { JWT_SECRET, JWT_ISSUER, JWT_AUDIENCE, npm_lifecycle_event, INIT_CWD, ...rest } = process.env;
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env: { ...rest, ...env } }, (error, stdout, stderr) =>
      resolve({ status: error?.code ?? 0, stdout, stderr }),
    );
  });
}

const run = (args, env) => start(process.execPath, ["scripts/token.mjs", ...args], { env });

/** @typedef {Record<string, string>} Environment */

/**
 * Runs it with these arguments, checks that it prints exactly one line, and returns the line.
 * @param {string[]} args
 * @param {Environment} env
 */
async function printed(args, env = { JWT_SECRET: SECRET }) {
  const { status, stdout, stderr } = await run(args, env);
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /^\S+\n$/);
  return stdout.trim();
}

/**
 * Checks that it prints nothing but one line of error that matches `message`, and exits with `status`.
 * @param {string[]} args
 * @param {number} status
 * @param {RegExp} message
 * @param {Environment} env
 */
async function refused(args, status, message, env = { JWT_SECRET: SECRET }) {
  const answer = await run(args, env);
  assert.deepEqual([answer.status, answer.stdout], [status, ""], `${args}: ${answer.stderr}`);
  assert.match(answer.stderr, /^sse-broadcaster: .+\n$/);
  assert.match(answer.stderr, message);
  assert.ok(!answer.stderr.includes(env.JWT_SECRET || SECRET), "the message shows the secret");
}

function file(name, content) {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/**
 * Writes files that have a key in different formats.
 * @param {import("node:crypto").KeyPairKeyObjectResult} pair
 */
function keyFiles({ privateKey, publicKey }) {
  const name = `key-${keys++}`;
  return {
    publicKey,
    pem: file(`${name}.pem`, privateKey.export({ type: "pkcs8", format: "pem" })),
    jwk: (more = {}) => file(`${name}.json`, JSON.stringify({ ...privateKey.export({ format: "jwk" }), ...more })),
    publicPem: file(`${name}.pub`, publicKey.export({ type: "spki", format: "pem" })),
    encrypted: () =>
      file(`${name}.enc`, privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" })),
  };
}

const ALGORITHMS = {
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2_048 }),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: () => generateKeyPairSync("ed25519"),
};

test("npm run token prints only a token on stdout, signed with JWT_SECRET and valid for --ttl", async () => {
  const args = ["run", "-s", "token", "--", "--publish", "foo", "--subscribe", "foo*", "--ttl", "1h"];
  const before = now();
  const { status, stdout, stderr } = await start("npm", args, { env: { JWT_SECRET: SECRET } });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const { payload, protectedHeader } = await jwtVerify(stdout.trim(), secret, { algorithms: ["HS256"] });
  assert.deepEqual(protectedHeader, { alg: "HS256", typ: "JWT" });
  const { iat, exp, ...claims } = payload;
  assert.deepEqual(claims, { publish: ["foo"], subscribe: ["foo*"] });
  assert.ok(iat >= before && iat <= now(), iat);
  assert.equal(exp, iat + 3_600);
});

test("the token has the patterns of repeated options, iss and aud of the environment, and the time of --ttl", async () => {
  const id = "x".repeat(128);
  const args = ["--publish", "a", "--publish=b-._~:@9*", "--publish", "*", "--subscribe", id, "--sub", "alicé"];
  const env = { JWT_SECRET: SECRET, JWT_ISSUER: "https://issuer.example", JWT_AUDIENCE: "hub" };
  const { payload } = await jwtVerify(await printed(args, env), secret);
  const { iat, exp, ...claims } = payload;
  assert.deepEqual(claims, {
    publish: ["a", "b-._~:@9*", "*"],
    subscribe: [id],
    sub: "alicé",
    iss: "https://issuer.example",
    aud: "hub",
  });
  assert.equal(exp - iat, 3_600, "an hour is the default");
  const other = await printed([...SOME, "--issuer", "me", "--audience", "you"], env);
  await jwtVerify(other, secret, { issuer: "me", audience: "you" });
  for (const [ttl, seconds] of cases([
    ["90s", 90],
    ["30m", 1_800],
    ["1h", 3_600],
    ["7d", 604_800],
    ["0100d", 8_640_000],
  ])) {
    const { payload } = await jwtVerify(await printed([...SOME, "--ttl", ttl]), secret);
    assert.equal(payload.exp - payload.iat, seconds);
  }
});

for (const [alg, generate] of Object.entries(ALGORITHMS)) {
  test(`a private key for ${alg} signs tokens that the key set of --jwks verifies`, async () => {
    const files = keyFiles(generate());
    const published = await printed(["--key", files.pem, "--jwks"], {});
    const [jwk, ...others] = JSON.parse(published).keys;
    assert.deepEqual([jwk.alg, jwk.use, others], [alg, "sig", []]);
    assert.deepEqual(
      Object.keys(jwk).filter((name) => ["d", "p", "q", "dp", "dq", "qi", "k"].includes(name)),
      [],
    );
    assert.ok(createPublicKey({ key: jwk, format: "jwk" }).equals(files.publicKey));
    const token = await printed(["--key", files.pem, ...SOME, "--sub", "bob"], { JWT_SECRET: SECRET });
    assert.deepEqual(decodeProtectedHeader(token), { alg, kid: jwk.kid, typ: "JWT" });
    const { payload } = await jwtVerify(token, createLocalJWKSet(JSON.parse(published)), { algorithms: [alg] });
    assert.deepEqual([payload.publish, payload.sub], [["foo"], "bob"]);
    // The same key as a JWK has the same kid, unless the JWK or the option --kid has another one.
    assert.equal(await printed(["--key", files.jwk(), "--jwks"], {}), published);
    const named = files.jwk({ kid: "2026-11", alg });
    assert.equal(JSON.parse(await printed(["--key", named, "--jwks"], {})).keys[0].kid, "2026-11");
    assert.equal(decodeProtectedHeader(await printed(["--key", named, ...SOME], {})).kid, "2026-11");
    assert.equal(decodeProtectedHeader(await printed(["--key", named, ...SOME, "--kid", "k"], {})).kid, "k");
    assert.ok(!("kid" in decodeProtectedHeader(await printed(["--key", named, ...SOME, "--kid", ""], {}))));
    assert.ok(!("kid" in JSON.parse(await printed(["--key", named, "--jwks", "--kid", ""], {})).keys[0]));

    const hub = await startTokenHub({ JWT_KEYS: published });
    const init = { method: "POST", body: "x" };
    const publish = (id, token) => fetch(`${hub.channel(id).url}/broadcast?token=${token}`, init);
    assert.equal((await publish("foo", token)).status, 200);
    assert.equal((await publish("bar", token)).status, 403);
    const stranger = await printed(["--key", keyFiles(generate()).pem, `--kid=${jwk.kid}`, ...SOME], {});
    assert.equal((await publish("foo", stranger)).status, 401);
  });
}

test("a hub accepts tokens of npm run token and applies their patterns", async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
  const stats = async (id, token) => (await fetch(`${hub.channel(id).url}/stats?token=${token}`)).status;
  const longest = "x".repeat(128);
  const token = await printed(["--publish", "foo*", "--publish", `${longest}*`]);
  const found = ["foo", "foo-bar", "fo", longest, longest.slice(1)].map((id) => stats(id, token));
  assert.deepEqual(await Promise.all(found), [200, 200, 403, 200, 403]);
  assert.equal(await stats("anything", await printed(["--publish", "*"])), 200);
});

test("an invalid option is refused with its name and what is valid", async () => {
  const long = "x".repeat(129);
  for (const pattern of ["", "**", "a*b", "*a", "a**", "a b", "a/b", "é", "a,b", "a\n", long, `${long}*`]) {
    const message = /--(publish|subscribe) is ".*": a pattern is 1 to 128 characters of A-Z a-z 0-9 \. _ ~ : @ -/;
    const isFirst = pattern.length % 2 === 0;
    await refused(
      isFirst ? ["--publish", pattern] : [...SOME, "--subscribe", "fine*", "--subscribe", pattern],
      2,
      message,
    );
  }
  for (const ttl of ["", "1", "0s", "-1s", "1.5h", "h", "1w", "1 h", "1H", "1h30m", "1e3s", "9999999999s", "forever"]) {
    await refused([...SOME, `--ttl=${ttl}`], 2, /--ttl is ".*": it has to be a whole number .* 90s, 30m, 1h or 7d/);
  }
  for (const [args, message] of cases([
    [[], /would allow nothing: give --publish PATTERN, --subscribe PATTERN/],
    [["--ttl", "1h"], /would allow nothing/],
    [["--publish"], /'--publish.*argument missing/],
    [["--publish", "--subscribe"], /'--publish.*argument/],
    [["--nothing"], /'--nothing'/],
    [["foo"], /'foo'\. Write options after `npm run token --`, and quote patterns/],
    [[...SOME, "foo2"], /'foo2'\. .*quote patterns/],
    [[...SOME, "--sub", ""], /--sub is empty/],
    [[...SOME, "--issuer="], /--issuer is empty/],
    [[...SOME, "--audience="], /--audience is empty/],
    [[...SOME, "--kid", "k"], /--kid .* goes with --key/],
    [["--jwks"], /--jwks .* --key FILE/],
    [["--jwks", "--key", "x", ...SOME], /--publish .*omit one of the two/],
    [["--jwks=1"], /--jwks/],
  ])) {
    await refused(args, 2, new RegExp(`${message.source}.*All options: npm run token -- --help`));
  }
  const many = Array.from({ length: 80 }, (_, n) => ["--publish", String(n).padEnd(120, "x")]).flat();
  await refused(many, 1, /would have \d+ characters, but a hub accepts 8192; use fewer patterns/);
});

test("a secret or key that cannot sign is refused with the reason", async () => {
  await refused(SOME, 1, /JWT_SECRET is not set: .*at least 32 bytes, or give a private key: --key FILE/, {});
  await refused(SOME, 1, /JWT_SECRET is not set/, { JWT_SECRET: "" });
  await refused(SOME, 1, /JWT_SECRET has 31 bytes: .*at least 32 bytes/, { JWT_SECRET: "x".repeat(31) });
  await refused(SOME, 1, /JWT_SECRET has 30 bytes/, { JWT_SECRET: "é".repeat(15) });
  await printed(SOME, { JWT_SECRET: "é".repeat(16) });

  const good = keyFiles(ALGORITHMS.ES256());
  for (const [path, message] of cases([
    [join(folder, "nothing"), /cannot be read \(ENOENT\); name a file/],
    [folder, /cannot be read \(EISDIR\)/],
    [file("empty", ""), /contains no private key; it has to be PEM .* or a JWK/],
    [file("text", "hello"), /contains no private key/],
    [file("broken.json", '{"kty":'), /is not valid JSON/],
    [file("keys.json", '{"keys":[]}'), /is a set of keys/],
    [file("oct.json", '{"kty":"oct","k":"AAAA"}'), /shared secret; decode it, set JWT_SECRET/],
    [file("public.json", JSON.stringify(good.publicKey.export({ format: "jwk" }))), /has no private half \(d\)/],
    [file("odd.json", '{"kty":"EC","crv":"P-256","d":"x"}'), /contains no private key/],
    [good.publicPem, /contains no private key/],
    [good.encrypted(), /is encrypted; decrypt it first: openssl pkey/],
    [good.jwk({ alg: "ES384" }), /says alg ES384; for this key it has to be ES256/],
    [
      keyFiles(generateKeyPairSync("ec", { namedCurve: "P-384" })).pem,
      /is of type ec secp384r1; it has to be RSA, EC P-256/,
    ],
    [keyFiles(generateKeyPairSync("ed448")).pem, /is of type ed448; it has to be/],
    [keyFiles(generateKeyPairSync("rsa", { modulusLength: 1_024 })).pem, /has 1024 bits; an RSA key needs 2048/],
    [keyFiles(generateKeyPairSync("rsa-pss", { modulusLength: 2_048 })).pem, /is of type rsa-pss; it has to be/],
  ])) {
    await refused(["--key", path, ...SOME], 1, message);
  }
  await refused(["--key", good.publicPem, "--jwks"], 1, /^sse-broadcaster: --key: .*contains no private key/);
});

test("--help shows every option and exits with status 0", async () => {
  const { status, stdout, stderr } = await run(["--help"], {});
  assert.deepEqual([status, stderr], [0, ""]);
  const code = readFileSync(join(root, "cli", "token", "token.mjs"), "utf8");
  const options = [...code.matchAll(/^ {2}(\w+): \{ type: /gm)].map(([, name]) => name);
  assert.ok(options.length >= 9);
  for (const option of options.filter((name) => name !== "help")) assert.match(stdout, new RegExp(`--${option}\\b`));
  assert.ok(stdout.split("\n").every((line) => line.length <= 120));
});

test("the path of a key file is relative to the user's working directory", async () => {
  const { pem } = keyFiles(ALGORITHMS.EdDSA());
  const args = ["--prefix", root, "run", "-s", "token", "--", "--key", pem.slice(folder.length + 1), "--jwks"];
  const { status, stdout, stderr } = await start("npm", args, { cwd: folder });
  assert.equal(status, 0, stderr);
  assert.equal(JSON.parse(stdout).keys.length, 1);
});
