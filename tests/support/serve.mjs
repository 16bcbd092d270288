// `npm run serve` as a process of its own.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { after } from "node:test";
import { address } from "../../cli/serve/workerd.mjs";
import { root } from "../../scripts/install.mjs";
import { atExit, killHard } from "./cleanup.mjs";
import { temporaryFolder } from "./folder.mjs";
import { Channel } from "./hub.mjs";
import { freePort } from "./port.mjs";
import { eventually } from "./wait.mjs";

/** @type {Set<ServeProcess>} */
const started = new Set();

function killAll() {
  // npm and the script are one process group. workerd is another one.
  for (const { child, pids } of started) {
    for (const pid of [-child.pid, ...pids]) killHard(pid);
  }
}
after(async () => {
  killAll();
  // A process that is still alive might make files in the folders that are removed next.
  await eventually(() => [...started].every((serve) => serve.running().length === 0));
});
atExit(killAll);

/** The folder of temporary files, in which the script keeps workerd's configuration for a moment. */
const temporary = temporaryFolder();
const stateDir = temporaryFolder();

/**
 * Returns all processes of the machine that have not ended.
 * @returns {[pid: number, parent: number, name: string][]}
 */
export function processes() {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const [, name, state, parent] = readFileSync(`/proc/${pid}/stat`, "utf8").match(/\((.*)\) ([A-Z]) (\d+)/s);
      // A zombie has ended, and its parent has not read its exit status yet.
      return state === "Z" ? [] : [[Number(pid), Number(parent), name]];
    } catch {
      return [];
    }
  });
}

/** Returns the pids of all workerds that serve hubs of this test file. */
export function workerds() {
  return processes().flatMap(([pid, , name]) => {
    if (name !== "workerd") return [];
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(temporary) ? [pid] : [];
    } catch {
      return [];
    }
  });
}

/** @typedef {{ openFiles?: number | "unlimited" }} Limits `openFiles` is the limit of open files */

/** `npm run serve` and all processes that it starts, in a process group of its own, as a shell starts it. */
export class ServeProcess {
  /** @type {number | undefined} the pid of workerd */
  workerd;
  /** @type {number | undefined} the pid of the script, which is workerd's parent */
  script;

  /**
   * @param {Record<string, string | undefined>} variables
   * @param {Limits} limits
   */
  constructor(variables, { openFiles = "unlimited" } = {}) {
    const usual = { ACCESS: "open", HOST: "127.0.0.1", STATE_DIR: stateDir, TMPDIR: temporary };
    const env = /** @type {Record<string, string>} */ ({ ...process.env, ...usual, ...variables });
    this.startedAt = performance.now();
    this.origin = `http://${address(env.HOST, env.PORT)}`;
    this.output = "";
    const limit = openFiles === "unlimited" ? "" : `ulimit -n ${openFiles}; `;
    const command = ["-c", `${limit}exec npm run serve`];
    this.child = spawn("sh", command, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.on("data", (data) => {
        this.output += data;
      });
    }
    this.exited = once(this.child, "exit");
    this.pids = [this.child.pid];
    started.add(this);
  }

  /** Waits until it serves. */
  async ready() {
    await eventually(() => this.lines().includes(`sse-broadcaster: serving ${this.origin}`), 25_000, "it serves");
    this.readyMs = performance.now() - this.startedAt;
    this.findProcesses();
    return this;
  }

  /** Finds its processes. */
  findProcesses() {
    const all = processes();
    const children = (pid) => all.filter(([child, parent]) => parent === pid && !this.pids.includes(child));
    // The list grows during this loop.
    for (const pid of this.pids) this.pids.push(...children(pid).map(([child]) => child));
    [this.workerd, this.script] = all.find(([pid, , name]) => this.pids.includes(pid) && name === "workerd") ?? [];
  }

  /** Waits until it has started workerd again `times` times. */
  async restarted(times = 1) {
    const count = () => this.lines().filter((line) => line === "sse-broadcaster: serving again").length;
    await eventually(() => count() >= times, 30_000, `it serves again, ${times} times`);
    this.findProcesses();
  }

  lines() {
    return this.output.split("\n");
  }

  channel(id) {
    return new Channel(this, id);
  }

  /**
   * @param {string} path
   * @param {RequestInit} [init]
   */
  fetch(path, init) {
    return fetch(this.origin + path, init);
  }

  /** Returns its processes that have not ended. */
  running() {
    return processes().filter(([pid]) => this.pids.includes(pid));
  }

  /** Ends it with SIGTERM, and checks that it exits with status 0. */
  async stop() {
    process.kill(this.child.pid, "SIGTERM");
    assert.equal(await this.exitStatus(), 0);
  }

  /** Waits for its end, checks that no process and no temporary file is left, and returns its exit status. */
  async exitStatus() {
    const [status] = await this.exited;
    assert.deepEqual(this.running(), []);
    assert.deepEqual(
      readdirSync(temporary).filter((name) => name.startsWith("sse-broadcaster")),
      [],
    );
    return status;
  }
}

/**
 * Serves on a free port with these environment variables, and waits until it is ready.
 * @param {Record<string, string | undefined>} variables
 * @param {Limits} limits
 */
export async function serve(variables = {}, limits = {}) {
  return new ServeProcess({ PORT: String(await freePort()), ...variables }, limits).ready();
}
