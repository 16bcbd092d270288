// Builds the client: public/client.js, one minified module with its dependency, which a hub serves, and the modules and
// types of the npm package in build/client/. The code that shares a stream between tabs is a module of its own, which
// the client imports when a page asks for that. Does nothing if they were built from the same sources.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromPackage, installPackages, node, root, run, say } from "./install.mjs";

const SOURCES = join(root, "client", "src");
const PACKAGE = join(root, "build", "client");
const PUBLIC = join(root, "public");
const SERVED = join(PUBLIC, "client.js");

/** The modules of the package. */
const MODULES = ["index", "tabs", "react"];
/** What the modules of the package import from other packages. */
const OTHER_PACKAGES = ["eventsource-parser", "react"];
/** The oldest JavaScript that the client runs on. */
const TARGET = "es2022";

/** Hashes every file that the build reads. */
function hashSources() {
  const sources = readdirSync(SOURCES).map((name) => join("client", "src", name));
  const hash = createHash("sha256");
  for (const file of [...sources.sort(), "client/tsconfig.json", "package-lock.json", "scripts/client.mjs"]) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update("\0");
  }
  return hash.digest("hex");
}

/** The compiler writes types that import `.ts` files, which are not in the package. */
function renameImports() {
  for (const name of readdirSync(PACKAGE)) {
    if (!name.endsWith(".d.ts")) continue;
    const file = join(PACKAGE, name);
    writeFileSync(file, readFileSync(file, "utf8").replace(/(from "\.\/[\w-]+)\.ts"/g, '$1.js"'));
  }
}

/** A plugin of esbuild that leaves the import of the module for tabs as it is, with this path. */
function importTabsFrom(path) {
  const setup = (build) => build.onResolve({ filter: /^\.\/tabs\.ts$/ }, () => ({ path, external: true }));
  return { name: "tabs", setup };
}

/** Builds the client if its sources have changed. */
export async function buildClient() {
  const stamp = join(PACKAGE, ".made-from");
  const sources = hashSources();
  if (existsSync(SERVED) && existsSync(stamp) && readFileSync(stamp, "utf8") === sources) return;
  await installPackages();
  say("building the client ...");
  rmSync(PACKAGE, { recursive: true, force: true });
  // The package may have been installed just now.
  const { build } = await import("esbuild");
  const entries = (names) => names.map(([name, out]) => ({ in: join(SOURCES, `${name}.ts`), out }));
  const usual = /** @type {const} */ ({ bundle: true, format: "esm", target: TARGET, charset: "utf8" });
  await Promise.all([
    build({
      ...usual,
      entryPoints: entries([
        ["index", "client"],
        ["tabs", "client-tabs"],
      ]),
      outdir: PUBLIC,
      plugins: [importTabsFrom("./client-tabs.js")],
      minify: true,
    }),
    build({
      ...usual,
      entryPoints: entries(MODULES.map((name) => [name, name])),
      outdir: PACKAGE,
      plugins: [importTabsFrom("./tabs.js")],
      external: OTHER_PACKAGES,
    }),
    run(node, [fromPackage("typescript", "lib", "tsc.js"), "-p", "client"]),
  ]);
  renameImports();
  writeFileSync(stamp, sources);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildClient();
