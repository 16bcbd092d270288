// Removes databases that hold nothing while workerd runs. workerd makes a file of 4 KiB for every object that it starts, also
// for a channel that was only read from, and leaves it when the object is gone.
import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { channelDatabases, isEmpty } from "./databases.mjs";

/** How often that is done, in milliseconds. */
export const SWEEP_MS = 60_000;
/** The most databases that one sweep removes: it keeps this process busy for a second or so. */
const MOST = 5_000;
/** A database that was used so short a time ago, in milliseconds, may be used again. */
const UNUSED_MS = 15_000;
/** How long a database that was set aside waits, in milliseconds. An object that opens it has its log there by then. */
const SETTLE_MS = 1_000;

const ASIDE = ".removing";

/**
 * Removes databases in `folder` that hold nothing. Returns how many.
 *
 * An object may open a database in the moment in which it is removed, and would go on writing to a file without a name. So
 * a database is set aside first, under another name. Whoever opens it after that makes a new one. If an object had opened it
 * just before, its log (-wal) is there after a while, but no new database: then it gets its name back.
 */
export async function sweepEmpty(folder, { settleMs = SETTLE_MS, unusedMs = UNUSED_MS } = {}) {
  const aside = [];
  for (const { path } of channelDatabases(folder)) {
    if (aside.length === MOST) break;
    if (setAside(path, unusedMs)) aside.push(path);
  }
  if (aside.length === 0) return 0;
  await sleep(settleMs);
  return aside.filter(removeUnlessOpened).length;
}

/** Whether no object has the database open, and none had for a while. */
function isUnused(path, unusedMs) {
  if (existsSync(`${path}-wal`)) return false;
  const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
  return Date.now() - mtimeMs >= unusedMs;
}

/** Sets a database aside, if it holds nothing and is not used. One that cannot be looked at is left for the next sweep. */
function setAside(path, unusedMs) {
  try {
    if (!isUnused(path, unusedMs) || !isEmpty(path)) return false;
    renameSync(path, path + ASIDE);
    return true;
  } catch {
    return false;
  }
}

/** Removes a database that was set aside, or gives it its name back. Returns whether it was removed. */
function removeUnlessOpened(path) {
  // workerd was started again meanwhile, which gives all names back.
  if (!existsSync(path + ASIDE)) return false;
  const wasOpened = (existsSync(`${path}-wal`) && !existsSync(path)) || !isEmpty(path + ASIDE);
  if (wasOpened && existsSync(path)) throw new Error(`${path + ASIDE} holds something, and so does ${path}`);
  if (wasOpened) renameSync(path + ASIDE, path);
  else rmSync(path + ASIDE);
  return !wasOpened;
}

/** Gives databases their names back that were set aside when the hub before this one ended. No workerd may run. */
export function undoSweep(folder) {
  for (const { path } of channelDatabases(folder, ASIDE)) {
    if (existsSync(path) && isEmpty(path + ASIDE)) rmSync(path + ASIDE);
    else if (!existsSync(path)) renameSync(path + ASIDE, path);
  }
}
