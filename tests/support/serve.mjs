// `npm run serve`, as somebody runs it who hosts the hub.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { after } from "node:test";
import { root } from "../../scripts/install.mjs";
import { address } from "../../scripts/workerd.mjs";
import { atExit } from "./cleanup.mjs";
import { temporaryFolder } from "./folder.mjs";
import { Channel } from "./hub.mjs";
import { freePort } from "./port.mjs";
import { eventually } from "./wait.mjs";

const started = new Set();

function killAll() {
  // npm's whole group, and workerd, which has one of its own.
  for (const { child, pids } of started) [-child.pid, ...pids].forEach(killHard);
}
after(async () => {
  killAll();
  // Who is still there may make files in the folders that are removed next.
  await eventually(() => [...started].every((serve) => serve.left().length === 0));
});
atExit(killAll);

// Where workerd's config lies for a moment; nothing of it is to be left.
const temporary = temporaryFolder();
const stateDir = temporaryFolder();

function killHard(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended, as it should have.
  }
}

/** All processes that have not ended, as [pid, parent, name]. */
function processes() {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const [, name, state, parent] = readFileSync(`/proc/${pid}/stat`, "utf8").match(/\((.*)\) ([A-Z]) (\d+)/s);
      // A zombie has ended; its parent has not asked yet how.
      return state === "Z" ? [] : [[Number(pid), Number(parent), name]];
    } catch {
      return [];
    }
  });
}

/** The workerds that serve hubs of this file just now, whichever `npm run serve` has started them, as pids. */
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

/**
 * `npm run serve` and all that it starts, in a process group of its own, as a shell would. `openFiles` is its limit of
 * open files.
 */
export class Serve {
  constructor(variables, { openFiles = "unlimited" } = {}) {
    const usual = { ACCESS: "open", HOST: "127.0.0.1", STATE_DIR: stateDir, TMPDIR: temporary };
    const env = { ...process.env, ...usual, ...variables };
    this.startedAt = performance.now();
    this.origin = `http://${address(env.HOST, env.PORT)}`;
    this.output = "";
    const limit = openFiles === "unlimited" ? "" : `ulimit -n ${openFiles}; `;
    const command = ["-c", `${limit}exec npm run serve`];
    this.child = spawn("sh", command, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on("data", (data) => (this.output += data));
    this.exited = once(this.child, "exit");
    this.pids = [this.child.pid];
    started.add(this);
  }

  async ready() {
    await eventually(() => this.lines().includes(`sse-broadcaster: serving ${this.origin}`), 10_000, "it is served");
    this.readyMs = performance.now() - this.startedAt;
    this.find();
    return this;
  }

  /** Looks for its processes. */
  find() {
    const all = processes();
    const children = (pid) => all.filter(([child, parent]) => parent === pid && !this.pids.includes(child));
    // Grows while it is walked.
    for (const pid of this.pids) this.pids.push(...children(pid).map(([child]) => child));
    [this.workerd, this.script] = all.find(([pid, , name]) => this.pids.includes(pid) && name === "workerd") ?? [];
  }

  /** Waits until it has started workerd again `times` times. */
  async restarted(times = 1) {
    const served = () => this.lines().filter((line) => line === "sse-broadcaster: serving again").length;
    await eventually(() => served() >= times, 30_000, `it serves again, ${times} times`);
    this.find();
  }

  lines() {
    return this.output.split("\n");
  }

  channel(id) {
    return new Channel(this, id);
  }

  fetch(path, init) {
    return fetch(this.origin + path, init);
  }

  /** Those of its processes that have not ended. */
  left() {
    return processes().filter(([pid]) => this.pids.includes(pid));
  }

  /** Waits for its end; nothing of it may be left then. Returns the exit status. */
  async end() {
    const [status] = await this.exited;
    assert.deepEqual(this.left(), []);
    assert.deepEqual(
      readdirSync(temporary).filter((name) => name.startsWith("sse-broadcaster")),
      [],
    );
    return status;
  }
}

/** Serves on a free port with `variables` of the environment, and waits until it says so. `limits` are those of Serve. */
export async function serve(variables = {}, limits = {}) {
  return new Serve({ PORT: String(await freePort()), ...variables }, limits).ready();
}
