// `dev`, `deploy` and `wrangler` of the package: the user's configuration and that of the hub.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { namedBlock } from "../support/markdown.mjs";
import { installPackage } from "../support/package.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { SECRET } from "../support/tokens.mjs";
import { eventually } from "../support/wait.mjs";

const project = await installPackage();
let folders = 0;

/** Makes a folder of the project with these files. Returns a function that runs the command there. */
function userFolder(files) {
  const cwd = join(project.folder, `folder-${folders++}`);
  mkdirSync(cwd);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(cwd, name), content);
  return { cwd, run: (...args) => project.command(args, {}, cwd) };
}

/** Returns the output of a dry run, which must succeed. */
async function dryRun({ run }, ...args) {
  const { status, stdout, stderr } = await run("deploy", "--dry-run", ...args);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /env\.CHANNEL \(Channel\) +Durable Object/);
  assert.match(stdout, /env\.ASSETS +Assets/);
  return stdout;
}

test("deploy without a configuration has the objects, the assets and the settings of the command line", {
  timeout: 180_000,
}, async () => {
  const folder = userFolder({});
  const output = await dryRun(folder, "--var", "ACCESS:publish-token", "--name", "my-hub", "--", "--minify");
  assert.match(output, /env\.ACCESS /);
  assert.doesNotMatch(output, /LOG_LEVEL|warning/i);
});

test("deploy takes the name, settings and environments of the documented configuration", {
  timeout: 180_000,
}, async () => {
  const folder = userFolder({ "wrangler.toml": namedBlock("configuration of a deployment") });
  const output = await dryRun(folder);
  assert.match(output, /env\.ACCESS \("publish-token"\)/);
  assert.match(output, /env\.HOLD_STREAMS \("worker"\)/);
  const staging = await dryRun(folder, "--env", "staging");
  assert.match(staging, /env\.ACCESS \("open"\)/);
  assert.doesNotMatch(staging, /HOLD_STREAMS/);
});

test("deploy reads wrangler.jsonc and --config, and adds limits by address", { timeout: 180_000 }, async () => {
  const json = `{
    // A comment.
    "name": "my-hub",
    "observability": { "logs": { "head_sampling_rate": 0.5 } },
    "ratelimits": [{ "name": "PUBLISH_LIMIT", "namespace_id": "1001", "simple": { "limit": 600, "period": 60 } }]
  }`;
  const limited = /env\.PUBLISH_LIMIT \(600 requests\/60s\) +Rate Limit/;
  assert.match(await dryRun(userFolder({ "wrangler.jsonc": json })), limited);
  const other = userFolder({ "hub.jsonc": json, "wrangler.toml": 'main = "app.js"' });
  assert.match(await dryRun(other, "--config", "hub.jsonc"), limited);
});

test("what the user sets for the logs keeps the platform from logging queries and invocations", async () => {
  const { joinConfigs } = await import("../../cli/wrangler/config.mjs");
  const base = {
    main: "src/entry.mjs",
    assets: { directory: "public" },
    durable_objects: { bindings: [] },
    observability: { enabled: true, redact_query_string: true, logs: { invocation_logs: false } },
  };
  const logs = { observability: { logs: { head_sampling_rate: 0.5 } } };
  const { observability, env } = joinConfigs(base, { ...logs, env: { staging: logs } });
  const expected = {
    enabled: true,
    redact_query_string: true,
    logs: { invocation_logs: false, head_sampling_rate: 0.5 },
  };
  assert.deepEqual([observability, env.staging.observability], [expected, expected]);
  assert.deepEqual(env.staging.durable_objects, base.durable_objects);
});

