// The tarball of the package in an empty folder, on a machine without Rust: docs/package.md.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { test } from "node:test";
import { VERSIONS } from "../../cli/tools/versions.mjs";
import { node } from "../../scripts/install.mjs";
import { cases } from "../support/cases.mjs";
import { execute, installPackage, Project, userEnvironment } from "../support/package.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { SECRET } from "../support/tokens.mjs";
import { eventually } from "../support/wait.mjs";

/** The time from an empty folder to a delivered event, with nothing in the cache of the command. */
const FIRST_USE_MS = 60_000;

const project = new Project();

/** Ends a command of a user with SIGTERM, and checks that it leaves no process. npx itself ends by the signal. */
async function end(started) {
  process.kill(started.child.pid, "SIGTERM");
  await started.end();
  await eventually(() => started.running().length === 0);
}

test("the machine of these tests has no Rust", async () => {
  const { status } = await execute(["sh", "-c", "command -v cargo rustc rustup"], { cwd: "/", env: userEnvironment() });
  assert.notEqual(status, 0);
});

test("an installation of the tarball serves, delivers an event and shows the console within a minute, and starts again without installing", {
  timeout: 180_000,
}, async () => {
  const startedAt = performance.now();
  await project.install();
  const first = await project.serve(["serve", "--var", "ACCESS:open"]);
  const channel = { url: `${first.origin}/channels/foo` };
  const stream = await subscribe(channel);
  const publish = (origin) => fetch(`${origin}/channels/foo/broadcast`, { method: "POST", body: "hello" });
  const { id } = await (await publish(first.origin)).json();
  await stream.untilEvents(1);
  assert.ok(performance.now() - startedAt < FIRST_USE_MS, `it took ${performance.now() - startedAt} ms`);
  assert.ok(stream.text.includes(`data: hello\nid: ${id}\n`), stream.text);
  assert.match(first.started.output, /installing workerd /);
  assert.doesNotMatch(first.started.output, /ExperimentalWarning/);
  const page = await fetch(first.origin);
  assert.match(page.headers.get("Content-Type") ?? "", /^text\/html/);
  assert.match(await page.text(), /<title>/);
  assert.equal((await fetch(`${first.origin}/openapi.yaml`)).status, 200);
  const module = await fetch(`${first.origin}/client.js`);
  assert.match(module.headers.get("Content-Type") ?? "", /^text\/javascript/);
  assert.match(await module.text(), /\bconnect\b/);
  await end(first.started);
  await stream.until(() => stream.ended, "the end of the stream");
  assert.deepEqual(
    readdirSync(project.folder).sort(),
    ["node_modules", "package-lock.json", "package.json", "sse-broadcaster-state"],
    "the storage is in the user's folder",
  );

  const again = await project.serve(["serve"], { JWT_SECRET: SECRET, STATE_DIR: "sse-broadcaster-state" });
  assert.doesNotMatch(again.started.output, /installing/);
  assert.equal((await publish(again.origin)).status, 401);
  const { stdout: token } = await project.command(["token", "--publish", "foo"], { JWT_SECRET: SECRET });
  const events = await fetch(`${again.origin}/channels/foo/events?token=${token.trim()}`);
  assert.deepEqual((await events.json()).events, [{ id, event: "message", data: "hello" }]);
  await end(again.started);
});

/** Returns what `find` of a tool returns in a project. */
async function found(project, tool) {
  const module = join(project.package, "cli", "tools", "tools.mjs");
  const script = `import("${module}").then(({ ${tool} }) => console.log(${tool}.find() ?? "nothing"))`;
  const { stdout, stderr } = await project.run("node", "-e", script);
  assert.equal(stderr, "");
  return stdout.trim();
}

/** Writes a package with one file to the project. */
function writePackage(project, name, version, file) {
  const folder = join(project.folder, "node_modules", name);
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name, version, main: file }));
  writeFileSync(join(folder, file), `module.exports.default = ${JSON.stringify(join(folder, file))};`);
  return join(folder, file);
}

test("a program of the project is used only in a version that is tested, or for wrangler in a newer one of the same major version", {
  timeout: 60_000,
}, async () => {
  const project = await installPackage();
  for (const [tool, name, file, good, bad] of cases([
    ["WORKERD", "workerd", "main.js", [VERSIONS.workerd], ["1.20200101.0", "1.29991231.1"]],
    ["NODE", "node", "bin/node", [VERSIONS.node], ["20.20.2", "24.0.0"]],
    ["WRANGLER", "wrangler", "bin/wrangler.js", [VERSIONS.wrangler, "4.1000.0"], ["4.9.9", "3.999.0", "5.0.0"]],
  ])) {
    assert.equal(await found(project, tool), "nothing");
    for (const version of good) {
      const path = writePackage(project, name, version, file);
      assert.equal(await found(project, tool), path);
    }
    for (const version of bad) {
      writePackage(project, name, version, file);
      assert.equal(await found(project, tool), "nothing", `${name} ${version}`);
    }
  }
});

/** Nodes of users: that of this machine, and one that runs the hub itself. */
const NODES = { "the Node of this machine": [], [`Node ${VERSIONS.node}`]: [dirname(node)] };

for (const [name, folders] of Object.entries(NODES)) {
  test(`SIGTERM of npx ends the streams of serve as complete responses, with ${name}`, {
    timeout: 120_000,
  }, async () => {
    const PATH = [...folders, project.env.PATH].join(delimiter);
    const { started, origin } = await project.serve(["serve", "--var", "ACCESS:open"], { PATH });
    const stream = await subscribe({ url: `${origin}/channels/foo` });
    await end(started);
    await stream.untilEnded();
    assert.match(stream.text, /\nretry: \d+\n+$/, "a stream that is cut has no retry field at its end");
  });
}

test("SIGKILL of npx ends serve with all its processes", { timeout: 120_000 }, async () => {
  const { started } = await project.serve(["serve", "--var", "ACCESS:open"]);
  assert.ok(started.running().some(({ name }) => name === "workerd"));
  process.kill(started.child.pid, "SIGKILL");
  await eventually(() => started.running().length === 0);
});

test("a program that cannot be installed is reported in one line with the reason", { timeout: 60_000 }, async () => {
  const project = await installPackage();
  const offline = await project.command(["deploy", "--dry-run"], {
    npm_config_registry: "http://127.0.0.1:1/",
    npm_config_cache: join(project.folder, "npm"),
    npm_config_fetch_retries: "0",
  });
  assert.equal(offline.status, 1);
  assert.match(offline.stdout, /^sse-broadcaster: npm could not reach 127\.0\.0\.1:1\. Check the network/m);
  assert.deepEqual(readdirSync(join(project.cache, "sse-broadcaster")), [], "nothing is left of the attempt");
  const file = join(project.folder, "file");
  writeFileSync(file, "");
  const unwritable = await project.command(["deploy", "--dry-run"], { XDG_CACHE_HOME: file });
  assert.equal(unwritable.status, 1);
  assert.match(
    unwritable.stdout,
    /cannot be installed \(.*\); set XDG_CACHE_HOME .*, or add \w+@[\d.]+ to your project/,
  );
});
