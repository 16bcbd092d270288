// Installs worker-build and wasm-bindgen, which build the Worker. Installed tools are not changed. Tools that Cargo
// builds are kept per user and version, so that another clone does not build them again.
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../cli/cache-folder.mjs";
import { attempt, explainFailure, fail, fromPackage, matchInFile, output, root, say } from "./install.mjs";

const WORKER_BUILD = "0.8.7";
const PROBE_MS = 5000;

/** The tools are built here. They share many crates, which are compiled once for both. */
const TARGET = join(root, "target", "build-tools");

/**
 * The tools are not optimized, because that takes minutes, and saves only 0.6 s of the 23 s that a build of the Worker
 * takes. The builds are the same, byte for byte.
 */
const UNOPTIMIZED = {
  CARGO_TARGET_DIR: TARGET,
  CARGO_PROFILE_RELEASE_OPT_LEVEL: "0",
  CARGO_PROFILE_RELEASE_LTO: "off",
  // These two save a twelfth of the time, because the compiler generates less code.
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: "1",
  CARGO_PROFILE_RELEASE_PANIC: "abort",
  CARGO_PROFILE_RELEASE_DEBUG: "0",
};

const HELP =
  "Check that a C linker, and on Linux pkg-config and the headers of OpenSSL, are installed " +
  "(Debian: apt-get install build-essential pkg-config libssl-dev).";

/** A tool from crates.io, which is built if it is not installed yet. */
class CargoTool {
  /**
   * @param {string} crate
   * @param {string} version
   * @param {string} binary
   * @param {string[]} flags further arguments of `cargo install`
   */
  constructor(crate, version, binary, flags = []) {
    this.name = `${crate} ${version}`;
    this.folder = join(cacheFolder(), `${crate}-${version}`);
    this.path = join(this.folder, "bin", binary);
    const root = ["--root", this.folder, "--quiet"];
    this.args = ["install", `${crate}@${version}`, "--bin", binary, ...flags, ...root];
  }

  get installed() {
    return existsSync(this.path);
  }

  async install() {
    const env = { ...process.env, ...UNOPTIMIZED };
    const locked = await attempt("cargo", [...this.args, "--locked"], env);
    if (locked.succeeded) return;
    if (locked.unreachable) fail(explainFailure("cargo", this.args, locked));
    say("its lock file may name a version that was withdrawn in the meantime; trying again without it ...");
    const unlocked = await attempt("cargo", this.args, env);
    if (!unlocked.succeeded) fail(explainFailure("cargo", this.args, unlocked, HELP));
  }
}

/** @typedef {{ workerBuild: string, env: NodeJS.ProcessEnv, missing: CargoTool[] }} BuildTools */

/**
 * Returns the path of worker-build, an environment that tells it the paths of its tools, and which tools are missing.
 * @returns {Promise<BuildTools>}
 */
export async function findBuildTools() {
  const version = matchInFile("Cargo.lock", /name = "wasm-bindgen"\nversion = "(.+)"/);
  // TLS and the other programs of this crate are for the tests of web pages.
  const wasmBindgen = new CargoTool("wasm-bindgen-cli", version, "wasm-bindgen", ["--no-default-features"]);
  const workerBuild = new CargoTool("worker-build", WORKER_BUILD, "worker-build");
  const missing = [];
  /** @type {NodeJS.ProcessEnv} */
  const env = {
    WASM_OPT_BIN: fromPackage(".bin", "wasm-opt"),
    ESBUILD_BIN: fromPackage(".bin", "esbuild"),
    ...process.env,
  };
  if (!env.WASM_BINDGEN_BIN) {
    // worker-build downloads wasm-bindgen if it can, which is faster.
    const isDownloaded = !wasmBindgen.installed && (await isReleaseReachable(version));
    if (!isDownloaded) env.WASM_BINDGEN_BIN = wasmBindgen.path;
    if (!isDownloaded && !wasmBindgen.installed) missing.push(wasmBindgen);
  }
  if (output("worker-build", ["--version"]) === WORKER_BUILD) return { workerBuild: "worker-build", env, missing };
  if (!workerBuild.installed) missing.push(workerBuild);
  return { workerBuild: workerBuild.path, env, missing };
}

/**
 * Builds the missing tools.
 * @param {CargoTool[]} missing
 */
export async function buildTools(missing) {
  const names = missing.map(({ name }) => name).join(" and ");
  say(`building ${names} with cargo, once for this user (this takes two to three minutes) ...`);
  for (const tool of missing) await tool.install();
  rmSync(TARGET, { recursive: true, force: true });
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
