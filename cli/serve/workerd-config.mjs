// Writes the config of bare workerd, the open-source runtime of Cloudflare Workers.
import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "../messages.mjs";

/** @typedef {{ name: string, path: string }} Module A module of a Worker: its name, and the path of its file. */

const wranglerToml = readFileSync(join(root, "wrangler.toml"), "utf8");
const COMPATIBILITY_DATE = inWranglerToml(/^compatibility_date = "(.+)"/m);
const COMPATIBILITY_FLAGS = JSON.parse(inWranglerToml(/^compatibility_flags = (\[.*\])/m));

function inWranglerToml(pattern) {
  const [, value] = wranglerToml.match(pattern) ?? [];
  if (value === undefined) throw new Error(`wrangler.toml does not match ${pattern}`);
  return value;
}

/** The config's type of a module, by the extension of its file. */
const MODULE_TYPES = { ".js": "esModule", ".mjs": "esModule", ".wasm": "wasm" };

/**
 * The unique key of the objects' namespace. It names the folder of their databases in `stateDir`, and their ids are
 * derived from it. Never change it: all stored data would be lost.
 */
export const NAMESPACE = "channel";

/** Formats a host and a port for a URL or a config. */
export function address(host, port) {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/**
 * Lists the modules of this project's Worker. The first is the entry module. `folder` contains the build of
 * worker-build.
 * @returns {Module[]}
 */
export function hubModules(folder = join(root, "build")) {
  const built = ["index.js", "index_bg.wasm"].map((name) => ({ name: `build/${name}`, path: join(folder, name) }));
  const own = ["src/entry.mjs", "src/hub.mjs", "src/abort.js"].map((name) => ({ name, path: join(root, name) }));
  return [...own, ...built];
}

/**
 * Lists the modules of this project's Worker with the entrypoint of the admin socket. The first is the entry module.
 * @returns {Module[]}
 */
function adminModules() {
  return [{ name: "src/admin.mjs", path: join(root, "src/admin.mjs") }, ...hubModules()];
}

/** Lists the two modules that worker-build writes into a folder. */
function builtModules(folder) {
  return ["./index.js", "./index_bg.wasm"].map((name) => ({ name, path: join(folder, name) }));
}

/** Formats a text as a string of the config's language, which has \x escapes, but no \u as JSON has. */
function quote(text) {
  const toEscape = (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return `"${String(text).replace(/["\\\x00-\x1f\x7f]/g, toEscape)}"`;
}

const textBinding = (name, value) => `(name = ${quote(name)}, text = ${quote(value)})`;
const serviceBinding = (name, service) => `(name = ${quote(name)}, service = ${quote(service)})`;

/** Collects the files of modules. The config can only embed files that are in its own folder. */
class EmbeddedFiles {
  /** @type {{ from: string, to: string }[]} */
  files = [];

  /** Adds the file of a module. Returns the module as it stands in the config. */
  add({ name, path }) {
    const type = MODULE_TYPES[extname(path)];
    if (!type) throw new Error(`${path}: a module ends in ${Object.keys(MODULE_TYPES).join(", ")}`);
    const to = `module-${this.files.length}`;
    this.files.push({ from: path, to });
    return `(name = ${quote(name)}, ${type} = embed ${quote(to)})`;
  }

  /** Adds a module from this folder. */
  addScript(name) {
    return this.add({ name, path: fileURLToPath(new URL(name, import.meta.url)) });
  }
}

/** Formats a Worker with the compatibility settings of wrangler.toml. */
function workerText({ modules, bindings, more = "" }) {
  return `(
  modules = [${modules.join(", ")}],
  compatibilityDate = ${quote(COMPATIBILITY_DATE)},
  compatibilityFlags = [${COMPATIBILITY_FLAGS.map(quote).join(", ")}],
  bindings = [${bindings.join(", ")}],${more}
)`;
}

/**
 * Writes a config. Returns its text, and the files that have to be copied into its folder. The options are described at
 * `startWorkerd`.
 * @param {{
 *   worker?: string | Module[],
 *   settings?: Record<string, string>,
 *   host?: string,
 *   port?: number | null,
 *   stateDir: string,
 *   publicDir?: string,
 *   adminSocket?: string,
 * }} options `adminSocket` is the absolute path of a Unix socket
 */
export function makeConfig({
  adminSocket,
  worker = adminSocket ? adminModules() : hubModules(),
  settings = {},
  host = "127.0.0.1",
  port = 0,
  stateDir,
  publicDir,
}) {
  const embedded = new EmbeddedFiles();
  const services = [
    `(name = "main", worker = .main)`,
    // The Workers can reach no host. Without this line they could, and workerd would not start on a machine that has no
    // certificates of authorities, such as many images of containers.
    `(name = "internet", network = (allow = []))`,
    `(name = "state", disk = (path = ${quote(resolve(stateDir))}, writable = true))`,
    `(name = "storage", worker = .storage)`,
  ];
  const bindings = [
    ...Object.entries(settings).map(([name, value]) => textBinding(name, value)),
    `(name = "CHANNEL", durableObjectNamespace = "Channel")`,
    serviceBinding("STORAGE", "storage"),
  ];
  const workers = {
    storage: workerText({
      modules: [embedded.addScript("storage.mjs")],
      bindings: [serviceBinding("STATE", "state")],
    }),
  };
  if (publicDir) {
    services.push(`(name = "public", disk = (path = ${quote(resolve(publicDir))}))`);
    services.push(`(name = "assets", worker = .assets)`);
    bindings.push(serviceBinding("ASSETS", "assets"));
    workers.assets = workerText({
      modules: [embedded.addScript("assets.mjs")],
      bindings: [serviceBinding("PUBLIC", "public")],
    });
  }
  const modules = typeof worker === "string" ? builtModules(worker) : worker;
  workers.main = workerText({
    modules: modules.map((module) => embedded.add(module)),
    bindings,
    more: `
  durableObjectNamespaces = [(className = "Channel", uniqueKey = ${quote(NAMESPACE)}, enableSql = true)],
  durableObjectStorage = (localDisk = "state"),`,
  });
  const sockets = [];
  if (port !== null) {
    sockets.push(`(name = "http", address = ${quote(address(host, port))}, http = (), service = "main")`);
  }
  if (adminSocket) {
    const service = `(name = "main", entrypoint = "Admin")`;
    sockets.push(`(name = "admin", address = ${quote(`unix:${adminSocket}`)}, http = (), service = ${service})`);
  }
  const text = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${services.join(", ")}],
  sockets = [${sockets.join(", ")}],
);
${Object.entries(workers)
  .map(([name, value]) => `const ${name} :Workerd.Worker = ${value};`)
  .join("\n")}
`;
  return { text, files: embedded.files };
}
