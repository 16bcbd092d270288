// `npm run deploy -- --dry-run`, with and without the documented rate limits.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { experimental_readRawConfig } from "wrangler";
import { root } from "../../scripts/install.mjs";
import { configWithRateLimits } from "../support/rate-limits.mjs";

/** Returns the output of a dry run. */
async function dryRun(...args) {
  const { stdout } = await promisify(execFile)("npm", ["run", "deploy", "--", "--dry-run", ...args], { cwd: root });
  return stdout;
}

/** Checks the bindings of a deployment. */
function assertDeploys(output) {
  assert.match(output, /env\.CHANNEL \(Channel\) +Durable Object/);
  assert.match(output, /env\.ASSETS +Assets/);
  // A deployment has none of the settings of .dev.vars.
  assert.doesNotMatch(output, /LOG_LEVEL|ACCESS/);
}

test("a deployment has the objects, the assets and no setting of .dev.vars", { timeout: 120_000 }, async () => {
  const output = await dryRun();
  assertDeploys(output);
  assert.doesNotMatch(output, /Rate Limit/, "rate limits are optional");
});

test("a deployment with the documented rate limits has their bindings", { timeout: 120_000 }, async () => {
  const output = await dryRun("--config", configWithRateLimits());
  assertDeploys(output);
  assert.match(output, /env\.PUBLISH_LIMIT \(600 requests\/60s\) +Rate Limit/);
  assert.match(output, /env\.SUBSCRIBE_LIMIT \(60 requests\/60s\) +Rate Limit/);
});

test("wrangler.toml keeps the platform from logging queries and invocations", () => {
  const { observability } = experimental_readRawConfig({ config: join(root, "wrangler.toml") }).rawConfig;
  assert.equal(observability.redact_query_string, true);
  assert.equal(observability.logs.invocation_logs, false);
});
