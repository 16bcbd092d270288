// Starts and stops bare workerd, the open-source runtime of Cloudflare Workers.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { Guard, release, spawnHeld } from "../guard.mjs";
import { say } from "../messages.mjs";
import { workerdBinary } from "../tools/tools.mjs";
import { askAdmin } from "./admin.mjs";
import { keepReserve } from "./reserve.mjs";
import { address, makeConfig } from "./workerd-config.mjs";

export { address, hubModules, NAMESPACE } from "./workerd-config.mjs";

const START_MS = 30_000;
/** How long a stop may take, in milliseconds. */
const STOP_MS = 2_000;
/** How long workerd may take to end the streams, in milliseconds. src/admin.rs takes a second at most to begin. */
const END_STREAMS_MS = 1_600;
/** How long to wait for the end of a workerd that does not answer, in milliseconds, because that end explains more. */
const END_PATIENCE_MS = 500;

/** The name of the admin socket's file. */
const ADMIN_SOCKET = "admin";
/** The longest path of a Unix socket in bytes, without the terminating zero: 103 on macOS, 107 on Linux. */
const MAX_SOCKET_PATH = 103;
/** The name of a temporary folder, to which mkdtemp appends six characters. */
const FOLDER_PREFIX = "sse-broadcaster-";
/** The length of a socket's path without the system's folder of temporary files, in bytes. */
const IN_FOLDER_BYTES = `/${FOLDER_PREFIX}123456/${ADMIN_SOCKET}`.length;

/** The addresses at which a workerd that listens on all addresses can be reached. */
const WILDCARDS = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/**
 * The options of `startWorkerd`. All have defaults.
 *
 * @typedef {object} Options
 * @property {string | import("./workerd-config.mjs").Module[]} [worker] The folder of a Worker built by worker-build,
 *   or its modules, the entry module first. The default is this project's build. The Worker has a Durable Object class
 *   `Channel`, which is bound as CHANNEL.
 * @property {Record<string, string>} [settings] Text bindings.
 * @property {string} [host] Where workerd listens. The default is 127.0.0.1.
 * @property {number | null} [port] The default is a free port. With `null`, workerd listens on no port.
 * @property {string} [stateDir] The folder of the objects' storage. It has to exist. The default is a temporary folder,
 *   which is removed when workerd ends.
 * @property {string} [publicDir] The folder that the binding ASSETS serves. Without it there is no such binding.
 * @property {boolean} [admin] Whether workerd also listens on an admin socket; see src/admin.mjs.
 * @property {string[]} [through] A command and its first arguments. workerd's command line is appended to it, and the
 *   command has to run that.
 * @property {import("node:child_process").IOType} [stdout] As for `spawn`. The default is "inherit".
 * @property {import("node:child_process").IOType} [stderr] As for `spawn`. The default is "inherit".
 * @property {(child: import("node:child_process").ChildProcess) => void} [spawned] Called with the child process before
 *   workerd does anything.
 */

/**
 * Starts a workerd and waits until it answers requests. Throws an error if it does not.
 * @param {Options} options
 */
export async function startWorkerd(options = {}) {
  const workerd = new Workerd(options);
  try {
    await workerd.untilReady(options.host ?? "127.0.0.1");
  } catch (error) {
    workerd.kill();
    throw error;
  } finally {
    workerd.removeConfig();
  }
  return workerd;
}

/** Returns the system's folder of temporary files, or /tmp if the path of a socket in there would be too long. */
function temporaryFolder() {
  const folder = tmpdir();
  return Buffer.byteLength(folder) + IN_FOLDER_BYTES > MAX_SOCKET_PATH ? "/tmp" : folder;
}

/** A process of workerd. A `Guard` ends it when this process ends. */
export class Workerd {
  port = 0;
  origin = "";

  /** @param {Options} options */
  constructor({ through = [], stdout = "inherit", stderr = "inherit", spawned = () => {}, ...options }) {
    // The settings may contain secrets. Only this user can read the folder, and the config is removed once it is read.
    this.folder = mkdtempSync(join(temporaryFolder(), FOLDER_PREFIX));
    /** The path of the admin socket, if there is one. Only this user can connect to a socket in this folder. */
    this.adminSocket = options.admin ? join(this.folder, ADMIN_SOCKET) : undefined;
    this.socket = options.port === null ? "admin" : "http";
    this.config = join(this.folder, "config");
    const killAtExit = () => this.kill();
    process.once("exit", killAtExit);
    this.guard = new Guard(this.folder);
    try {
      const configFile = this.writeConfig(options);
      const command = [...through, workerdBinary(), "serve", "--control-fd=3", configFile];
      this.child = spawnHeld(command, ["ignore", stdout, stderr, "pipe"]);
      if (this.pid) {
        this.guard.watch(this.pid);
        spawned(this.child);
        release(this.child);
      }
    } catch (error) {
      this.kill();
      process.off("exit", killAtExit);
      throw error;
    }
    /** Resolves to the exit status, the signal or an error, in words, when workerd and its guard have ended. */
    this.ended = this.untilExit().then(async (status) => {
      await this.guard.end();
      process.off("exit", killAtExit);
      this.removeFiles();
      return status;
    });
  }

