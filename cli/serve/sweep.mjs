// Removes empty databases while workerd runs. workerd creates a file of 4 KiB for every object that it starts, even if
// the channel is only read from, and leaves the file when the object ends.
import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { channelDatabases, isEmpty } from "./databases.mjs";

/** The time between two sweeps, in milliseconds. */
export const SWEEP_MS = 60_000;
/** How many databases one sweep removes at most. This many block this process for about a second. */
const MAX_DATABASES = 5_000;
/** A database that was used within this time, in milliseconds, may still be in use. */
const UNUSED_MS = 15_000;
/**
 * How long to wait before a renamed database is removed, in milliseconds. An object that opens it writes a log by then.
 */
const SETTLE_MS = 1_000;

/** The suffix of a database that is about to be removed. */
const REMOVING = ".removing";

/**
 * Removes empty databases in `folder`, and returns how many.
 *
 * An object may open a database while it is being removed, and would then write to a file that has no name any more. So
 * the database is renamed first, and an object that opens it later creates a new one. If an object had opened it just
 * before, a log (-wal) appears within SETTLE_MS, but no new database. In that case the database gets its name back.
 */
export async function sweepEmpty(folder, { settleMs = SETTLE_MS, unusedMs = UNUSED_MS } = {}) {
  const renamed = [];
  for (const { path } of channelDatabases(folder)) {
    if (renamed.length === MAX_DATABASES) break;
    if (renameIfEmpty(path, unusedMs)) renamed.push(path);
  }
  if (renamed.length === 0) return 0;
  await sleep(settleMs);
  return renamed.filter(removeUnlessOpened).length;
}

/** Whether no object uses the database, or has used it within `unusedMs`. */
function isUnused(path, unusedMs) {
  if (existsSync(`${path}-wal`)) return false;
  const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
  return Date.now() - mtimeMs >= unusedMs;
}

/**
 * Renames a database if it is empty and unused. Skips a database that cannot be read; the next sweep tries it again.
 */
function renameIfEmpty(path, unusedMs) {
  try {
    if (!isUnused(path, unusedMs) || !isEmpty(path)) return false;
    renameSync(path, path + REMOVING);
    return true;
  } catch {
    return false;
  }
}

/** Removes a renamed database, or restores its name if an object has opened it. Returns whether it was removed. */
function removeUnlessOpened(path) {
  // A restart of workerd in the meantime has restored all names.
  if (!existsSync(path + REMOVING)) return false;
  const wasOpened = (existsSync(`${path}-wal`) && !existsSync(path)) || !isEmpty(path + REMOVING);
  if (wasOpened && existsSync(path)) throw new Error(`both ${path + REMOVING} and ${path} contain data`);
  if (wasOpened) renameSync(path + REMOVING, path);
  else rmSync(path + REMOVING);
  return !wasOpened;
}

/** Restores the names of databases that an interrupted sweep had renamed. No workerd may use the folder meanwhile. */
export function undoSweep(folder) {
  for (const { path } of channelDatabases(folder, REMOVING)) {
    if (existsSync(path) && isEmpty(path + REMOVING)) rmSync(path + REMOVING);
    else if (!existsSync(path)) renameSync(path + REMOVING, path);
  }
}
