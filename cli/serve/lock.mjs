// Locks STATE_DIR, because only one hub at a time may use it: two hubs would give the same id to different events.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

/** SQLite's result code for a file that another process has locked. */
const SQLITE_BUSY = 5;
/** How long to wait for the lock, in milliseconds: a hub that was just killed may still be ending. */
const PATIENCE_MS = 5_000;
/** The locked file. It stays empty. */
const LOCK = "hub.lock";

const isBusy = (error) => (error.errcode & 0xff) === SQLITE_BUSY;

/**
 * The lock of a folder. It is SQLite's lock of an open file, so the operating system releases it when this process
 * ends, however it ends. A text file beside it names the holder of the lock for messages. That file never decides
 * whether the folder is locked.
 */
export class FolderLock {
  /** Takes the lock. Throws an error that names the holder if another process keeps it. */
  static async take(folder, served) {
    const database = openLockFile(join(folder, LOCK));
    const lock = new FolderLock(folder, served, database);
    try {
      await lock.#take();
      await lock.#untilWorkerdEnded();
      lock.#write();
    } catch (error) {
      lock.free();
      throw error;
    }
    return lock;
  }

  constructor(folder, served, database) {
    this.database = database;
    this.file = join(folder, "hub.json");
    /** @type {{ host: string, pid: number, serves: string, workerd?: { pid: number, started?: string } }} */
    this.holder = { host: hostname(), pid: process.pid, serves: served };
  }

  /** Releases the lock. */
  free() {
    if (this.database.isOpen) this.database.close();
  }

  /**
   * Records which workerd uses the folder. Call it before that workerd does anything: if this process is killed, the
   * next hub waits until this workerd has ended.
   */
  note(workerdPid) {
    this.holder.workerd = { pid: workerdPid, started: startOf(workerdPid) };
    this.#write();
  }

  async #take() {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      try {
        return this.database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
      } catch (error) {
        if (!isBusy(error)) throw error;
        if (Date.now() > until) {
          throw new Error(`${this.#describeHolder()} uses it; stop that hub, or set another folder`);
        }
      }
      await sleep(50);
    }
  }

  #describeHolder() {
    const { host, pid, serves } = this.#read();
    if (!pid) return "another hub";
    return `the hub with process id ${pid}${host === hostname() ? "" : ` on ${host}`}, which serves ${serves},`;
  }

  /** Waits until the workerd of a killed hub has ended. The guard of that hub kills it. */
  async #untilWorkerdEnded() {
    const { host, workerd } = this.#read();
    if (!workerd?.started || host !== hostname()) return;
    const until = Date.now() + PATIENCE_MS;
    while (startOf(workerd.pid) === workerd.started) {
      if (Date.now() > until) {
        throw new Error(`the workerd of an earlier hub, process ${workerd.pid}, still uses it; end it with kill -9`);
      }
      await sleep(20);
    }
  }

  #read() {
    try {
      return JSON.parse(readFileSync(this.file, "utf8")) ?? {};
    } catch {
      // The file does not exist yet, or its writer was killed during the write.
      return {};
    }
  }

  #write() {
    try {
      writeFileSync(this.file, `${JSON.stringify(this.holder)}\n`);
    } catch (error) {
      // On a full disk the holder cannot be recorded, but the lock is valid without it.
      if (error.code !== "ENOSPC") throw error;
    }
  }
}

/** Opens the file that is locked. */
function openLockFile(path) {
  const database = new DatabaseSync(path, { open: false, timeout: 0 });
  try {
    database.open();
    // This fails now, rather than later, if the file is not a database.
    database.prepare("PRAGMA schema_version").get();
  } catch (error) {
    if (isBusy(error)) return database;
    if (database.isOpen) database.close();
    throw new Error(`its file ${LOCK} cannot be used (${error.message}); remove that file`);
  }
  return database;
}

/**
 * Returns when a process started, in the system's own notation, or undefined if there is no such process. The system
 * reuses process ids; the start time tells two processes with the same id apart.
 */
function startOf(pid) {
  try {
    // The name in parentheses may contain spaces. The fields after it are the state and, 19 fields later, the start.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    if (process.platform === "linux") return undefined;
    const { stdout } = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" });
    return stdout?.trim() || undefined;
  }
}
