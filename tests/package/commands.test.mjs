// The command line of the package: help, errors and tokens.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { jwtVerify } from "jose";
import { VERSION, VERSIONS } from "../../cli/tools/versions.mjs";
import { root } from "../../scripts/install.mjs";
import { cases } from "../support/cases.mjs";
import { installPackage } from "../support/package.mjs";
import { SECRET } from "../support/tokens.mjs";

const COMMANDS = ["serve", "dev", "deploy", "wrangler", "token"];
const project = await installPackage();

/** Runs a command that must fail because of its arguments. Returns its message. */
async function refused(...args) {
  const { status, stdout, stderr } = await project.command(args, { JWT_SECRET: SECRET });
  assert.deepEqual([status, stdout], [2, ""], `${args}: ${stderr}`);
  assert.match(stderr, /^sse-broadcaster: .+\n$/);
  return stderr;
}

test("--help of the package names every command, and --version every version", async () => {
  for (const option of ["--help", "-h"]) {
    const { status, stdout, stderr } = await project.command([option]);
    assert.deepEqual([status, stderr], [0, ""]);
    for (const name of COMMANDS) assert.match(stdout, new RegExp(`^  npx sse-broadcaster ${name} `, "m"));
  }
  const { status, stdout } = await project.command(["--version"]);
  const { workerd, wrangler } = VERSIONS;
  assert.deepEqual([status, stdout], [0, `sse-broadcaster ${VERSION} (workerd ${workerd}, wrangler ${wrangler})\n`]);
});

for (const name of COMMANDS) {
  test(`--help of ${name} shows every option of the command, and installs nothing`, async () => {
    for (const option of ["--help", "-h"]) {
      const { status, stdout, stderr } = await project.command([name, option]);
      assert.deepEqual([status, stderr], [0, ""]);
      assert.match(stdout, new RegExp(`npx sse-broadcaster ${name} ?`));
      assert.doesNotMatch(stdout, /installing/);
      assert.ok(stdout.split("\n").every((line) => line.length <= 120));
      const file = name === "token" ? join("token", "token.mjs") : join("commands", `${name}.mjs`);
      const code = readFileSync(join(root, "cli", file), "utf8");
      const options = [...code.matchAll(/^ {2}"?([\w-]+)"?: \{ type: /gm)].map(([, option]) => option);
      for (const option of options.filter((option) => option !== "help")) {
        assert.match(stdout, new RegExp(`^ {2}--${option}\\b`, "m"));
      }
    }
  });
}

test("a missing or unknown command is refused with the names of all commands", async () => {
  const names = /The commands are serve, dev, deploy, wrangler and token\. Help: npx sse-broadcaster --help/;
  assert.match(await refused(), /^sse-broadcaster: No command is given\./);
  for (const name of ["server", "__proto__", "constructor", "--verbose", "Serve"]) {
    const message = await refused(name);
    assert.ok(message.startsWith(`sse-broadcaster: "${name}" is no command.`), message);
    assert.match(message, names);
  }
});

test("an unknown option or value is refused with status 2 and the help that lists the options", async () => {
  const checks = cases([
    [["serve", "--nothing"], /'--nothing'/],
    [["serve", "here"], /'here'/],
    [["serve", "--port"], /'--port.*argument missing/],
    [["serve", "--port", "0"], /--port is "0": it has to be a whole number from 1 to 65535/],
    [["serve", "--port", "65536"], /--port is "65536"/],
    [["serve", "--port", "http"], /--port is "http"/],
    [["serve", "--var", "ACCESS"], /--var is "ACCESS": it has to be NAME:VALUE/],
    [["serve", "--var", "ACCES:open"], /--var is "ACCES:…", .*Is ACCESS meant\?/],
    [["serve", "--var", "COLOUR:red"], /--var is "COLOUR:…", but there is no setting of this name\. All/],
    [["serve", "--var", "JWT_SECRET:x"], /--var must not contain JWT_SECRET.*set it in the environment/],
    [["dev", "--nothing"], /'--nothing'/],
    [["dev", "--port", "-1"], /'--port'/],
    [["dev", "--var", "JWT_SECRET:x"], /write it to the file \.dev\.vars/],
    [["deploy", "--dryrun"], /'--dryrun'/],
    [["deploy", "now"], /'now'\. To pass an argument on to wrangler, write it after --\./],
    [["deploy", "--var", "JWT_SECRET:x"], /npx sse-broadcaster wrangler secret put JWT_SECRET/],
    [["token", "--nothing"], /'--nothing'/],
    [["token", "foo"], /'foo'\. Write options after `npx sse-broadcaster token`, and quote patterns/],
  ]).map(async ([args, message]) => {
    const answer = await refused(...args);
    assert.match(answer, message);
    assert.match(answer, new RegExp(`All options: npx sse-broadcaster ${args[0]} --help\n$`));
    assert.ok(!answer.includes(":x"), "a secret is shown");
  });
  await Promise.all(checks);
});

test("token prints a token that jose verifies, and reads a key relative to the working directory", async () => {
  const { status, stdout, stderr } = await project.command(["token", "--subscribe", "foo*"], { JWT_SECRET: SECRET });
  assert.deepEqual([status, stderr], [0, ""]);
  const { payload } = await jwtVerify(stdout.trim(), new TextEncoder().encode(SECRET));
  assert.deepEqual(payload.subscribe, ["foo*"]);
  await project.run("openssl", "genpkey", "-algorithm", "ED25519", "-out", "key.pem");
  const keys = await project.command(["token", "--key", "key.pem", "--jwks"]);
  assert.equal(JSON.parse(keys.stdout).keys[0].alg, "EdDSA");
});

test("a wrong setting or port ends serve with status 1 and its reason", { timeout: 120_000 }, async () => {
  const { status, stdout } = await project.command(["serve", "--port", "1", "--host", "192.0.2.1"]);
  assert.equal(status, 1);
  assert.match(stdout, /HOST is "192\.0\.2\.1": this machine cannot listen there/);
});
