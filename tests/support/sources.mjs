// The files of the project, for the tests that compare them with each other.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/install.mjs";

/** Returns the text of a file of the project. */
export function read(...path) {
  return readFileSync(join(root, ...path), "utf8");
}

/** Modules of tests, by the parts of their paths. */
const TEST_MODULE = /(^|\/)(outside|proptests|tests)(\/|\.rs$)/;

/** Returns the Rust files of the Worker and of the crates in crates/, without their tests. */
export function rustSources() {
  const crates = existsSync(join(root, "crates")) ? readdirSync(join(root, "crates")) : [];
  const folders = ["src", ...crates.map((name) => join("crates", name, "src"))];
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".rs") && !TEST_MODULE.test(name))
      .map((name) => join(folder, name)),
  );
  return files.map((file) => read(file).split("#[cfg(test)]\nmod tests {")[0]);
}
