// A hub on bare workerd, without wrangler: one process, so its memory is that of the hub. A test can kill it and start
// it again, as a crash or a deployment does.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after } from "node:test";
import * as bare from "../../cli/serve/workerd.mjs";
import { root } from "../../scripts/install.mjs";
import { atExit } from "./cleanup.mjs";
import { temporaryFolder } from "./folder.mjs";
import { Channel, openByDefault } from "./hub.mjs";
import { freePort } from "./port.mjs";
import { eventually } from "./wait.mjs";

/** @typedef {import("./hub.mjs").Settings} Settings */

/**
 * @typedef {object} WorkerdOptions
 * @property {string[]} [through] the command that starts workerd, for example one that limits it
 * @property {any} [worker] the Worker's modules, if they are not those of build/
 * @property {boolean} [withConsole] whether the hub serves the files of public/
 * @property {() => string} [makeStateDir] makes the folder of the storage, and has it removed
 * @property {boolean} [withLog] whether the hub's `log` has what workerd prints
 */

/**
 * Starts workerd on a free port, with a storage folder of its own. It is killed, and the folder removed, after the test
 * or file that has started it.
 * @param {Settings} settings
 * @param {WorkerdOptions} options
 */
export async function startWorkerd(settings = {}, options = {}) {
  const { through, worker, withConsole = false, makeStateDir = temporaryFolder, withLog = false } = options;
  const hub = new Hub();
  // workerd must end before its folder is removed, because it makes files in there.
  after(() => hub.workerd && hub.kill());
  atExit(() => hub.workerd?.kill());
  // `after` runs hooks in order, so the folder comes second.
  hub.stateDir = makeStateDir();
  const publicDir = withConsole ? join(root, "public") : undefined;
  const output = withLog ? { stdout: "pipe", stderr: "pipe" } : { stdout: "ignore" };
  const usual = { publicDir, stateDir: hub.stateDir, port: await freePort(), ...output };
  hub.options = { settings: openByDefault(settings), through, worker, ...usual };
  await hub.start();
  return hub;
}

/**
 * Starts a hub that needs tokens. `settings` have the keys.
 * @param {Settings} settings
 * @param {WorkerdOptions} [options]
 */
export function startTokenHub(settings, options) {
  return startWorkerd({ ACCESS: "token", LOG_LEVEL: "error", ...settings }, options);
}

/**
 * Returns the paths of the SQLite databases of a hub's channels.
 * @param {{ stateDir: string }} hub
 */
export function databases(hub) {
  const folder = join(hub.stateDir, "channel");
  const names = readdirSync(folder).filter((name) => /^[0-9a-f]+\.sqlite$/.test(name));
  return names.map((name) => join(folder, name));
}

/**
 * Opens the SQLite database of a hub's only channel, and returns the result of `edit`.
 * @template T
 * @param {{ stateDir: string }} hub
 * @param {(database: DatabaseSync) => T} edit
 */
export function editStorage(hub, edit) {
  const database = new DatabaseSync(databases(hub)[0]);
  try {
    return edit(database);
  } finally {
    database.close();
  }
}

/**
 * Waits until the alarm of a channel has cleared its storage, also of the epoch of `id`.
 * @param {{ restart(): Promise<void> }} hub
 * @param {Channel} channel
 * @param {string} id an event of the channel
 */
export async function untilCleared(hub, channel, id) {
  const [epoch] = id.split("-");
  await eventually(async () => {
    // A request for stats stores nothing, and the restart shows what is stored.
    await hub.restart();
    return (await channel.stats()).epoch !== epoch;
  }, 30_000);
}

class Hub {
  /** @type {any} */
  options;
  /** @type {string} */
  stateDir;
  /** @type {any} */
  workerd;

  /** Starts workerd. The port stays the same, so that clients find the hub after a restart. */
  async start() {
    this.workerd = await bare.startWorkerd(this.options);
    /** What workerd has printed since the start. */
    this.log = "";
    for (const stream of [this.workerd.child.stdout, this.workerd.child.stderr]) {
      stream?.on("data", (data) => {
        this.log += data;
      });
    }
    this.origin = this.workerd.origin;
  }

  /** Ends workerd with SIGKILL. */
  async kill() {
    this.workerd.kill();
    await this.workerd.ended;
  }

  /** Ends workerd with SIGKILL and starts it again, with the same settings or with others. */
  async restart(settings = this.options.settings) {
    await this.kill();
    this.options.settings = openByDefault(settings);
    await this.start();
  }

  channel(id) {
    return new Channel(this, id);
  }

  get pid() {
    return this.workerd.pid;
  }

  /** Returns the resident memory, in bytes. */
  residentBytes() {
    return this.memoryBytes("VmRSS");
  }

  /** Returns the most resident memory that the process has had, in bytes. */
  peakBytes() {
    return this.memoryBytes("VmHWM");
  }

  memoryBytes(field) {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(status.match(new RegExp(`${field}:\\s+(\\d+) kB`))[1]) * 1024;
  }
}
