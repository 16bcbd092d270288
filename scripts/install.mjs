// Installs the npm packages and the Rust toolchain of a clone, on Linux and macOS, and runs the commands of other
// scripts. The package needs none of this.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail, root, say } from "../cli/messages.mjs";
import * as running from "../cli/run.mjs";

export { fail, keepStdout, root, say } from "../cli/messages.mjs";
export { explainFailure } from "../cli/run.mjs";

/**
 * Runs a command in the project's folder and shows its output.
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
export function attempt(command, args, env = process.env) {
  return running.attempt(command, args, { cwd: root, env: { ...terminalVariables(command), ...env } });
}

/** Variables with which cargo and worker-build write to the pipe of `attempt` as they write to this terminal. */
function terminalVariables(command) {
  const { isTTY, columns } = process.stderr;
  if (!isTTY || !["cargo", "worker-build"].includes(basename(command))) return {};
  const progress = { CARGO_TERM_PROGRESS_WHEN: "always", CARGO_TERM_PROGRESS_WIDTH: String(columns) };
  return process.env.NO_COLOR ? progress : { ...progress, CARGO_TERM_COLOR: "always", CLICOLOR_FORCE: "1" };
}

/**
 * Runs a command in the project's folder and shows its output. If it fails, prints `help` and ends this process.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, help?: string }} options
 */
export async function run(command, args, { env, help } = {}) {
  const outcome = await attempt(command, args, env);
  if (!outcome.succeeded) fail(running.explainFailure(command, args, outcome, help));
}

/** Returns the output of a command, or undefined if it fails. rustup does not install a toolchain for it. */
export function output(command, args) {
  const env = { ...process.env, RUSTUP_AUTO_INSTALL: "0" };
  const { status, stdout } = spawnSync(command, args, { cwd: root, env, encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** Returns what a pattern's group matches in a file of the project. */
export function matchInFile(file, pattern) {
  const found = readFileSync(join(root, file), "utf8").match(pattern)?.[1];
  return found ?? fail(`${file} does not match ${pattern}`);
}

/** Returns the path of a file in an npm package. */
export function fromPackage(...path) {
  return join(root, "node_modules", ...path);
}

/** The Node that wrangler needs. It may be newer than the Node that runs this script. */
export const node = fromPackage("node", "bin", "node");
export const wrangler = fromPackage("wrangler", "bin", "wrangler.js");

/** @type {Promise<void> | undefined} */
let packages;
/** @type {Promise<void> | undefined} */
let toolchain;

/** Installs the npm packages of package-lock.json. Calls at the same time install them once. */
export function installPackages() {
  packages ??= installMissingPackages();
  return packages;
}

async function installMissingPackages() {
  const installed = fromPackage(".package-lock.json");
  const wanted = join(root, "package-lock.json");
  if (existsSync(node) && existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return;
  say("installing npm packages ...");
  // All packages are development dependencies, and an install script downloads Node. These flags override NODE_ENV and
  // .npmrc, which may exclude both. By default, npm repeats a failed request after 10 s and again after a minute.
  const install = ["--include=dev", "--ignore-scripts=false", "--fetch-retry-mintimeout=1000"];
  const flags = [...install, "--no-fund", "--no-audit", "--loglevel=error"];
  await run("npm", ["ci", ...flags], { help: "Check that npm is installed." });
  if (!existsSync(node)) fail("npm installed no Node. Remove node_modules/ and check the output of `npm ci`.");
}

/** Installs the Rust toolchain of rust-toolchain.toml, with its target and components. */
export function installToolchain() {
  toolchain ??= installMissingToolchain();
  return toolchain;
}

async function installMissingToolchain() {
  const channel = matchInFile("rust-toolchain.toml", /channel = "(.+)"/);
  if (hasToolchain(channel)) return;
  say(`installing Rust ${channel} with its wasm32-unknown-unknown target ...`);
  await run("rustup", ["toolchain", "install"], {
    help: "Install rustup 1.28 or newer from https://rustup.rs, or update it with `rustup self update`.",
  });
}

function hasToolchain(channel) {
  if (!output("rustc", ["--version"])?.startsWith(`rustc ${channel} `)) return false;
  const sysroot = output("rustc", ["--print", "sysroot"]);
  if (!sysroot || !existsSync(join(sysroot, "lib", "rustlib", "wasm32-unknown-unknown"))) return false;
  return Boolean(output("cargo", ["clippy", "--version"]) && output("cargo", ["fmt", "--version"]));
}

// `npm run serve` runs this script before serve.mjs, because serve.mjs runs on the Node that is installed here.
if (process.argv[1] === fileURLToPath(import.meta.url)) await installPackages();
