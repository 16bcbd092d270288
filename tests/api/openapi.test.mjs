// public/openapi.yaml: the hub serves it, it is complete, and the hub answers as it describes.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { root } from "../../scripts/install.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { startHub } from "../support/hub.mjs";
import { pythonPath } from "../support/python.mjs";
import { apiTable, read, rustSources } from "../support/sources.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { FULL_ACCESS, mint, now, SECRET } from "../support/tokens.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const FILE = join(root, "public", "openapi.yaml");
const SUPPORT = join(root, "tests", "support");

const text = read("public", "openapi.yaml");

/** Runs Python. Returns what it has printed, and whether it has failed. */
async function python(args, options = {}) {
  const run = promisify(execFile)(pythonPath(), args, { maxBuffer: 2 ** 26, ...options });
  const result = await run.catch((error) => error);
  return { failed: result instanceof Error, output: `${result.stdout}${result.stderr}` };
}

const TO_JSON = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1], encoding='utf-8'))))";
const api = JSON.parse((await python(["-c", TO_JSON, FILE])).output);

test("the hub serves openapi.yaml", async () => {
  for (const hub of [await startHub(), await startWorkerd({}, { withConsole: true })]) {
    const response = await fetch(`${hub.origin}/openapi.yaml`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type"), /^(application|text)\/yaml\b/);
    assert.equal(await response.text(), text);
  }
});

test("openapi.yaml is valid OpenAPI 3.1, has the version of the package, and names no server", async () => {
  assert.match(api.openapi, /^3\.1\./);
  const { failed, output } = await python(["-m", "openapi_spec_validator", FILE]);
  assert.ok(!failed, output);
  assert.equal(api.info.version, JSON.parse(read("package.json")).version);
  assert.deepEqual(
    api.servers.map(({ url }) => url),
    ["/"],
  );
});

test("openapi.yaml has exactly the paths and methods of the table in src/http/route.rs, and files", () => {
  const methods = ["get", "head", "post", "put", "patch", "delete", "options", "trace"];
  const isFile = (path) => existsSync(join(root, "public", path === "/" ? "index.html" : path));
  const described = Object.entries(api.paths).flatMap(([path, operations]) =>
    Object.keys(operations)
      .filter((name) => methods.includes(name))
      .map((name) => ({ path, line: `${name.toUpperCase()} ${path}` })),
  );
  const [files, paths] = [described.filter(({ path }) => isFile(path)), described.filter(({ path }) => !isFile(path))];
  const table = apiTable().flatMap(({ path, methods }) => [...methods, "OPTIONS"].map((method) => `${method} ${path}`));
  assert.ok(table.length > 10);
  assert.deepEqual(paths.map(({ line }) => line).sort(), table.sort());
  const filePaths = [...new Set(files.map(({ path }) => path))];
  assert.ok(filePaths.length > 0);
  const fileMethods = filePaths.flatMap((path) => ["GET", "HEAD", "OPTIONS"].map((method) => `${method} ${path}`));
  assert.deepEqual(files.map(({ line }) => line).sort(), fileMethods.sort());
});

/** Returns problems, each given as its status and the last part of its type, as sorted and unique lines. */
const lines = (problems) => [...new Set(problems.map(([status, type]) => `${status} ${type}`))].sort();
const TYPE = "urn:sse-broadcaster:problem:";

test("openapi.yaml has exactly the problems of the code, each with its status", () => {
  const [, table] = rustSources()
    .join("\n")
    .match(/fn kind\(&self\)(.*?)\n {4}}\n/s);
  const known = [...table.matchAll(/\(\s*(\d{3}),\s*"([a-z0-9-]+)"/g)].map(([, status, type]) => [status, type]);
  assert.ok(known.length > 15);
  const described = Object.values(api.components.responses).flatMap(({ content }) => {
    const [, { properties }] = content?.["application/problem+json"]?.schema.allOf ?? [0, {}];
    const types = properties?.type.enum ?? [properties?.type.const];
    return properties ? types.map((type) => [properties.status.const, type.slice(TYPE.length)]) : [];
  });
  assert.deepEqual(lines(described), lines(known));
  const types = api.components.schemas.Problem.properties.type.enum;
  assert.deepEqual(types.toSorted(), [...new Set(known.map(([, type]) => TYPE + type))].sort());
});

test("openapi.yaml has all notices of the code", () => {
  const notices = new Set(
    rustSources()
      .join("\n")
      .match(/(?<=")hub\.(?!example)[a-z]+(?=")/g),
  );
  assert.ok(notices.size > 3);
  const { description } = api.paths["/channels/{id}"].get;
  for (const notice of notices) assert.ok(description.includes(`\`${notice}\``), notice);
});

test("openapi.yaml permits no other members in objects than it names", () => {
  const objects = Object.entries(api.components.schemas).filter(([, { type }]) => type === "object");
  assert.ok(objects.length > 6);
  for (const [name, { additionalProperties, required, properties }] of objects) {
    assert.equal(additionalProperties, false, name);
    assert.deepEqual(required, Object.keys(properties), name);
  }
});

/**
 * @typedef {object} Expectations
 * @property {string[]} good the statuses of valid requests
 * @property {string[]} bad the statuses of invalid requests
 * @property {object} [claims] the claims of a token for all requests
 * @property {string[]} [without] checks of schemathesis to leave out
 * @property {string} [config] lines to add to the configuration of schemathesis
 * @property {string[]} [args]
 */

/**
 * Checks with schemathesis that a hub answers as described.
 * @param {{ origin: string }} hub
 * @param {Expectations} expectations
 */
async function assertConforms(hub, { good, bad, claims, without = [], config = "", args = [] }) {
  const folder = temporaryFolder();
  const file = join(folder, "schemathesis.toml");
  const statuses = `[checks]
positive_data_acceptance.expected-statuses = ${JSON.stringify(good)}
negative_data_rejection.expected-statuses = ${JSON.stringify(bad)}
`;
  writeFileSync(file, `${read("tests", "support", "schemathesis.toml")}\n${statuses}${config}`);
  const more = [...args];
  if (claims) {
    const token = await mint({ ...claims, exp: now() + 3_600 });
    more.push("--header", `Authorization: Bearer ${token}`);
  }
  if (without.length > 0) more.push("--exclude-checks", without.join(","));
  const { failed, output } = await python(
    ["-m", "schemathesis.cli", "--config-file", file, "--no-color", "run", FILE, "--url", hub.origin, ...more],
    // It stores data for its next run in the working directory.
    { cwd: folder, env: { ...process.env, PYTHONPATH: SUPPORT, PYTHONDONTWRITEBYTECODE: "1" } },
  );
  assert.ok(!failed, output);
  // It also warns if no request succeeds, which is intended in some of these tests. Warnings do not count.
  assert.match(output, / (\d{2,}) generated, \1 passed/);
}

// The status 422 answers an Idempotency-Key that was sent before with other events.
const usual = { good: ["2xx", "3xx", "422"], bad: ["400", "404", "413", "415", "422"] };
/** Only requests that cover the description systematically, and none at random. */
const coverage = ["--phases", "coverage"];
/** Only valid requests. */
const valid = [...coverage, "--mode", "positive"];
/** Only requests that need permissions. */
const restricted = ["--include-path-regex", "^/channels/", "--exclude-method", "OPTIONS"];
const only = (operation) => [...coverage, "--include-operation-id", operation];
/** The description requires tokens, as the hub does by default. */
const open = { without: ["ignored_auth"] };
const options = { timeout: 120_000 };

test("the hub answers requests with a token as described, and refuses them without one", options, async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET }, { withConsole: true });
  await assertConforms(hub, { ...usual, claims: FULL_ACCESS });
});

