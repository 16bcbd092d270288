// examples/self-hosting: the systemd unit and the Dockerfile. There is no Docker for tests, so the steps of the Dockerfile
// run in a folder.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { node, root } from "../../scripts/install.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { namedBlock } from "../support/markdown.mjs";
import { execute, TARBALL, userEnvironment } from "../support/package.mjs";
import { freePort } from "../support/port.mjs";
import { pythonPath } from "../support/python.mjs";
import { missingTool } from "../support/snippets.mjs";
import { read } from "../support/sources.mjs";
import { Started } from "../support/start.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";

const FOLDER = "examples/self-hosting";
const UNIT = `${FOLDER}/sse-broadcaster.service`;
const DOCKERFILE = `${FOLDER}/Dockerfile`;
/** The folder of the package in the unit and in the Dockerfile. */
const INSTALLED = "/opt/sse-broadcaster";
const COMMAND = "node_modules/sse-broadcaster/cli/main.mjs serve";

const unit = read(UNIT);
const setting = (name) => unit.match(new RegExp(`^${name}=(.*)$`, "m"))?.[1] ?? "";

/** Returns the instructions of the Dockerfile: [name, arguments]. */
function instructions() {
  const lines = read(DOCKERFILE)
    .replace(/^#.*\n/gm, "")
    .replaceAll("\\\n", " ")
    .split("\n");
  return lines.filter((line) => line !== "").map((line) => line.split(/ +(.*)/s));
}

/** Returns the arguments of the only instruction with this name, or of the one that begins with `start`. */
function instruction(name, start = "") {
  const found = instructions().filter(([found, rest]) => found === name && rest.startsWith(start));
  assert.equal(found.length, 1, `${name} ${start}`);
  return found[0][1];
}

test("systemd-analyze has nothing to say about the unit, and its exposure level is low", {
  skip: missingTool("systemd-analyze", "systemd"),
}, async () => {
  const cwd = temporaryFolder();
  // systemd-analyze looks for the program of the unit.
  writeFileSync(join(cwd, "sse-broadcaster.service"), unit.replace("/usr/bin/node ", `${node} `));
  const verified = await execute(["systemd-analyze", "verify", "./sse-broadcaster.service"], { cwd });
  assert.deepEqual(verified, { status: 0, stdout: "", stderr: "" });
  const args = ["security", "--offline=true", "--threshold=25", "./sse-broadcaster.service"];
  const { status, stdout } = await execute(["systemd-analyze", ...args], { cwd });
  assert.equal(status, 0, stdout);
});

test("the unit runs serve of the package that examples/self-hosting/README.md installs, and stores only in its own folder", () => {
  assert.equal(setting("WorkingDirectory"), INSTALLED);
  assert.equal(setting("ExecStart"), `/usr/bin/node ${COMMAND}`);
  assert.equal(setting("Environment"), `STATE_DIR=/var/lib/${setting("StateDirectory")}`);
  assert.equal(setting("KillMode"), "mixed", "workerd gets no SIGTERM, so the command can end the streams");
  for (const name of ["DynamicUser", "NoNewPrivileges"]) assert.equal(setting(name), "yes");
  for (const name of ["MemoryMax", "Restart"]) assert.notEqual(setting(name), "");
  const page = read(`${FOLDER}/README.md`);
  assert.ok(page.includes(`npm install --prefix ${INSTALLED} `));
  assert.ok(page.includes(`sudo tee ${setting("EnvironmentFile")} `));
  assert.ok(page.includes(`${INSTALLED}/node_modules/sse-broadcaster/${UNIT} `));
  // The configurations of proxies keep the connections below what this limit allows.
  assert.equal(namedBlock("open files").match(/is (\d+):/)?.[1], setting("LimitNOFILE"));
});

test("hadolint finds nothing in the Dockerfile", { timeout: 60_000 }, async () => {
  const hadolint = join(dirname(pythonPath()), "hadolint");
  const { status, stdout } = await execute([hadolint, DOCKERFILE], { cwd: root });
  assert.deepEqual([status, stdout], [0, ""]);
});

test("the steps of the Dockerfile install and serve the hub, its health check follows the hub, and SIGTERM ends it", {
  timeout: 180_000,
}, async () => {
  assert.match(instruction("FROM"), /^node:22-/, "its Node has SQLite");
  assert.match(instruction("USER"), /^[1-9]/, "the hub does not run as root");
  assert.equal(instruction("VOLUME"), "/data");
  assert.equal(instruction("WORKDIR"), INSTALLED);
  const folder = temporaryFolder();
  const data = join(folder, "data");
  mkdirSync(data);
  const build = Object.fromEntries(
    instructions()
      .filter(([name]) => name === "ARG")
      .map(([, text]) => text.split("=")),
  );
  assert.ok(TARBALL.endsWith(`/${build.PACKAGE}`));
  writeFileSync(join(folder, build.PACKAGE), readFileSync(TARBALL));
  const install = instruction("RUN", "npm install").replace(/&& npm cache clean --force/, "");
  const installed = await execute(["sh", "-c", install], { cwd: folder, env: { ...userEnvironment(), ...build } });
  assert.equal(installed.status, 0, installed.stderr);
  assert.ok(existsSync(join(folder, "node_modules", "workerd")));

  const variables = Object.fromEntries(
    instruction("ENV")
      .split(" ")
      .map((text) => text.split("=")),
  );
  assert.deepEqual(variables, { HOST: "0.0.0.0", PORT: "8080", STATE_DIR: "/data" });
  const port = String(await freePort());
  const cache = join(folder, "no-cache");
  const env = { ...userEnvironment(cache), ...variables, HOST: "127.0.0.1", PORT: port, STATE_DIR: data };
  const [program, ...args] = JSON.parse(instruction("CMD"));
  assert.deepEqual([program, ...args], ["node", ...COMMAND.split(" ")]);
  const [checker, ...check] = JSON.parse(instruction("HEALTHCHECK").replace(/^.*? CMD /, ""));
  assert.equal(checker, "node");
  const health = async () => (await execute([node, ...check], { cwd: folder, env })).status;

  assert.equal(await health(), 1, "the hub is unhealthy before it runs");
  // The base image has no certificates of authorities.
  const noAuthorities = { SSL_CERT_FILE: "/none", SSL_CERT_DIR: "/none" };
  const serving = new Started([node, ...args], { ...env, ...noAuthorities, ACCESS: "open" }, folder);
  await serving.says("serving http://");
  assert.equal(await health(), 0);
  assert.doesNotMatch(serving.output, /Warning/);
  const stream = await subscribe({ url: `http://127.0.0.1:${port}/channels/foo` });
  process.kill(serving.child.pid, "SIGTERM");
  const { status } = await serving.end();
  assert.equal(status, 0);
  await stream.untilEnded();
  await eventually(() => serving.running().length === 0);
  assert.ok(existsSync(join(data, "channel")), "the storage is in the volume");
  assert.ok(!existsSync(cache), "nothing is installed at the start");
  assert.equal(await health(), 1);
});
