// The paths of the programs and files from which the commands make the configuration of wrangler.
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readConfig } from "../../cli/wrangler/config.mjs";
import { fromPackage } from "../../scripts/install.mjs";
import { temporaryFolder } from "../support/folder.mjs";

test("a configuration is read in a folder whose path has spaces and characters with a meaning in URLs", async () => {
  const folder = join(temporaryFolder(), "a b#c%20d?e");
  mkdirSync(folder);
  symlinkSync(fromPackage("wrangler"), join(folder, "wrangler"));
  const path = join(folder, "wrangler.toml");
  writeFileSync(path, 'name = "my-hub"');
  const { name } = await readConfig(join(folder, "wrangler", "bin", "wrangler.js"), path);
  assert.equal(name, "my-hub");
});
