// `npm run deploy -- --dry-run` passes, and what would be deployed reads nothing of .dev.vars.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { root } from "../scripts/install.mjs";

test("a dry run of the deploy passes", { timeout: 120_000 }, async () => {
  const { stdout } = await promisify(execFile)("npm", ["run", "deploy", "--", "--dry-run"], { cwd: root });
  assert.match(stdout, /env\.CHANNEL \(Channel\) +Durable Object/);
  assert.match(stdout, /env\.ASSETS +Assets/);
  // Neither what .dev.vars sets, nor anything else that would open it.
  assert.doesNotMatch(stdout, /LOG_LEVEL|ACCESS/);
});
