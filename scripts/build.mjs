// Builds the Worker into build/ with worker-build in release mode, and installs the tools for that. Also builds the
// client and the console page. Does nothing if all of them were built from the same sources. wrangler runs this script
// before it serves or deploys, and whenever a file in src/, crates/hub/src/, client/src/ or console/ changes. The
// benchmark calls `build` for the Workers that are other members of the Cargo workspace.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildTools, findBuildTools } from "./build-tools.mjs";
import { buildClient } from "./client.mjs";
import { buildConsole } from "./console.mjs";
import { installPackages, installToolchain, root, run, say } from "./install.mjs";

/** The crates from which the hub is compiled. The crates in other folders use no crate of the workspace. */
const HUB_CRATES = [".", "crates/hub"];

/** Hashes every file that the build of the crate in `folder` reads. */
function hashSources(folder) {
  const crates = folder === "." ? HUB_CRATES : [folder];
  const shared = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "package-lock.json", "scripts/build-tools.mjs"];
  const files = new Set([...shared, ...crates.map((crate) => join(crate, "Cargo.toml"))]);
  for (const crate of crates) {
    for (const entry of readdirSync(join(root, crate, "src"), { recursive: true, withFileTypes: true })) {
      // Node before 20.12 has `path` instead of `parentPath`.
      if (entry.isFile()) files.add(join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1));
    }
  }
  const hash = createHash("sha256");
  for (const file of [...files].sort()) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update("\0");
  }
  return hash.digest("hex");
}

/** Builds the crate in `folder`, a path relative to the root, into the build/ of that folder. "." is the whole hub. */
export async function build(folder = ".") {
  await buildCrate(folder);
  // This comes second, because worker-build may empty build/.
  if (folder === ".") await Promise.all([buildClient(), buildConsole()]);
}

async function buildCrate(folder) {
  const stamp = join(root, folder, "build", ".made-from");
  const name = folder === "." ? "the hub" : folder;
  const sources = hashSources(folder);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === sources) {
    say(`the build of ${name} is up to date`);
    return;
  }
  const packages = installPackages();
  await installToolchain();
  const tools = await findBuildTools();
  say(`compiling ${name} to WebAssembly (the first time takes a minute) ...`);
  if (tools.missing.length > 0) await Promise.all([buildTools(tools.missing), compile(folder)]);
  await packages;
  await run(tools.workerBuild, ["--release", folder], { env: tools.env });
  writeFileSync(stamp, sources);
}

/**
 * Compiles the crate in `folder` with the command of worker-build, while worker-build itself is being built.
 * worker-build then finds the crate compiled.
 */
function compile(folder) {
  const args = ["build", "--lib", "--release", "--target", "wasm32-unknown-unknown"];
  const env = { ...process.env, WASM_BINDGEN_USE_JS_SYS: "1" };
  return run("cargo", [...args, "--manifest-path", join(folder, "Cargo.toml")], { env });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
