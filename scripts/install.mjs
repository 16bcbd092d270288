// Installs the packages and tools that a machine with rustup, a C linker and Node 20 lacks, on Linux and macOS.
// Installed tools are not changed. Tools that Cargo builds are kept per user and version, so that another clone does
// not build them again.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const WORKER_BUILD = "0.8.7";
const PROBE_MS = 5000;

/** The file descriptor to which this process and its commands write messages. */
let messageFd = 1;

/** Sends all messages to stderr from now on, so that stdout contains nothing but the result. */
export function keepStdout() {
  messageFd = 2;
}

export function say(text) {
  (messageFd === 1 ? console.log : console.error)(`sse-broadcaster: ${text}`);
}

/**
 * Prints an error, and ends this process.
 * @returns {never}
 */
export function fail(text) {
  say(text);
  process.exit(1);
}

/** Runs a command in the project's folder and shows its output. Returns whether it succeeded. */
function attempt(command, args, env = process.env) {
  return spawnSync(command, args, { cwd: root, env, stdio: ["inherit", messageFd, "inherit"] }).status === 0;
}

/**
 * Runs a command in the project's folder and shows its output. If it fails, prints `help` and ends this process.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, help?: string }} options
 */
export function run(command, args, { env, help = "" } = {}) {
  if (!attempt(command, args, env)) fail(`\`${command} ${args.join(" ")}\` failed. ${help}`.trim());
}

/** Returns the output of a command, or undefined if it fails. rustup does not install a toolchain for it. */
function output(command, args) {
  const env = { ...process.env, RUSTUP_AUTO_INSTALL: "0" };
  const { status, stdout } = spawnSync(command, args, { cwd: root, env, encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** Returns what a pattern's group matches in a file of the project. */
function matchInFile(file, pattern) {
  const found = readFileSync(join(root, file), "utf8").match(pattern)?.[1];
  return found ?? fail(`${file} does not match ${pattern}`);
}

/** Returns the path of a file in an npm package. */
function fromPackage(...path) {
  return join(root, "node_modules", ...path);
}

/** The Node that wrangler needs. It may be newer than the Node that runs this script. */
export const node = fromPackage("node", "bin", "node");
export const wrangler = fromPackage("wrangler", "bin", "wrangler.js");

/** Installs the npm packages of package-lock.json. */
export function installPackages() {
  const installed = fromPackage(".package-lock.json");
  const wanted = join(root, "package-lock.json");
  if (existsSync(node) && existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return;
  say("installing npm packages ...");
  // All packages are development dependencies, and an install script downloads Node. These flags override NODE_ENV and
  // .npmrc, which may exclude both.
  const flags = ["--include=dev", "--ignore-scripts=false", "--no-fund", "--no-audit", "--loglevel=error"];
  run("npm", ["ci", ...flags], { help: "Check that npm is installed and that the network works." });
  if (!existsSync(node)) fail("npm installed no Node. Remove node_modules/ and check the output of `npm ci`.");
}

/** Installs the Rust toolchain of rust-toolchain.toml, with its target and components. */
export function installToolchain() {
  const channel = matchInFile("rust-toolchain.toml", /channel = "(.+)"/);
  if (hasToolchain(channel)) return;
  say(`installing Rust ${channel} with its wasm32-unknown-unknown target ...`);
  run("rustup", ["toolchain", "install"], {
    help: "Install rustup 1.28 or newer from https://rustup.rs, or update it with `rustup self update`.",
  });
}

function hasToolchain(channel) {
  if (!output("rustc", ["--version"])?.startsWith(`rustc ${channel} `)) return false;
  const sysroot = output("rustc", ["--print", "sysroot"]);
  if (!sysroot || !existsSync(join(sysroot, "lib", "rustlib", "wasm32-unknown-unknown"))) return false;
  return Boolean(output("cargo", ["clippy", "--version"]) && output("cargo", ["fmt", "--version"]));
}

function cacheFolder() {
  if (process.env.XDG_CACHE_HOME) return process.env.XDG_CACHE_HOME;
  return process.platform === "darwin" ? join(homedir(), "Library", "Caches") : join(homedir(), ".cache");
}

/** A tool from crates.io, which is built if it is not installed yet. */
class CargoTool {
  constructor(crate, version, binary, minutes) {
    this.crate = crate;
    this.version = version;
    this.minutes = minutes;
    this.folder = join(cacheFolder(), "sse-broadcaster", `${crate}-${version}`);
    this.path = join(this.folder, "bin", binary);
  }

  get installed() {
    return existsSync(this.path);
  }

  install() {
    if (this.installed) return;
    say(`building ${this.crate} ${this.version} with cargo, once for this user (about ${this.minutes} minutes) ...`);
    const args = ["install", `${this.crate}@${this.version}`, "--root", this.folder, "--quiet"];
    const { CARGO_TARGET_DIR: _, ...env } = process.env;
    if (attempt("cargo", [...args, "--locked"], env)) return;
    say("its lock file may name a version that was withdrawn in the meantime; trying again without it ...");
    run("cargo", args, { env, help: "Check that a C linker is installed (Debian: apt-get install build-essential)." });
  }
}

/** Installs worker-build. Returns its path, and an environment that tells it the paths of its tools. */
export async function installBuildTools() {
  const { WASM_BINDGEN_BIN = await installWasmBindgen(), ...others } = process.env;
  const env = {
    WASM_OPT_BIN: fromPackage(".bin", "wasm-opt"),
    ESBUILD_BIN: fromPackage(".bin", "esbuild"),
    ...others,
    ...(WASM_BINDGEN_BIN && { WASM_BINDGEN_BIN }),
  };
  if (output("worker-build", ["--version"]) === WORKER_BUILD) return { workerBuild: "worker-build", env };
  const tool = new CargoTool("worker-build", WORKER_BUILD, "worker-build", 4);
  tool.install();
  return { workerBuild: tool.path, env };
}

/**
 * Installs wasm-bindgen in the version of Cargo.lock, and returns its path. Returns undefined if worker-build can
 * download it, which is faster.
 */
async function installWasmBindgen() {
  const version = matchInFile("Cargo.lock", /name = "wasm-bindgen"\nversion = "(.+)"/);
  const tool = new CargoTool("wasm-bindgen-cli", version, "wasm-bindgen", 3);
  if (tool.installed) return tool.path;
  if (await isReleaseReachable(version)) return undefined;
  tool.install();
  return tool.path;
}

/** Whether GitHub and its host for downloads can be reached. Any file of the release shows that. */
async function isReleaseReachable(version) {
  const file = `${version}/wasm-bindgen-${version}-x86_64-unknown-linux-musl.tar.gz`;
  const release = `https://github.com/wasm-bindgen/wasm-bindgen/releases/download/${file}`;
  try {
    return (await fetch(release, { method: "HEAD", signal: AbortSignal.timeout(PROBE_MS) })).ok;
  } catch {
    return false;
  }
}

// `npm run serve` runs this script before serve.mjs, because serve.mjs runs on the Node that is installed here.
if (process.argv[1] === fileURLToPath(import.meta.url)) installPackages();
