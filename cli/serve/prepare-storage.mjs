// Prepares the storage of the channels before workerd starts.
import { closeSync, existsSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Alarms } from "./alarms.mjs";
import { removeEmpty } from "./databases.mjs";
import { objectIntervalMs } from "./open-files.mjs";
import { undoSweep } from "./sweep.mjs";

/** How long a start may search for empty databases, in milliseconds. */
const REMOVING_MS = 1_000;
/** How often clearing a channel syncs a file to the disk. Each sync blocks workerd's only thread. */
const SYNCS = 5;
/** How long clearing a channel computes on that thread, in milliseconds. */
const COMPUTING_MS = 3;
/** The share of workerd's time that clearing overdue channels may take. */
const SHARE_OF_TIME = 1 / 20;
/** The share of workerd's open files that clearing overdue channels may take. */
const SHARE_OF_FILES = 1 / 4;
/** The longest interval, in milliseconds, so that even on a slow disk all overdue channels are cleared. */
const MAX_INTERVAL_MS = 1_000;
/** How often the speed of the disk is measured. The median counts. */
const MEASUREMENTS = 5;
const MEASURED_BYTES = 4096;

/**
 * Prepares `folder`, in which workerd keeps the channels' databases: removes empty databases and reschedules overdue
 * alarms. No workerd may use the folder meanwhile. `filesLimit` is the limit of open files, and `say` logs a line.
 * Throws an error with a message for the operator.
 */
export function prepareStorage(folder, filesLimit, say) {
  // Before the first start there is no such folder. workerd creates it.
  if (!existsSync(folder)) return;
  // The alarms come first, because their lock ensures that no workerd uses the folder.
  const alarms = new Alarms(folder, say);
  try {
    undoSweep(folder);
    alarms.remove(removeEmpty(folder, REMOVING_MS));
    const overdue = alarms.overdue();
    const intervalMs = Math.ceil(clearingIntervalMs(folder, filesLimit));
    trySpread(alarms, intervalMs, say);
    if (overdue > 1) say(`${overdue} channels are overdue to be cleared; clearing one every ${intervalMs} ms`);
  } finally {
    alarms.close();
  }
}

/** Spreads the alarms. On a full disk that fails, and the hub starts all the same. */
function trySpread(alarms, intervalMs, say) {
  try {
    alarms.spread(intervalMs);
  } catch (error) {
    say(`the overdue alarms could not be rescheduled: ${error.message}`);
  }
}

/** Returns how many milliseconds should pass between clearing two overdue channels. */
function clearingIntervalMs(folder, filesLimit) {
  const byTime = Math.min(busyMs(folder) / SHARE_OF_TIME, MAX_INTERVAL_MS);
  return Math.max(byTime, objectIntervalMs(filesLimit, SHARE_OF_FILES));
}

/** Estimates how long clearing one channel blocks workerd's thread, in milliseconds. */
function busyMs(folder) {
  try {
    return SYNCS * syncMs(folder) + COMPUTING_MS;
  } catch {
    // The disk is full. The longest interval is used until the next start.
    return Infinity;
  }
}

/** Measures how long it takes to sync a new file to the disk, in milliseconds. Clearing a channel does the same. */
function syncMs(folder) {
  const measured = Array.from({ length: MEASUREMENTS }, () => {
    const path = join(folder, "speed-of-disk");
    const file = openSync(path, "w");
    try {
      const since = performance.now();
      writeSync(file, Buffer.alloc(MEASURED_BYTES));
      fsyncSync(file);
      return performance.now() - since;
    } finally {
      closeSync(file);
      rmSync(path);
    }
  });
  return measured.sort((a, b) => a - b)[Math.floor(MEASUREMENTS / 2)];
}
