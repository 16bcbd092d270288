// Runs commands that end with this process, together with all processes that they start.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Guard } from "./guard.mjs";
import { whenNpmEnds } from "./npm-parent.mjs";

const SIGNALS = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);
/** How long a command may take to end after a signal, in milliseconds. After that, it is killed. */
const GRACE_MS = 5_000;
/** How long killed processes may take to disappear, in milliseconds. */
const KILLED_MS = 2_000;
/** How often to check whether processes have ended, in milliseconds. */
const POLL_MS = 20;

/**
 * @typedef {object} Options
 * @property {string} cwd
 * @property {NodeJS.ProcessEnv} env
 * @property {import("node:child_process").StdioOptions} stdio
 * @property {boolean} [isServer] whether the command runs until a signal ends it, so that this end is a success
 */

/** The process groups of the commands that run. @type {Map<number, { options: Options, guard: Guard }>} */
const groups = new Map();
let stopping = false;

/**
 * Starts a command. It gets its own process group, which a terminal's Ctrl-C does not reach: this process passes
 * signals on. So it makes no difference whether a signal is sent to npm, to this process, or to both. If this process
 * ends in any way, the whole group ends.
 *
 * `ended` resolves with the exit status, or with an error if the command cannot be started. After a signal it never
 * resolves, because this process exits as soon as everything has ended.
 * @param {string} command
 * @param {string[]} args
 * @param {Options} options
 */
export function start(command, args, options) {
  const guard = new Guard();
  const child = spawn(command, args, { ...options, detached: true });
  const { pid: group } = child;
  if (group !== undefined) {
    guard.watch(-group);
    groups.set(group, { options, guard });
    // During a stop, a task that waited for something other than a command can still start one.
    if (stopping) killGroup(group, "SIGKILL");
    watchSignals();
  }
  /** @type {Promise<number | Error>} */
  const ended = new Promise((resolve) => {
    child.once("error", (error) => group === undefined && resolve(error));
    child.once("exit", () => group !== undefined && !stopping && killGroup(group, "SIGKILL"));
    child.once("close", (status, signal) => {
      // `stop` still needs the groups.
      if (stopping) return;
      guard.kill();
      if (group !== undefined) groups.delete(group);
      watchSignals();
      resolve(signal === null ? (status ?? 1) : 128 + constants.signals[signal]);
    });
  });
  return { child, ended };
}

/** Kills the commands that still run when this process exits, for example because another one has failed. */
function killAll() {
  for (const group of groups.keys()) killGroup(group, "SIGKILL");
}

/** @type {(() => void) | undefined} stops watching npm */
let ignoreNpm;

/** Handles signals, and the end of npm, while commands run. At other times, a signal ends this process at once. */
function watchSignals() {
  const isWatching = ignoreNpm !== undefined;
  if (isWatching === groups.size > 0) return;
  if (isWatching) {
    ignoreNpm?.();
    ignoreNpm = undefined;
    process.off("exit", killAll);
    for (const signal of SIGNALS) process.off(signal, stop);
    return;
  }
  ignoreNpm = whenNpmEnds(() => stop("SIGTERM"));
  process.on("exit", killAll);
  for (const signal of SIGNALS) process.on(signal, stop);
}

/**
 * Ends all commands, and then this process.
 * @param {(typeof SIGNALS)[number]} signal
 */
async function stop(signal) {
  // Ctrl-C in a terminal arrives twice: from the terminal and from npm.
  if (stopping) return;
  stopping = true;
  const isServer = [...groups.values()].some(({ options }) => options.isServer);
  for (const group of groups.keys()) killGroup(group, signal);
  if (!(await haveEnded(GRACE_MS))) {
    killAll();
    await haveEnded(KILLED_MS);
  }
  // A guard that is not ended here outlives this process by some milliseconds.
  await Promise.all([...groups.values()].map(({ guard }) => guard.end()));
  process.exit(isServer ? 0 : 128 + constants.signals[signal]);
}

/** Waits until no process of the groups is left, for at most `ms` milliseconds. Returns whether that is so. */
async function haveEnded(ms) {
  const until = Date.now() + ms;
  while ([...groups.keys()].some((group) => killGroup(group, 0))) {
    if (Date.now() > until) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/**
 * Sends a signal to a process group; 0 only checks that it exists. Returns whether it exists.
 * @param {number} group
 * @param {NodeJS.Signals | 0} signal
 */
function killGroup(group, signal) {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}