test("a configuration of another Worker, or that sets what belongs to the hub, is refused with its file and the remedy", {
  timeout: 180_000,
}, async () => {
  const refused = async (files, message, ...args) => {
    const { status, stdout } = await userFolder(files).run("deploy", "--dry-run", ...args);
    assert.equal(status, 1, stdout);
    assert.match(stdout.trim().split("\n").at(-1) ?? "", message);
  };
  await Promise.all([
    refused(
      { "wrangler.toml": 'name = "app"\nmain = "src/app.js"' },
      /wrangler\.toml describes a Worker of its own \(main is "src\/app\.js"\), .*name a file for the hub with --config$/,
    ),
    refused(
      { "wrangler.json": '{"compatibility_date":"2026-01-01","env":{"x":{"assets":{"directory":"site"}}}}' },
      /wrangler\.json: the hub itself sets compatibility_date, env\.x\.assets; remove that from the file$/,
    ),
    refused({ "wrangler.toml": "name = [" }, /wrangler\.toml cannot be read: /),
    refused({}, /--config is "none\.toml": there is no such file$/, "--config", "none.toml"),
  ]);
});

test("deploy warns about a variable that was probably meant to be a setting", { timeout: 180_000 }, async () => {
  const output = await dryRun(userFolder({ "wrangler.toml": '[vars]\nACCES = "open"' }));
  assert.match(output, /^sse-broadcaster: ACCES is set, .* Is ACCESS meant\?$/m);
});

test("wrangler runs any command with the configuration of the hub", { timeout: 180_000 }, async () => {
  const folder = userFolder({ "hub.toml": 'name = "named-hub"' });
  const { status, stdout } = await folder.run("wrangler", "deploy", "--config", "hub.toml", "--dry-run");
  assert.equal(status, 0);
  assert.match(stdout, /env\.CHANNEL \(Channel\) +Durable Object/);
  const failed = await folder.run("wrangler", "no-such-command");
  assert.notEqual(failed.status, 0, "the exit status is that of wrangler");
});

/** Starts `dev` in a folder of the project with these files. */
async function startDev(files, ...args) {
  const { cwd } = userFolder(files);
  const { folder } = project;
  project.folder = cwd;
  const dev = await project.serve(["dev", ...args]);
  project.folder = folder;
  const publish = () => fetch(`${dev.origin}/channels/foo/broadcast`, { method: "POST", body: "hello" });
  return { ...dev, cwd, publish };
}

/** Ends a `dev` with SIGTERM to npx. */
async function end({ started }) {
  process.kill(started.child.pid, "SIGTERM");
  await started.end();
  await eventually(() => started.running().length === 0);
}

test("dev needs no token if nothing says who may use the hub, and keeps its events in the user's folder", {
  timeout: 180_000,
}, async () => {
  const dev = await startDev({});
  assert.match(dev.started.output, /so the hub needs no token \(ACCESS=open\)/);
  const stream = await subscribe({ url: `${dev.origin}/channels/foo` });
  assert.equal((await dev.publish()).status, 200);
  await stream.untilEvents(1);
  await eventually(() => dev.started.output.includes("sent to foo: hello"));
  assert.equal((await fetch(`${dev.origin}/`)).status, 200);
  assert.ok(existsSync(join(dev.cwd, ".wrangler", "state", "v3", "do")));
  await end(dev);
});

test("dev reads .dev.vars and the configuration of the user", { timeout: 180_000 }, async () => {
  const files = { ".dev.vars": `JWT_SECRET=${JSON.stringify(SECRET)}`, "wrangler.toml": '[vars]\nLOG_LEVEL = "debug"' };
  const dev = await startDev(files);
  assert.doesNotMatch(dev.started.output, /needs no token/);
  assert.equal((await dev.publish()).status, 401);
  const { stdout } = await project.command(["token", "--publish", "foo"], { JWT_SECRET: SECRET });
  const headers = { Authorization: `Bearer ${stdout.trim()}` };
  const url = `${dev.origin}/channels/foo/broadcast`;
  assert.equal((await fetch(url, { method: "POST", body: "x", headers })).status, 200);
  await end(dev);
});
