// Builds the client: public/client.js, one minified module with its dependency, which a hub serves, and the modules and
// types of the npm package in build/client/. The code that shares a stream between tabs is a module of its own, which
// the client imports when a page asks for that. Does nothing if they were built from the same sources.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromPackage, installPackages, node, root, run, say } from "./install.mjs";

const SOURCES = join(root, "client", "src");
const PACKAGE = join(root, "build", "client");
const PUBLIC = join(root, "public");
const CLIENT = join(PUBLIC, "client.js");
/** The modules that a hub serves. */
const SERVED = [CLIENT, join(PUBLIC, "client-tabs.js")];

/**
 * The packages that the modules of the package import. The modules contain the parser, because package.json can have no
 * dependencies (see scripts/prepack.mjs).
 */
const OTHER_PACKAGES = ["react"];
/** The license of the parser. It requires its text beside every copy of the parser. */
const PARSER_LICENSE = "LICENSE-eventsource-parser";
/** Names the author and the license of the parser at the end of the module that a hub serves. */
const NOTICE = "// eventsource-parser: MIT, © Espen Hovlandsdal";
/** The oldest JavaScript that the client runs on. */
const TARGET = "es2022";
/**
 * The parser of the module that a hub serves. Later versions have the same interface and take 300 to 900 bytes more,
 * gzipped.
 */
const SMALL_PARSER = { "eventsource-parser": "eventsource-parser-3.0" };

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

/**
 * Members of objects that only the client itself uses. They get short names in the modules that a hub serves, the same
 * in each module, which saves 80 bytes. The public types (client/src/api.ts) must have no member with such a name. Nor
 * may the client or the parser use such a member of the platform: functions have a `call`, for example.
 */
const INTERNAL = [
  ...["setStatus", "isFull", "receive", "finish", "room", "renewIn", "tokens", "touch", "beat", "position"],
  ...["drop", "put", "use", "check", "start", "stop", "run", "last", "path", "clear", "call"],
];
const SHORT_NAMES = {
  mangleProps: new RegExp(`^(${INTERNAL.join("|")})$`),
  mangleCache: Object.fromEntries(INTERNAL.map((name, at) => [name, String.fromCharCode(97 + at)])),
};

/**
 * Bundles modules into a folder. `names` maps the name of each module to the name of its file. The bundles import the
 * module for tabs by the name of its file.
 */
async function bundle(names, outdir, options) {
  // The package may have been installed just now.
  const { build } = await import("esbuild");
  const tabs = {
    name: "tabs",
    setup: ({ onResolve }) =>
      onResolve({ filter: /^\.\/tabs\.ts$/ }, () => ({ path: `./${names.tabs}.js`, external: true })),
  };
  const entryPoints = Object.entries(names).map(([name, out]) => ({ in: join(SOURCES, `${name}.ts`), out }));
  const usual = /** @type {const} */ ({ bundle: true, format: "esm", target: TARGET, charset: "utf8" });
  return build({ ...usual, entryPoints, outdir, plugins: [tabs], ...options });
}

/** Minifies bundled modules again, which removes another 4 %, and writes them. */
async function minify({ outputFiles }) {
  const { minify } = await import("terser");
  for (const { path, text } of outputFiles) {
    // No getter of the client or of the parser has an effect.
    const compress = { passes: 3, pure_getters: true };
    const { code } = await minify(text, { module: true, ecma: 2020, compress });
    writeFileSync(path, path === CLIENT ? `${code}\n${NOTICE}\n` : `${code}\n`);
  }
}

/** Builds the client if its sources have changed. */
export async function buildClient() {
  const stamp = join(PACKAGE, ".made-from");
  const sources = hashSources();
  if (SERVED.every(existsSync) && existsSync(stamp) && readFileSync(stamp, "utf8") === sources) return;
  await installPackages();
  say("building the client ...");
  rmSync(PACKAGE, { recursive: true, force: true });
  await Promise.all([
    bundle({ index: "client", tabs: "client-tabs" }, PUBLIC, {
      alias: SMALL_PARSER,
      ...SHORT_NAMES,
      minify: true,
      write: false,
    }).then(minify),
    bundle({ index: "index", tabs: "tabs", react: "react" }, PACKAGE, { external: OTHER_PACKAGES }),
    run(node, [fromPackage("typescript", "lib", "tsc.js"), "-p", "client"]),
  ]);
  renameImports();
  copyFileSync(fromPackage("eventsource-parser", "LICENSE"), join(PACKAGE, PARSER_LICENSE));
  writeFileSync(stamp, sources);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildClient();
