// `npm start` and other npm commands of the project, as processes of their own.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { cpSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { root } from "../../scripts/install.mjs";
import { atExit, killHard } from "./cleanup.mjs";
import { temporaryFolder } from "./folder.mjs";
import { processes } from "./serve.mjs";
import { eventually } from "./wait.mjs";

/** What `npm start` reads of a clone. */
const SOURCES = ["package.json", "package-lock.json", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"].concat(
  ...["wrangler.toml", ".dev.vars", "src", "crates", "client", "console", "bench", "scripts", "cli", "public"],
);

/**
 * Copies the project to a folder in which nothing is built. Returns the folder.
 * @param {{ packages?: boolean }} options `packages` says whether the npm packages are installed there
 */
export function copyProject({ packages = true } = {}) {
  const folder = temporaryFolder();
  for (const name of SOURCES) {
    cpSync(join(root, name), join(folder, name), { recursive: true, preserveTimestamps: true });
  }
  if (packages) symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** A command in a session of its own, as a terminal starts it, and all processes that it starts. */
export class Started {
  /**
   * @param {string[]} command
   * @param {Record<string, string | undefined>} variables
   * @param {string} cwd
   */
  constructor([command, ...args], variables = {}, cwd = root) {
    // The variables with which npm starts the tests must not count.
    const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|PORT$|RUST_BACKTRACE$)/i.test(name));
    this.mark = `STARTED_BY_TEST=${randomUUID()}`;
    const [name, value] = this.mark.split("=");
    const env = /** @type {NodeJS.ProcessEnv} */ ({ ...Object.fromEntries(inherited), ...variables, [name]: value });
    this.child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    this.output = "";
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        this.output += text;
      });
    }
    this.closed = once(this.child, "close");
    this.pids = new Set([this.child.pid]);
    const kill = () => {
      for (const { pid } of this.running()) killHard(pid);
    };
    after(kill);
    atExit(kill);
  }

  /** Waits until its output contains `text`. */
  async says(text, ms = 60_000) {
    const { child } = this;
    const isSaid = () => this.output.includes(text) || child.exitCode !== null;
    await eventually(isSaid, ms, `the output contains ${text}`);
    if (!this.output.includes(text)) throw new Error(`it has ended before it said ${text}: ${this.output}`);
  }

  /** Returns its processes that have not ended, also those whose parent has ended. */
  running() {
    const all = processes().map(([pid, parent, name]) => ({ pid, parent, name }));
    // The list grows during this loop.
    for (const pid of this.pids) for (const child of all) if (child.parent === pid) this.pids.add(child.pid);
    return all.filter(({ pid }) => this.pids.has(pid) || this.#isMarked(pid));
  }

  #isMarked(pid) {
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").includes(this.mark);
    } catch {
      return false;
    }
  }

  /** Returns the pid of the script that npm has started. */
  scriptPid() {
    const script = this.running().find(({ parent }) => parent === this.child.pid);
    if (!script) throw new Error("npm has started nothing");
    return script.pid;
  }

  /** Waits until it has ended. Returns the exit status and the messages of the scripts. */
  async end() {
    const [status] = await this.closed;
    const said = this.output.split("\n").filter((line) => line.startsWith("sse-broadcaster: "));
    return { status, said: said.map((line) => line.replace("sse-broadcaster: ", "")) };
  }
}
