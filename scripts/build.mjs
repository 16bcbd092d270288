// Builds the Worker into build/ with worker-build, in release, installing what that takes. Does nothing where build/
// was made from the same sources. wrangler calls it before it serves or deploys, and when a file in src/ is saved.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installBuildTools, installPackages, installToolchain, root, run, say } from "./install.mjs";

const stamp = join(root, "build", ".made-from");

/** A hash of everything that the build reads. */
function sources() {
  const files = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "package-lock.json", "scripts/install.mjs"];
  for (const entry of readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) files.push(join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1));
  }
  const hash = createHash("sha256");
  for (const file of files.sort()) {
    hash.update(`${file}\0`).update(readFileSync(join(root, file))).update("\0");
  }
  return hash.digest("hex");
}

export async function build() {
  const madeFrom = sources();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === madeFrom) {
    say("the build is up to date");
    return;
  }
  installPackages();
  installToolchain();
  const { workerBuild, env } = await installBuildTools();
  say("compiling to WebAssembly (the first time takes a minute) ...");
  run(workerBuild, ["--release"], { env });
  writeFileSync(stamp, madeFrom);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
