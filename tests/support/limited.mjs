// wrangler.toml with the bindings that docs/access.md gives for limits by address, as somebody has it who follows it.
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/install.mjs";
import { temporaryFolder } from "./folder.mjs";
import { namedBlock } from "./markdown.mjs";

/** Paths in a config are relative to its folder. */
const BESIDE = ["build", "public", "src"];

const read = (name) => readFileSync(join(root, name), "utf8");

/** The documentation's block: one binding after the other. */
const block = () => namedBlock("limits by address");

/**
 * Makes the config, and returns where it is. Of the bindings only those are in it that `limits` names, if it is given,
 * with its numbers of requests in `period` seconds.
 */
export function limitedConfig(limits, period) {
  const folder = temporaryFolder();
  for (const name of BESIDE) symlinkSync(join(root, name), join(folder, name));
  const file = join(folder, "wrangler.toml");
  writeFileSync(file, `${read("wrangler.toml")}\n${limits ? changed(limits, period) : block()}`);
  return file;
}

function changed(limits, period) {
  const bindings = block().split(/^(?=\[\[)/m);
  const texts = Object.entries(limits).map(([name, limit]) => {
    const binding = bindings.find((text) => text.includes(`name = "${name}"`));
    const numbers = /limit = \d+, period = \d+/;
    if (!numbers.test(binding)) throw new Error(`docs/access.md has no such binding ${name}`);
    return binding.replace(numbers, `limit = ${limit}, period = ${period}`);
  });
  return texts.join("\n");
}
