// Only one hub at a time may use a STATE_DIR: two of them would give different events the same id.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

/** SQLite's result code for a file that another process has locked. */
const SQLITE_BUSY = 5;
/** A hub that was killed a moment ago, or whose npm was, may still be ending. */
const PATIENCE_MS = 5_000;
/** The file that is locked. It stays empty. */
const LOCK = "hub.lock";

const isBusy = (error) => (error.errcode & 0xff) === SQLITE_BUSY;

/**
 * The lock of a folder. The operating system frees it when this process ends, however it ends, because it is SQLite's
 * lock of an open file. A text file beside it says who holds the lock; it never decides whether the folder is locked.
 */
export class FolderLock {
  /** Takes the lock. Throws an error that names the holder when another process keeps it. */
  static async take(folder, served) {
    const lock = new FolderLock(folder, served);
    try {
      lock.#open(folder);
      await lock.#take();
      await lock.#untilWorkerdEnded();
      lock.#write();
    } catch (error) {
      lock.free();
      throw error;
    }
    return lock;
  }

  free() {
    if (this.database?.isOpen) this.database.close();
  }

  constructor(folder, served) {
    this.file = join(folder, "hub.json");
    this.holder = { host: hostname(), pid: process.pid, serves: served };
  }

  #open(folder) {
    try {
      this.database = new DatabaseSync(join(folder, LOCK), { timeout: 0 });
      // A file that is no database would fail later.
      this.database.prepare("PRAGMA schema_version").get();
    } catch (error) {
      if (isBusy(error)) return;
      throw new Error(`its file ${LOCK} cannot be used (${error.message}); remove that file`);
    }
  }

  async #take() {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      try {
        return this.database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
      } catch (error) {
        if (!isBusy(error)) throw error;
        if (Date.now() > until) {
          throw new Error(`${this.#holderInWords()} uses it; stop that one, or name another folder`);
        }
      }
      await sleep(50);
    }
  }

  #holderInWords() {
    const { host, pid, serves } = this.#read();
    if (!pid) return "another hub";
    return `the hub that is process ${pid}${host === hostname() ? "" : ` of ${host}`} and serves ${serves}`;
  }

  /**
   * Writes down which workerd uses the folder. To be called before that workerd does anything: when this process is
   * killed, the next one waits until that workerd has ended, too.
   */
  note(workerdPid) {
    this.holder.workerd = { pid: workerdPid, started: startOf(workerdPid) };
    this.#write();
  }

  /** Waits for the end of the workerd of a hub that was killed. The guard of that hub kills it. */
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
      // There is none yet, or its writer was killed while it wrote.
      return {};
    }
  }

  #write() {
    try {
      writeFileSync(this.file, `${JSON.stringify(this.holder)}\n`);
    } catch (error) {
      // On a full disk nobody learns who holds the lock. It holds all the same.
      if (error.code !== "ENOSPC") throw error;
    }
  }
}

/**
 * When a process started, in the system's own notation, or undefined when there is no such process. A process id that is
 * used again stands for a process with another start.
 */
function startOf(pid) {
  try {
    // The fields after the name, which may contain spaces: the state, and 19 fields later the start.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    if (process.platform === "linux") return undefined;
    const { stdout } = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" });
    return stdout?.trim() || undefined;
  }
}
