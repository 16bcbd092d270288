// `npm run deploy -- --dry-run` passes, also with the README's limits, and what would be deployed reads nothing of
// .dev.vars.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { experimental_readRawConfig } from "wrangler";
import { root } from "../../scripts/install.mjs";
import { configWithRateLimits } from "../support/rate-limits.mjs";

/** What it says. */
async function dryRun(...args) {
  const { stdout } = await promisify(execFile)("npm", ["run", "deploy", "--", "--dry-run", ...args], { cwd: root });
  return stdout;
}

/** What every deployment has, and none. */
function assertDeploys(output) {
  assert.match(output, /env\.CHANNEL \(Channel\) +Durable Object/);
  assert.match(output, /env\.ASSETS +Assets/);
  // Neither what .dev.vars sets, nor anything else that would open it.
  assert.doesNotMatch(output, /LOG_LEVEL|ACCESS/);
}

test("a dry run of the deploy passes", { timeout: 120_000 }, async () => {
  const output = await dryRun();
  assertDeploys(output);
  assert.doesNotMatch(output, /Rate Limit/, "there are no limits by address where nobody asks for them");
});

test("so it does with the limits by address that the README shows", { timeout: 120_000 }, async () => {
  const output = await dryRun("--config", configWithRateLimits());
  assertDeploys(output);
  assert.match(output, /env\.PUBLISH_LIMIT \(600 requests\/60s\) +Rate Limit/);
  assert.match(output, /env\.SUBSCRIBE_LIMIT \(60 requests\/60s\) +Rate Limit/);
});

test("the platform logs no URL with a token in it", () => {
  const { observability } = experimental_readRawConfig({ config: join(root, "wrangler.toml") }).rawConfig;
  assert.equal(observability.redact_query_string, true);
  assert.equal(observability.logs.invocation_logs, false);
});
