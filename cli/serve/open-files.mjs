// The limit of open files of this process and its children, and how many connections and channels it allows.
import { spawnSync } from "node:child_process";

/** How many files workerd keeps open when nobody is connected, as measured, with a reserve for its own requests. */
const PROCESS_FILES = 40;
/** How many files a connection takes: workerd duplicates its file descriptor. */
const CONNECTION_FILES = 2;
/**
 * How many files a channel's object takes while it is in memory: its database, the write-ahead log, and the log's
 * index.
 */
export const OBJECT_FILES = 3;
/** How long the runtime keeps an unused object in memory, with a reserve, in milliseconds. */
const OBJECT_MS = 11_000;

/**
 * Returns the limit of open files of the processes that this process starts. Node raises its own soft limit to the hard
 * limit when it starts, and its children inherit that. Returns Infinity if there is no limit or it cannot be
 * determined.
 */
export function openFilesLimit() {
  const { stdout } = spawnSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" });
  const limit = Number(stdout);
  return Number.isInteger(limit) && limit > 0 ? limit : Infinity;
}

/** Returns how many connections the limit allows if no channel is active. */
function connectionsThatFit(limit) {
  return Math.max(0, Math.floor((limit - PROCESS_FILES) / CONNECTION_FILES));
}

/** Describes what the limit allows, for the log. */
export function describeRoom(limit) {
  if (limit === Infinity) return "there is no limit of open files";
  const costs = `a connection takes ${CONNECTION_FILES}, an active channel ${OBJECT_FILES} more`;
  return `the limit of open files is ${limit}: enough for ${connectionsThatFit(limit)} connections (${costs})`;
}

/**
 * Returns how many milliseconds have to pass between two uses of objects, if all used objects together may take the
 * `share` of the limit.
 */
export function objectIntervalMs(limit, share) {
  return (OBJECT_MS * OBJECT_FILES) / Math.max(OBJECT_FILES, (limit - PROCESS_FILES) * share);
}
