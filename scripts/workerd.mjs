// Bare workerd, the runtime without the cloud: makes its config, starts it and stops it.
import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { isIPv6 } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { Guard, release, spawnHeld } from "./guard.mjs";
import { root, wrangler } from "./install.mjs";

const START_MS = 30_000;
const RESERVE_BYTES = 1 << 20;
const wranglerToml = readFileSync(join(root, "wrangler.toml"), "utf8");
const COMPATIBILITY_DATE = wranglerToml.match(/^compatibility_date = "(.+)"/m)[1];
const COMPATIBILITY_FLAGS = JSON.parse(wranglerToml.match(/^compatibility_flags = (\[.*\])/m)[1]);

/** Which member of a config's module a file is. */
const MODULE_TYPES = { ".js": "esModule", ".mjs": "esModule", ".wasm": "wasm" };

/** Where each address that stands for all others can be reached. */
const WILDCARDS = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/**
 * The unique key of the objects' namespace: the folder of their databases in `stateDir` has its name, and their ids are
 * made from it. With another one, all that is stored is lost.
 */
export const NAMESPACE = "channel";

/** The native binary. npm may keep the package beside wrangler or inside it; it knows what suits this machine. */
export function workerdBinary() {
  return createRequire(wrangler)("workerd").default;
}

