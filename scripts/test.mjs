// `npm test`: all tests, on a machine that may have nothing yet. Arguments choose black-box test files: `npm test --
// wire clients` runs those two alone. Those in by-hand/ run only when they are chosen.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";
import { chromiumPath, pythonPath } from "../tests/support/tools.mjs";
import { fail, installPackages, installToolchain, node, root, run, say } from "./install.mjs";

const SUFFIX = ".test.mjs";
/** Files that measure no times, and want nothing that there is only one of. They mostly wait. */
const TOGETHER = [
  ...["access", "access-settings", "access-tokens", "token", "cors", "openapi"],
  ...["attacks", "attacks-claims", "attacks-form", "attacks-signatures", "bad-input", "raw-requests", "settings"],
  ...["broken-database", "broken-metadata", "bypass", "disk-full", "end", "events", "hosts", "logs", "page-headers"],
  ...["problems", "proxy", "readme", "retention", "sweep", "unpublished", "wire", "without-history"],
  ...["console-access", "console-origins", "console-policy", "console-servers", "folder-lock", "idempotency", "page"],
  ...["restart", "resume", "rows", "serve-access", "stall", "storage"],
];
const chosen = process.argv.slice(2);
const names = readdirSync(join(root, "tests"), { recursive: true })
  .filter((file) => file.endsWith(SUFFIX) && !file.startsWith("."))
  .map((file) => file.slice(0, -SUFFIX.length));
for (const name of chosen) {
  if (!names.includes(name)) fail(`there is no test called ${name}; there are: ${names.join(", ")}`);
}
const byHand = (name) => name.startsWith("by-hand");
const wanted = chosen.length > 0 ? chosen : names.filter((name) => !byHand(name));

const wants = (...names) => names.some((name) => wanted.includes(name));

// First of all, so that what is missing is known before minutes of building have passed.
try {
  const consoles = ["console", "console-access", "console-origins", "console-policy", "console-servers"];
  if (wants(...consoles, "clients", "end", "example", "page", "reconnect")) chromiumPath();
  if (wants("bench", "clients", "example", "openapi", "reconnect")) pythonPath();
} catch (error) {
  fail(error.message);
}

installPackages();
installToolchain();
if (chosen.length === 0) {
  say("testing the hub on this machine (cargo test) ...");
  run("cargo", ["test", "--locked", "--workspace", "--exclude", "from-stream"]);
}
await build();
say("testing the Worker on the real runtime ...");
// Each test has its own time; this bounds a whole file.
const timeout = wanted.some(byHand) ? 1_800_000 : 900_000;

/** Runs files of tests, so many at once. */
function runTests(names, atOnce) {
  if (names.length === 0) return;
  const limits = [`--test-concurrency=${atOnce}`, `--test-timeout=${timeout}`];
  const files = names.map((name) => join("tests", name + SUFFIX));
  run(node, ["--test", "--test-force-exit", "--test-reporter=spec", ...limits, ...files]);
}

runTests(
  wanted.filter((name) => TOGETHER.includes(name)),
  3,
);
runTests(
  wanted.filter((name) => !TOGETHER.includes(name)),
  1,
);