test("the hub refuses requests without a token, and with one for other channels, as described", options, async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET }, { withConsole: true });
  const claims = { publish: ["elsewhere", "elsewhere-*"], subscribe: [] };
  await Promise.all([
    assertConforms(hub, { good: ["401"], bad: ["400", "401", "404"], args: [...coverage, ...restricted] }),
    assertConforms(hub, { claims, good: ["403"], bad: [], args: [...valid, ...restricted] }),
  ]);
});

test("a hub with ACCESS=open, a full channel or too many publishes answers as described", options, async () => {
  const settings = { ACCESS: "open", MAX_SUBSCRIBERS: "1", PUBLISH_PER_SECOND: "1" };
  const hub = await startWorkerd(settings, { withConsole: true });
  const channel = hub.channel("full");
  await subscribe(channel);
  const pinned = `[parameters]\nid = "${channel.id}"\n`;
  // This also applies to requests with other methods.
  const config = `not_a_server_error.expected-statuses = ["400", "405", "503"]\n${pinned}`;
  await assertConforms(hub, { good: ["503"], bad: ["400"], ...open, config, args: only("subscribe") });

  // Ten publishes take less than nine seconds, so they exceed the limit of one a second.
  const ten = Array.from({ length: 10 }, () => fetch(`${channel.url}/broadcast`, { method: "POST", body: "x" }));
  assert.ok((await Promise.all(ten)).some(({ status }) => status === 429));
  const limited = { good: [...usual.good, "429"], bad: [...usual.bad, "429"] };
  await assertConforms(hub, { ...limited, ...open, config: pinned, args: only("publish") });
});

test("a hub with invalid settings answers as described", options, async () => {
  const hub = await startTokenHub({ JWT_SECRET: "short" }, { withConsole: true });
  const config = 'not_a_server_error.expected-statuses = ["500"]\n';
  // The check unsupported_method expects 405, but the hub reports the setting first.
  await assertConforms(hub, { good: ["500"], bad: [], without: ["unsupported_method"], config, args: valid });
});