/** `host:port` as it stands in a URL and in a config. */
export function address(host, port) {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** Text as the config's language writes it; unlike JSON it knows no \u. */
function quote(text) {
  const escape = (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return `"${String(text).replace(/["\\\x00-\x1f\x7f]/g, escape)}"`;
}

/** The modules of a Worker: those of a list, or the two that worker-build leaves in a folder. */
function modulesOf(worker) {
  if (typeof worker !== "string") return worker;
  return ["./index.js", "./index_bg.wasm"].map((name) => ({ name, path: join(worker, name) }));
}

/** The modules of this project's Worker, the entry module first. `folder` has what worker-build made. */
export function hubModules(folder = join(root, "build")) {
  const built = ["index.js", "index_bg.wasm"].map((name) => ({ name: `build/${name}`, path: join(folder, name) }));
  const own = ["src/entry.mjs", "src/abort.js"].map((name) => ({ name, path: join(root, name) }));
  return [...own, ...built];
}

/** A Worker in the config, with the compatibility of wrangler.toml. */
function workerText({ modules, bindings, more = "" }) {
  const moduleTexts = modules.map(({ name, path, embed }) => {
    const type = MODULE_TYPES[extname(path)];
    if (!type) throw new Error(`${path}: a module ends in ${Object.keys(MODULE_TYPES).join(", ")}`);
    return `(name = ${quote(name)}, ${type} = embed ${quote(embed)})`;
  });
  return `(
  modules = [${moduleTexts.join(", ")}],
  compatibilityDate = ${quote(COMPATIBILITY_DATE)},
  compatibilityFlags = [${COMPATIBILITY_FLAGS.map(quote).join(", ")}],
  bindings = [${bindings.join(", ")}],${more}
)`;
}

/**
 * Makes a config; `options` are those of `startWorkerd`. Returns its text and the files that have to lie beside it, as
 * nothing else can be embedded: { text, files: [{ from, to }] }.
 */
export function makeConfig({
  worker = hubModules(),
  settings = {},
  host = "127.0.0.1",
  port = 0,
  stateDir,
  publicDir,
}) {
  const files = [];
  const beside = ({ name, path }) => {
    const embed = `module-${files.length}`;
    files.push({ from: path, to: embed });
    return { name, path, embed };
  };
  const services = [`(name = "main", worker = .main)`];
  const bindings = Object.entries(settings).map(([name, value]) => `(name = ${quote(name)}, text = ${quote(value)})`);
  const workers = {};
  bindings.push(`(name = "CHANNEL", durableObjectNamespace = "Channel")`, `(name = "STORAGE", service = "storage")`);
  const more = `
  durableObjectNamespaces = [(className = "Channel", uniqueKey = ${quote(NAMESPACE)}, enableSql = true)],
  durableObjectStorage = (localDisk = "state"),`;
  services.push(`(name = "state", disk = (path = ${quote(resolve(stateDir))}, writable = true))`);
  services.push(`(name = "storage", worker = .storage)`);
  workers.storage = workerText({
    modules: [beside({ name: "storage.mjs", path: join(root, "scripts", "storage.mjs") })],
    bindings: [`(name = "STATE", service = "state")`],
  });
  if (publicDir) {
    services.push(`(name = "public", disk = (path = ${quote(resolve(publicDir))}))`);
    services.push(`(name = "assets", worker = .assets)`);
    bindings.push(`(name = "ASSETS", service = "assets")`);
    workers.assets = workerText({
      modules: [beside({ name: "assets.mjs", path: join(root, "scripts", "assets.mjs") })],
      bindings: [`(name = "PUBLIC", service = "public")`],
    });
  }
  workers.main = workerText({ modules: modulesOf(worker).map(beside), bindings, more });
  const text = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${services.join(", ")}],
  sockets = [(name = "http", address = ${quote(address(host, port))}, http = (), service = "main")],
);
${Object.entries(workers)
  .map(([name, value]) => `const ${name} :Workerd.Worker = ${value};`)
  .join("\n")}
`;
  return { text, files };
}

/**
 * Keeps a megabyte of the disk in a file that is removed when the disk is full: to open a database takes some space, too,
 * even to read it. On a disk that is full already, removes the file now, so that workerd can start. Also removes test
 * files of storage.mjs, which remain where workerd was killed while it wrote one.
 */
export function keepReserve(stateDir) {
  const reserve = join(stateDir, "reserve");
  for (const name of readdirSync(stateDir)) {
    if (/^(room$|\.(room|reserve)\.)/.test(name)) rmSync(join(stateDir, name), { force: true });
  }
  const { bavail, bsize } = statfsSync(stateDir);
  const free = bavail * bsize;
  const isThere = existsSync(reserve);
  if (isThere && free < RESERVE_BYTES) rmSync(reserve, { force: true });
  if (isThere || free < 2 * RESERVE_BYTES) return;
  try {
    writeFileSync(reserve, randomBytes(RESERVE_BYTES));
  } catch {
    // A quota, perhaps. The hub works without.
    rmSync(reserve, { force: true });
  }
}

/**
 * Starts a workerd and waits until it answers. Throws where it does not come so far. Options, all with defaults:
 *
 * - `worker`: the folder of a Worker built by worker-build, or its modules, the first of them the main one:
 *   [{ name, path }]; this project's build. It has a Durable Object class Channel, which is bound as CHANNEL
 * - `settings`: an object of text bindings
 * - `host`, `port`: where it listens; 127.0.0.1 and a free port
 * - `stateDir`: the folder, which has to be there, of the objects' storage; without it, one that is gone with workerd
 * - `publicDir`: the folder that the binding ASSETS serves; without it, there is no such binding
 * - `through`: a command, and its first arguments, that becomes workerd by what follows them
 * - `stdout`, `stderr`: as for `spawn`; passed through
 * - `spawned`: called with the child process before workerd does anything
 */
export async function startWorkerd({ through, stdout, stderr, spawned, ...options } = {}) {
  const workerd = new Workerd(options, { through, stdout, stderr, spawned });
  try {
    await workerd.answer(options.host ?? "127.0.0.1");
  } catch (error) {
    workerd.kill();
    throw error;
  } finally {
    workerd.removeConfig();
  }
  return workerd;
}

/** A process of workerd. It does not outlive this process: see `Guard`. */
class Workerd {
  constructor(options, { through = [], stdout = "inherit", stderr = "inherit", spawned = () => {} }) {
    // Settings may be secrets: only this user can look into a folder made so, and the config is gone once it is read.
    this.folder = mkdtempSync(join(tmpdir(), "sse-broadcaster-"));
    this.config = join(this.folder, "config");
    const end = () => this.kill();
    process.once("exit", end);
    this.guard = new Guard(this.folder);
    try {
      mkdirSync(this.config);
      const stateDir = options.stateDir ?? join(this.folder, "state");
      if (!options.stateDir) mkdirSync(stateDir);
      keepReserve(stateDir);
      const { text, files } = makeConfig({ ...options, stateDir });
      for (const { from, to } of files) copyFileSync(from, join(this.config, to));
      writeFileSync(join(this.config, "config.capnp"), text);
      const command = [...through, workerdBinary(), "serve", "--control-fd=3", join(this.config, "config.capnp")];
      this.child = spawnHeld(command, ["ignore", stdout, stderr, "pipe"]);
      if (this.pid) {
        this.guard.watch(this.pid);
        spawned(this.child);
        release(this.child);
      }
    } catch (error) {
      this.kill();
      process.off("exit", end);
      throw error;
    }
    /** How it ended, in words, once it and its guard have. */
    this.ended = new Promise((resolve) => {
      this.child.once("error", (error) => resolve(error.message));
      this.child.once("exit", (status, signal) => resolve(signal ? `signal ${signal}` : `status ${status}`));
    }).then(async (how) => {
      await this.guard.end();
      process.off("exit", end);
      this.removeFiles();
      return how;
    });
  }

  get pid() {
    return this.child.pid;
  }

  /** Waits until it answers. Sets `port`, and `origin`, where it is reached. */
  async answer(host) {
    const ended = this.ended.then((how) => {
      throw new Error(`workerd ended before it answered (${how}); what it said is above`);
    });
    const late = sleep(START_MS, undefined, { ref: false }).then(() => {
      throw new Error(`workerd did not answer within ${START_MS / 1000} s`);
    });
    const answered = async () => {
      this.port = await this.listening();
      this.origin = `http://${address(WILDCARDS[host] ?? host, this.port)}`;
      const response = await fetch(`${this.origin}/healthz`);
      await response.body?.cancel();
    };
    const failed = async (error) => {
      // Its end, where that is the cause, is known a moment later.
      await Promise.race([ended, sleep(500)]);
      throw new Error(`workerd does not answer (${error.cause?.code ?? error.message})`);
    };
    await Promise.race([answered().catch(failed), ended, late]);
  }

  /** The port, once it listens. Nobody else can be meant by that: another program on the port would answer, too. */
  listening() {
    return new Promise((resolve) => {
      createInterface({ input: this.child.stdio[3] }).on("line", (line) => {
        const { event, socket, port } = JSON.parse(line);
        if (event === "listen" && socket === "http") resolve(port);
      });
    });
  }

  removeConfig() {
    rmSync(this.config, { recursive: true, force: true });
  }

  removeFiles() {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Ends it at once. */
  kill() {
    this.child?.kill("SIGKILL");
    this.guard.kill();
    this.removeFiles();
  }

  /**
   * Ends it, and waits for that. Requests in flight have `graceMs`; streams never end by themselves, and workerd would
   * wait for each of them, even where the client has gone.
   */
  async stop(graceMs = 2_000) {
    this.child.kill("SIGTERM");
    const timer = setTimeout(() => this.kill(), graceMs);
    await this.ended;
    clearTimeout(timer);
  }
}
