// A hub on bare workerd: no wrangler, no inspector, one process whose memory is the hub's own. It can be killed and
// started again, as a machine or a deploy would.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after } from "node:test";
import { root } from "../../scripts/install.mjs";
import * as bare from "../../scripts/workerd.mjs";
import { atExit } from "./cleanup.mjs";
import { temporaryFolder } from "./folder.mjs";
import { Channel, openByDefault } from "./hub.mjs";

/**
 * Starts workerd on a free port, its storage in a folder of its own. It is killed, and the folder removed, after the
 * test or file that started it. `through` and `worker` are those of the script; `withConsole`, it serves the console page, too;
 * `makeStateDir` makes another folder for the storage, and sees to its removal; `withLog`, the hub has a `log`.
 */
export async function startWorkerd(settings = {}, options = {}) {
  const { through, worker, withConsole = false, makeStateDir = temporaryFolder, withLog = false } = options;
  const hub = new Hub();
  // It has to be gone before its folder is removed, in which it makes files.
  after(() => hub.workerd && hub.kill());
  atExit(() => hub.workerd?.kill());
  // Made last, so that it is removed last.
  hub.stateDir = makeStateDir();
  const publicDir = withConsole ? join(root, "public") : undefined;
  const usual = { publicDir, stateDir: hub.stateDir, stdout: "ignore" };
  hub.options = { settings: openByDefault(settings), through, worker, ...usual };
  if (withLog) hub.options.stderr = "pipe";
  await hub.start();
  return hub;
}

/** The same, for those alone who have a token; `settings` say with which keys. */
export function startClosed(settings, options) {
  return startWorkerd({ ACCESS: "token", LOG_LEVEL: "error", ...settings }, options);
}

/** Lets `edit` do with the SQLite database of a hub's only channel what no client can. Returns what it returns. */
export function editStorage(hub, edit) {
  const folder = join(hub.stateDir, "channel");
  const [file] = readdirSync(folder).filter((name) => /^[0-9a-f]+\.sqlite$/.test(name));
  const database = new DatabaseSync(join(folder, file));
  try {
    return edit(database);
  } finally {
    database.close();
  }
}

class Hub {
  /** Starts it, the second time on the same port: clients that were cut off come back there. */
  async start() {
    this.workerd = await bare.startWorkerd(this.options);
    /** What it has written to standard error since it answered. */
    this.log = "";
    this.workerd.child.stderr?.on("data", (data) => (this.log += data));
    this.options.port = this.workerd.port;
    this.origin = this.workerd.origin;
  }

  /** Ends it as `kill -9` does: it has no time for anything. */
  async kill() {
    this.workerd.kill();
    await this.workerd.ended;
  }

  /** Kills it and starts it again, with the same settings or with others. */
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

  /** Its resident memory, in bytes. */
  residentBytes() {
    return this.memoryBytes("VmRSS");
  }

  /** The most that it had, in bytes. */
  peakBytes() {
    return this.memoryBytes("VmHWM");
  }

  memoryBytes(field) {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(status.match(new RegExp(`${field}:\\s+(\\d+) kB`))[1]) * 1024;
  }
}