  /** Writes the config and the files that it embeds. Returns its path. */
  writeConfig(options) {
    mkdirSync(this.config);
    const stateDir = options.stateDir ?? join(this.folder, "state");
    if (!options.stateDir) mkdirSync(stateDir);
    keepReserve(stateDir);
    // The path is absolute, because systemd-tmpfiles otherwise removes the socket when it is some days old.
    const { text, files } = makeConfig({ ...options, stateDir, adminSocket: this.adminSocket });
    for (const { from, to } of files) copyFileSync(from, join(this.config, to));
    const configFile = join(this.config, "config.capnp");
    writeFileSync(configFile, text);
    return configFile;
  }

  get pid() {
    return this.child?.pid;
  }

  /** @returns {Promise<string>} */
  untilExit() {
    return new Promise((resolve) => {
      this.child?.once("error", (error) => resolve(error.message));
      this.child?.once("exit", (status, signal) => resolve(signal ? `signal ${signal}` : `status ${status}`));
    });
  }

  /**
   * Waits until workerd answers requests, or listens on its admin socket if that is its only socket. Sets `port` and
   * `origin`.
   */
  async untilReady(host) {
    const ended = this.ended.then((status) => {
      throw new Error(`workerd ended before it answered (${status}); its output is above`);
    });
    const timedOut = sleep(START_MS, undefined, { ref: false }).then(() => {
      throw new Error(`workerd did not answer within ${START_MS / 1000} s`);
    });
    const answered = this.untilAnswered(host).catch(async (error) => {
      await Promise.race([ended, sleep(END_PATIENCE_MS)]);
      throw new Error(`workerd does not answer (${error.cause?.code ?? error.message})`);
    });
    await Promise.race([answered, ended, timedOut]);
  }

  async untilAnswered(host) {
    this.port = await this.untilListening();
    // There is no port to answer at.
    if (this.socket === "admin") return;
    this.origin = `http://${address(WILDCARDS[host] ?? host, this.port)}`;
    const response = await fetch(`${this.origin}/healthz`);
    await response.body?.cancel();
  }

  /**
   * Waits until workerd reports its port on the control pipe. A request to the port would not show that this workerd
   * listens there, because another program could answer it.
   * @returns {Promise<number>}
   */
  untilListening() {
    const control = /** @type {import("node:stream").Readable} */ (this.child?.stdio[3]);
    return new Promise((resolve) => {
      createInterface({ input: control }).on("line", (line) => {
        const { event, socket, port } = JSON.parse(line);
        if (event === "listen" && socket === this.socket) resolve(port);
      });
    });
  }

  removeConfig() {
    rmSync(this.config, { recursive: true, force: true });
  }

  removeFiles() {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Ends workerd at once. */
  kill() {
    this.child?.kill("SIGKILL");
    this.guard.kill();
    this.removeFiles();
  }

  /**
   * Ends workerd, and waits until it has ended. If workerd has an admin socket, it first ends all streams, after the
   * publishes in flight. Then it stops listening, and ends when all requests have ended and all responses are sent.
   * After `graceMs` it is killed, because it would wait for clients that do not read.
   */
  async stop(graceMs = STOP_MS) {
    const timer = setTimeout(() => this.kill(), graceMs);
    await this.endStreams();
    this.child?.kill("SIGTERM");
    await this.ended;
    clearTimeout(timer);
  }

  /**
   * Ends all streams if workerd has an admin socket. If that fails, it only logs why: streams that are left end when
   * workerd ends.
   */
  async endStreams() {
    if (!this.adminSocket) return;
    const signal = AbortSignal.timeout(END_STREAMS_MS);
    const asked = askAdmin(this.adminSocket, "POST", "/stop", signal).then(({ status }) => {
      if (status !== 204) throw new Error(`workerd answered ${status}`);
    });
    const failed = asked.catch(({ message }) => say(`the streams could not be ended properly: ${message}`));
    await Promise.race([failed, this.ended]);
  }
}
