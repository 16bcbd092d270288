// public/openapi.yaml: it is served, it is OpenAPI 3.1, it leaves nothing out, and the hub answers as it says.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { root } from "../../scripts/install.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { startHub } from "../support/hub.mjs";
import { listen } from "../support/listener.mjs";
import { pythonPath } from "../support/python.mjs";
import { documentation, read, rustSources } from "../support/sources.mjs";
import { ALL, SECRET, mint, now } from "../support/tokens.mjs";
import { startClosed, startWorkerd } from "../support/workerd.mjs";

const FILE = join(root, "public", "openapi.yaml");
const SUPPORT = join(root, "tests", "support");

const text = read("public", "openapi.yaml");

/** Runs a Python program; returns what it printed, also where it fails. */
async function python(args, options = {}) {
  const run = promisify(execFile)(pythonPath(), args, { maxBuffer: 2 ** 26, ...options });
  const result = await run.catch((error) => error);
  return { failed: result instanceof Error, output: `${result.stdout}${result.stderr}` };
}

const TO_JSON = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1], encoding='utf-8'))))";
const api = JSON.parse((await python(["-c", TO_JSON, FILE])).output);

test("it is served", async () => {
  for (const hub of [await startHub(), await startWorkerd({}, { withConsole: true })]) {
    const response = await fetch(`${hub.origin}/openapi.yaml`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type"), /^(application|text)\/yaml\b/);
    assert.equal(await response.text(), text);
  }
});

test("it is valid OpenAPI 3.1, of this version, and names no server", async () => {
  assert.match(api.openapi, /^3\.1\./);
  const { failed, output } = await python(["-m", "openapi_spec_validator", FILE]);
  assert.ok(!failed, output);
  assert.equal(api.info.version, JSON.parse(read("package.json")).version);
  assert.deepEqual(
    api.servers.map(({ url }) => url),
    ["/"],
  );
});

test("openapi.yaml has all requests of the documentation's table, with HEAD and OPTIONS", () => {
  const rows = [...documentation().matchAll(/^\| `([A-Z]+) (\/\S*)` +\|/gm)];
  assert.ok(rows.length > 6);
  for (const [, method, path] of rows) {
    assert.ok(api.paths[path]?.[method.toLowerCase()], `${method} ${path}`);
    assert.ok(api.paths[path].options, path);
    if (method === "GET") assert.ok(api.paths[path].head, path);
  }
});

/** Problems, given as [status, last part of the type], as sorted lines, each once. */
const lines = (problems) => [...new Set(problems.map(([status, type]) => `${status} ${type}`))].sort();
const TYPE = "urn:sse-broadcaster:problem:";

test("it has all problems, each with its status, and no other", () => {
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

test("it has all notices", () => {
  const notices = new Set(
    rustSources()
      .join("\n")
      .match(/(?<=")hub\.(?!example)[a-z]+(?=")/g),
  );
  assert.ok(notices.size > 3);
  const { description } = api.paths["/channels/{id}"].get;
  for (const notice of notices) assert.ok(description.includes(`\`${notice}\``), notice);
});

test("objects have just the members that it names", () => {
  const objects = Object.entries(api.components.schemas).filter(([, { type }]) => type === "object");
  assert.ok(objects.length > 6);
  for (const [name, { additionalProperties, required, properties }] of objects) {
    assert.equal(additionalProperties, false, name);
    assert.deepEqual(required, Object.keys(properties), name);
  }
});

/**
 * Runs schemathesis against a hub, and fails where it finds anything. `good` and `bad` are the statuses of requests
 * that are as described, and that are not. `without` are checks that are left out; `config`, more lines of its config.
 */
async function conforms(hub, { good, bad, claims, without = [], config = "", args = [] }) {
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
    // What it keeps for its next run goes with the folder.
    { cwd: folder, env: { ...process.env, PYTHONPATH: SUPPORT, PYTHONDONTWRITEBYTECODE: "1" } },
  );
  assert.ok(!failed, output);
  // That nobody with a token of no use gets through is a warning, as it would be a mistake elsewhere.
  assert.match(output, / (\d{2,}) generated, \1 passed/);
}

// 422: an `Idempotency-Key` that came before, with other events.
const fine = { good: ["2xx", "3xx", "422"], bad: ["400", "404", "413", "415", "422"] };
// A case for each word of the description; random ones only with a token.
const briefly = ["--phases", "coverage"];
// Where the answer is always the same, without those that the description forbids.
const most = [...briefly, "--mode", "positive"];
const restricted = ["--include-path-regex", "^/channels/", "--exclude-method", "OPTIONS"];
const only = (operation) => [...briefly, "--include-operation-id", operation];
// The description is of the default, where there are tokens.
const open = { without: ["ignored_auth"] };
const options = { timeout: 120_000 };

test("with a token for everything, it answers as described, and to nobody without", options, async () => {
  const hub = await startClosed({ JWT_SECRET: SECRET }, { withConsole: true });
  await conforms(hub, { ...fine, claims: ALL });
});

test("without a token, and with one for other channels, the refusals are as described", options, async () => {
  const hub = await startClosed({ JWT_SECRET: SECRET }, { withConsole: true });
  const claims = { publish: ["elsewhere", "elsewhere-*"], subscribe: [] };
  await Promise.all([
    conforms(hub, { good: ["401"], bad: ["400", "401", "404"], args: [...briefly, ...restricted] }),
    conforms(hub, { claims, good: ["403"], bad: [], args: [...most, ...restricted] }),
  ]);
});

test("open, it answers as described", options, async () => {
  const hub = await startWorkerd({ ACCESS: "open" }, { withConsole: true });
  await conforms(hub, { ...fine, ...open, args: briefly });
});

test("at its limits, it answers as described", options, async () => {
  const settings = { ACCESS: "open", MAX_SUBSCRIBERS: "1", PUBLISH_PER_SECOND: "1" };
  const hub = await startWorkerd(settings, { withConsole: true });
  const channel = hub.channel("full");
  await listen(channel);
  const pinned = `[parameters]\nid = "${channel.id}"\n`;
  // Every answer, to other methods too.
  const config = `not_a_server_error.expected-statuses = ["400", "405", "503"]\n${pinned}`;
  await conforms(hub, { good: ["503"], bad: ["400"], ...open, config, args: only("subscribe") });

  // So that it is known to have met its limit: ten take no nine seconds.
  const ten = Array.from({ length: 10 }, () => fetch(`${channel.url}/broadcast`, { method: "POST", body: "x" }));
  assert.ok((await Promise.all(ten)).some(({ status }) => status === 429));
  const limited = { good: [...fine.good, "429"], bad: [...fine.bad, "429"] };
  await conforms(hub, { ...limited, ...open, config: pinned, args: only("publish") });
});

test("with settings that it cannot use, it says so as described", options, async () => {
  const hub = await startClosed({ JWT_SECRET: "short" }, { withConsole: true });
  const config = 'not_a_server_error.expected-statuses = ["500"]\n';
  // To methods that a path does not take, too, which unsupported_method has as 405.
  await conforms(hub, { good: ["500"], bad: [], without: ["unsupported_method"], config, args: most });
});
