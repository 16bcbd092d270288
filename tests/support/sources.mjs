// The files of the project, for the tests that compare them with each other.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/install.mjs";

/** Returns the text of a file of the project. */
export function read(...path) {
  return readFileSync(join(root, ...path), "utf8");
}

/** Matches the paths of modules that have only tests. */
const TEST_MODULE = /(^|\/)(proptests|tests)(\/|\.rs$)/;

/** Returns the Rust files of the Worker and of the crates in crates/, without their tests. */
export function rustSources() {
  const folders = ["src", ...readdirSync(join(root, "crates")).map((name) => join("crates", name, "src"))];
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".rs") && !TEST_MODULE.test(name))
      .map((name) => join(folder, name)),
  );
  return files.map((file) => read(file).split("#[cfg(test)]\nmod tests {")[0]);
}

/** Reads the table of the API in src/http/route.rs. Returns the methods of each path, without OPTIONS, which all have. */
export function apiTable() {
  const [, table] = read("src", "http", "route.rs").match(/^pub const API: .*? = &\[\n(.*?)^\];/ms) ?? [];
  const [, ...rows] = table.split("ApiPath {");
  return rows.map((row) => {
    const [, path] = row.match(/pattern: "([^"]+)"/);
    return { path, methods: [...row.matchAll(/\((\w+), /g)].map(([, method]) => method.toUpperCase()) };
  });
}
