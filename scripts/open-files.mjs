// How many files this process and its children may have open, and what that is enough for.
import { spawnSync } from "node:child_process";

/** What workerd has open when nobody is connected, measured, and some more for requests of its own. */
const PROCESS = 40;
/** What a connection takes: workerd duplicates its file descriptor. */
const CONNECTION = 2;
/** What a channel's object takes while it is in memory: its database, the database's log, and the log's index. */
const OBJECT = 3;
/** How long the runtime keeps an object in memory that nobody uses, and some more. */
const OBJECT_MS = 11_000;

/**
 * The limit of open files of the processes that this one starts. Node raises its own soft limit to the hard one when it
 * starts, and its children inherit that. Infinity where there is no limit, or none that can be found out.
 */
export function openFilesLimit() {
  const { stdout } = spawnSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" });
  const limit = Number(stdout);
  return Number.isInteger(limit) && limit > 0 ? limit : Infinity;
}

/** How many connections fit the limit, when no channel is active. */
export function connectionsThatFit(limit) {
  return Math.max(0, Math.floor((limit - PROCESS) / CONNECTION));
}

/** The same, in words. */
export function roomInWords(limit) {
  if (limit === Infinity) return "there is no limit of open files";
  const costs = `a connection takes ${CONNECTION}, an active channel ${OBJECT} more`;
  return `the limit of open files is ${limit}: enough for ${connectionsThatFit(limit)} connections (${costs})`;
}

/** How much time has to pass from one use of an object to the next, when together they may take a `share` of the limit. */
export function objectIntervalMs(limit, share) {
  return (OBJECT_MS * OBJECT) / Math.max(OBJECT, (limit - PROCESS) * share);
}
