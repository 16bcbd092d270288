// `npm test`: all tests, on a machine that may have nothing yet. Arguments choose black-box test files: `npm test --
// wire clients` runs those two alone. Those in by-hand/ run only when they are chosen.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";
import { installPackages, installToolchain, node, root, run, say } from "./install.mjs";

const SUFFIX = ".test.mjs";
const chosen = process.argv.slice(2);
const names = readdirSync(join(root, "tests"), { recursive: true })
  .filter((file) => file.endsWith(SUFFIX) && !file.startsWith("."))
  .map((file) => file.slice(0, -SUFFIX.length));
for (const name of chosen) {
  if (names.includes(name)) continue;
  say(`there is no test called ${name}; there are: ${names.join(", ")}`);
  process.exit(1);
}

installPackages();
installToolchain();
if (chosen.length === 0) {
  say("testing the hub on this machine (cargo test) ...");
  run("cargo", ["test", "--locked"]);
}
await build();
// Imported after the packages are there: it tells of a Chromium that is missing before minutes of tests have passed.
const { chromiumPath, pythonPath } = await import("../tests/support/tools.mjs");
for (const find of [chromiumPath, pythonPath]) {
  try {
    find();
  } catch (error) {
    say(error.message);
    process.exit(1);
  }
}
say("testing the Worker on the real runtime ...");
const byHand = (name) => name.startsWith("by-hand");
const wanted = chosen.length > 0 ? chosen : names.filter((name) => !byHand(name));
const files = wanted.map((name) => join("tests", name + SUFFIX));
const timeout = wanted.some(byHand) ? 1_800_000 : 300_000;
run(node, ["--test", "--test-force-exit", "--test-reporter=spec", `--test-timeout=${timeout}`, ...files]);
