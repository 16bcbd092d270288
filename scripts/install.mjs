// Installs what a machine with rustup, a C linker and Node 20 lacks. Everything is pinned; what is there already is
// left as it is. Cargo-built tools are kept per user and version, so that a second clone does not build them again.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const windows = process.platform === "win32";
const WORKER_BUILD = "0.8.7";
const PROBE_MS = 5000;

export function say(text) {
  console.log(`sse-broadcaster: ${text}`);
}

/** Runs a command in the project's folder, its output shown. Ends this process where it fails, with `help`. */
export function run(command, args, { env = process.env, help = "" } = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, env, stdio: "inherit", shell: windows });
  if (status === 0) return;
  say(`\`${command} ${args.join(" ")}\` failed${error ? ` (${error.message})` : ""}. ${help}`.trim());
  process.exit(status || 1);
}

/** What a command prints, or undefined where it cannot be run. */
function output(command, args) {
  const { status, stdout } = spawnSync(command, args, { cwd: root, encoding: "utf8", shell: windows });
  return status === 0 ? stdout.trim() : undefined;
}

/** The npm packages of package-lock.json. */
export function installPackages() {
  const installed = join(root, "node_modules", ".package-lock.json");
  const wanted = join(root, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return;
  say("installing npm packages ...");
  run("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"], { help: "Is npm there, and the network?" });
}

/** The Rust toolchain of rust-toolchain.toml, with its target. */
export function installToolchain() {
  const channel = readFileSync(join(root, "rust-toolchain.toml"), "utf8").match(/channel = "(.+)"/)[1];
  const sysroot = output("rustc", ["--print", "sysroot"]);
  const ready =
    output("rustc", ["--version"])?.startsWith(`rustc ${channel} `) &&
    existsSync(join(sysroot, "lib", "rustlib", "wasm32-unknown-unknown"));
  if (ready) return;
  say(`installing Rust ${channel} with its wasm32-unknown-unknown target ...`);
  run("rustup", ["toolchain", "install"], {
    help: "Install rustup 1.28 or newer from https://rustup.rs, or update it with `rustup self update`.",
  });
}

/** A file of an npm package. */
function fromPackage(...path) {
  return join(root, "node_modules", ...path);
}

/** The Node that wrangler needs, which may be newer than the one that runs this. */
export const node = fromPackage("node", "bin", windows ? "node.exe" : "node");
export const wrangler = fromPackage("wrangler", "bin", "wrangler.js");

function cacheFolder() {
  if (process.env.XDG_CACHE_HOME) return process.env.XDG_CACHE_HOME;
  if (windows && process.env.LOCALAPPDATA) return process.env.LOCALAPPDATA;
  return process.platform === "darwin" ? join(homedir(), "Library", "Caches") : join(homedir(), ".cache");
}

/** Where a cargo-built tool is kept. */
function toolPath(crate, version, binary) {
  const folder = join(cacheFolder(), "sse-broadcaster", `${crate}-${version}`);
  return { folder, path: join(folder, "bin", windows ? `${binary}.exe` : binary) };
}

function cargoInstall(crate, version, binary, minutes) {
  const { folder, path } = toolPath(crate, version, binary);
  if (existsSync(path)) return path;
  say(`building ${crate} ${version} with cargo, once for this user (about ${minutes} minutes) ...`);
  const args = ["install", `${crate}@${version}`, "--root", folder, "--quiet"];
  // A lock file may name a version that was withdrawn since.
  const env = { ...process.env, CARGO_TARGET_DIR: "" };
  delete env.CARGO_TARGET_DIR;
  const locked = spawnSync("cargo", [...args, "--locked"], { cwd: root, env, stdio: "inherit", shell: windows });
  if (locked.status !== 0) {
    run("cargo", args, { env, help: "Is a C compiler installed (Debian: apt-get install build-essential)?" });
  }
  return path;
}

/** worker-build, and the environment that gives it its tools. */
export async function installBuildTools() {
  const onPath = output("worker-build", ["--version"]) === WORKER_BUILD;
  const workerBuild = onPath ? "worker-build" : cargoInstall("worker-build", WORKER_BUILD, "worker-build", 4);
  const env = {
    WASM_OPT_BIN: fromPackage(".bin", "wasm-opt"),
    ESBUILD_BIN: fromPackage(".bin", "esbuild"),
    ...process.env,
  };
  if (!env.WASM_BINDGEN_BIN) {
    const bindgen = await installWasmBindgen();
    if (bindgen) env.WASM_BINDGEN_BIN = bindgen;
  }
  return { workerBuild, env };
}

/** wasm-bindgen in the version of Cargo.lock, or undefined where worker-build can download it, which is faster. */
async function installWasmBindgen() {
  const lock = readFileSync(join(root, "Cargo.lock"), "utf8");
  const version = lock.match(/name = "wasm-bindgen"\nversion = "(.+)"/)[1];
  const { path } = toolPath("wasm-bindgen-cli", version, "wasm-bindgen");
  if (existsSync(path)) return path;
  const release = `https://github.com/wasm-bindgen/wasm-bindgen/releases/tag/${version}`;
  const reachable = await fetch(release, { method: "HEAD", signal: AbortSignal.timeout(PROBE_MS) }).then(
    (response) => response.ok,
    () => false,
  );
  return reachable ? undefined : cargoInstall("wasm-bindgen-cli", version, "wasm-bindgen", 3);
}
