// Installs what a machine with rustup, a C linker and Node 20 lacks, on Linux and macOS. What is there already is left
// as it is. Cargo-built tools are kept per user and version, so that a second clone does not build them again.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const WORKER_BUILD = "0.8.7";
const PROBE_MS = 5000;

/** The file descriptor of this project's messages, and of what the commands that it runs print. */
let shownAt = 1;

/** From here on they go to stderr: stdout is for the one thing that this process is asked for. */
export function keepStdout() {
  shownAt = 2;
}

export function say(text) {
  (shownAt === 1 ? console.log : console.error)(`sse-broadcaster: ${text}`);
}

/** Says why it cannot go on, and ends this process. */
export function fail(text) {
  say(text);
  process.exit(1);
}

/** Runs a command in the project's folder, its output shown. Returns whether it succeeded. */
function attempt(command, args, env = process.env) {
  return spawnSync(command, args, { cwd: root, env, stdio: ["inherit", shownAt, "inherit"] }).status === 0;
}

/** Runs a command like `attempt`; ends this process where it fails, with `help`. */
export function run(command, args, { env, help = "" } = {}) {
  if (!attempt(command, args, env)) fail(`\`${command} ${args.join(" ")}\` failed. ${help}`.trim());
}

/** What a command prints, or undefined where it cannot be run. Asking rustup's proxies installs nothing. */
function output(command, args) {
  const env = { ...process.env, RUSTUP_AUTO_INSTALL: "0" };
  const { status, stdout } = spawnSync(command, args, { cwd: root, env, encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** A file of an npm package. */
function fromPackage(...path) {
  return join(root, "node_modules", ...path);
}

/** The Node that wrangler needs, which may be newer than the one that runs this. */
export const node = fromPackage("node", "bin", "node");
export const wrangler = fromPackage("wrangler", "bin", "wrangler.js");

/** The npm packages of package-lock.json. */
export function installPackages() {
  const installed = fromPackage(".package-lock.json");
  const wanted = join(root, "package-lock.json");
  if (existsSync(node) && existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return;
  say("installing npm packages ...");
  // Whatever NODE_ENV or .npmrc say: all of them are for development, and node comes by an install script.
  const flags = ["--include=dev", "--ignore-scripts=false", "--no-fund", "--no-audit", "--loglevel=error"];
  run("npm", ["ci", ...flags], { help: "Is npm there, and the network?" });
  if (!existsSync(node)) fail("npm installed no Node. Remove node_modules/ and look at what `npm ci` says.");
}

/** The Rust toolchain of rust-toolchain.toml, with its target and components. */
export function installToolchain() {
  const channel = readFileSync(join(root, "rust-toolchain.toml"), "utf8").match(/channel = "(.+)"/)[1];
  const ready =
    output("rustc", ["--version"])?.startsWith(`rustc ${channel} `) &&
    existsSync(join(output("rustc", ["--print", "sysroot"]), "lib", "rustlib", "wasm32-unknown-unknown")) &&
    output("cargo", ["clippy", "--version"]) &&
    output("cargo", ["fmt", "--version"]);
  if (ready) return;
  say(`installing Rust ${channel} with its wasm32-unknown-unknown target ...`);
  run("rustup", ["toolchain", "install"], {
    help: "Install rustup 1.28 or newer from https://rustup.rs, or update it with `rustup self update`.",
  });
}

function cacheFolder() {
  if (process.env.XDG_CACHE_HOME) return process.env.XDG_CACHE_HOME;
  return process.platform === "darwin" ? join(homedir(), "Library", "Caches") : join(homedir(), ".cache");
}

/** A tool from crates.io, built where it is not there yet. */
class CargoTool {
  constructor(crate, version, binary, minutes) {
    Object.assign(this, { crate, version, minutes });
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
    say("its lock file may name a version that was withdrawn since; trying without ...");
    run("cargo", args, { env, help: "Is a C linker installed (Debian: apt-get install build-essential)?" });
  }
}

/** worker-build, and the environment that gives it its tools. */
export async function installBuildTools() {
  const env = {
    WASM_OPT_BIN: fromPackage(".bin", "wasm-opt"),
    ESBUILD_BIN: fromPackage(".bin", "esbuild"),
    ...process.env,
  };
  env.WASM_BINDGEN_BIN ??= await installWasmBindgen();
  if (!env.WASM_BINDGEN_BIN) delete env.WASM_BINDGEN_BIN;
  if (output("worker-build", ["--version"]) === WORKER_BUILD) return { workerBuild: "worker-build", env };
  const tool = new CargoTool("worker-build", WORKER_BUILD, "worker-build", 4);
  tool.install();
  return { workerBuild: tool.path, env };
}

/** wasm-bindgen in the version of Cargo.lock, or undefined where worker-build can download it, which is faster. */
async function installWasmBindgen() {
  const version = readFileSync(join(root, "Cargo.lock"), "utf8").match(/name = "wasm-bindgen"\nversion = "(.+)"/)[1];
  const tool = new CargoTool("wasm-bindgen-cli", version, "wasm-bindgen", 3);
  if (tool.installed) return tool.path;
  // Any file of the release will do: this asks whether GitHub and the host that it sends downloads to are reached.
  const file = `${version}/wasm-bindgen-${version}-x86_64-unknown-linux-musl.tar.gz`;
  const release = `https://github.com/wasm-bindgen/wasm-bindgen/releases/download/${file}`;
  const reachable = await fetch(release, { method: "HEAD", signal: AbortSignal.timeout(PROBE_MS) }).then(
    (response) => response.ok,
    () => false,
  );
  if (reachable) return undefined;
  tool.install();
  return tool.path;
}

// `npm run serve` installs before anything else, because it runs on the Node that this installs.
if (process.argv[1] === fileURLToPath(import.meta.url)) installPackages();
