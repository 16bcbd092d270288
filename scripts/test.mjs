// `npm test`: all tests. It installs what they need first. Arguments choose test files: `npm test -- wire delivery`
// runs api/wire and all files of delivery/.
//
// The path of a file in tests/ says how it runs:
// - `NAME.test.mjs` runs beside other files.
// - `NAME.alone.test.mjs` runs while no other file runs, because it measures time or memory, or fills the processor.
// - `by-hand/NAME.test.mjs` runs only if it is chosen.
//
// HOLD_STREAMS is the setting of that name of the tests' hubs: `object` or `worker`. Without it, all tests run with
// `object`, and the tests whose rules concern streams also with `worker`.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromiumPath } from "../tests/support/chromium.mjs";
import { findTests, importsOf, select } from "../tests/support/files.mjs";
import { packageFolder } from "../tests/support/package-folder.mjs";
import { pythonPath } from "../tests/support/python.mjs";
import { build } from "./build.mjs";
import { attempt, fail, installPackages, installToolchain, node, root, run, say } from "./install.mjs";

/** How many files run side by side. Most of them wait most of the time. */
const SIDE_BY_SIDE = 4;
/** The time for a whole file; each test has a timeout of its own. */
const FILE_MS = 900_000;
const BY_HAND_FILE_MS = 1_800_000;

const tests = join(root, "tests");
const files = findTests(tests);
const choices = process.argv.slice(2).filter((choice) => choice !== "");
for (const choice of choices) {
  if (select(files, choice).length > 0) continue;
  fail(`no test file and no folder is called ${choice}; there are: ${files.map(({ name }) => name).join(", ")}`);
}
const chosen =
  choices.length > 0
    ? files.filter((file) => choices.some((choice) => select([file], choice).length > 0))
    : files.filter(({ byHand }) => !byHand);

/** Whether a chosen file imports this module of tests/support. */
function isImported(module) {
  return chosen.some(({ path }) => importsOf(join(tests, path)).has(join(tests, "support", module)));
}

// These come first, so that a missing tool is reported before minutes of building have passed.
try {
  if (isImported("chromium.mjs")) chromiumPath();
  if (isImported("python.mjs")) pythonPath();
} catch (error) {
  fail(error.message);
}

await installPackages();
await installToolchain();
if (choices.length === 0) {
  say("running the Rust tests on this machine (cargo test) ...");
  // from-stream is a Worker of the benchmark. It compiles to WebAssembly only.
  await run("cargo", ["test", "--locked", "--workspace", "--exclude", "from-stream"]);
}
await build();
if (isImported("package.mjs")) {
  mkdirSync(packageFolder, { recursive: true });
  await run("npm", ["pack", "--silent", "--pack-destination", packageFolder]);
}
say("testing the Worker on the real runtime ...");

/** The folders whose tests run with both ways to hold streams. */
const RUN_TWICE = ["delivery", "storage", "auth", "browser"];

/** The runs in which tests have failed, in words. */
const failed = [];

/** Runs test files, `concurrency` of them at a time. A failure does not keep the other files from running. */
async function runTests(files, concurrency, holdStreams = process.env.HOLD_STREAMS || "object") {
  if (files.length === 0) return;
  const fileMs = files.some(({ byHand }) => byHand) ? BY_HAND_FILE_MS : FILE_MS;
  const options = [`--test-concurrency=${concurrency}`, `--test-timeout=${fileMs}`];
  const paths = files.map(({ path }) => join("tests", path));
  const env = { ...process.env, HOLD_STREAMS: holdStreams };
  const outcome = await attempt(
    node,
    ["--test", "--test-force-exit", "--test-reporter=spec", ...options, ...paths],
    env,
  );
  if (!outcome.succeeded) failed.push(`${concurrency} files at a time, HOLD_STREAMS=${holdStreams}`);
}

/** Runs test files, those in `RUN_TWICE` in both ways unless the environment chooses one. */
async function runInBothWays(files, concurrency) {
  await runTests(files, concurrency);
  if (process.env.HOLD_STREAMS) return;
  const twice = files.filter(({ name }) => RUN_TWICE.includes(name.split("/")[0]));
  await runTests(twice, concurrency, "worker");
}

await runInBothWays(
  chosen.filter(({ alone }) => !alone),
  SIDE_BY_SIDE,
);
await runInBothWays(
  chosen.filter(({ alone }) => alone),
  1,
);
if (failed.length > 0) fail(`tests have failed (${failed.join("; ")}). The reasons are above.`);
