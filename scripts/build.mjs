// Builds the Worker into build/ with worker-build, in release, installing what that takes. Does nothing where build/
// was made from the same sources. wrangler calls it before it serves or deploys, and when a file in src/ is saved. The
// benchmark calls it for the Workers that are other members of the Cargo workspace.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installBuildTools, installPackages, installToolchain, root, run, say } from "./install.mjs";

/** The crates that the hub is compiled from. The crates in other folders use no crate of the workspace. */
const HUB_CRATES = [".", "crates/hub"];

/** A hash of everything that the build of the crate in `folder` reads. */
function sources(folder) {
  const crates = folder === "." ? HUB_CRATES : [folder];
  const shared = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "package-lock.json", "scripts/install.mjs"];
  const files = new Set([...shared, ...crates.map((crate) => join(crate, "Cargo.toml"))]);
  for (const crate of crates) {
    for (const entry of readdirSync(join(root, crate, "src"), { recursive: true, withFileTypes: true })) {
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

/** Builds the crate in `folder`, which is relative to the root, into its build/. */
export async function build(folder = ".") {
  const stamp = join(root, folder, "build", ".made-from");
  const name = folder === "." ? "the hub" : folder;
  const madeFrom = sources(folder);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === madeFrom) {
    say(`the build of ${name} is up to date`);
    return;
  }
  installPackages();
  installToolchain();
  const { workerBuild, env } = await installBuildTools();
  say(`compiling ${name} to WebAssembly (the first time takes a minute) ...`);
  run(workerBuild, ["--release", folder], { env });
  writeFileSync(stamp, madeFrom);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
