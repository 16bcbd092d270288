// wrangler.toml with the rate-limit bindings that the documentation shows.
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/install.mjs";
import { temporaryFolder } from "./folder.mjs";
import { namedBlock } from "./markdown.mjs";
import { read } from "./sources.mjs";

/** The paths in wrangler.toml are relative to its folder. */
const REFERENCED = ["build", "crates", "public", "src"];

/** Returns the documentation's block of bindings. */
const documentedBindings = () => namedBlock("limits by address");

/**
 * Writes the configuration, and returns its path. With `limits`, it has only the bindings that they name, with their
 * numbers of requests in `period` seconds.
 * @param {Record<string, number>} [limits]
 * @param {number} [period]
 */
export function configWithRateLimits(limits, period) {
  const folder = temporaryFolder();
  for (const name of REFERENCED) symlinkSync(join(root, name), join(folder, name));
  const file = join(folder, "wrangler.toml");
  const bindings = limits ? changedBindings(limits, period) : documentedBindings();
  writeFileSync(file, `${read("wrangler.toml")}\n${bindings}`);
  return file;
}

function changedBindings(limits, period) {
  const bindings = documentedBindings().split(/^(?=\[\[)/m);
  const texts = Object.entries(limits).map(([name, limit]) => {
    const binding = bindings.find((text) => text.includes(`name = "${name}"`));
    const numbers = /limit = \d+, period = \d+/;
    if (!numbers.test(binding)) throw new Error(`the documentation has no binding ${name}`);
    return binding.replace(numbers, `limit = ${limit}, period = ${period}`);
  });
  return texts.join("\n");
}
