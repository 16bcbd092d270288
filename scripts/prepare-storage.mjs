// Makes the storage of the channels ready for workerd, while no workerd uses it.
import { closeSync, existsSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Alarms } from "./alarms.mjs";
import { removeEmpty } from "./databases.mjs";
import { objectIntervalMs } from "./open-files.mjs";
import { undoSweep } from "./sweep.mjs";

/** How long a start may look for databases that hold nothing. */
const REMOVING_MS = 1_000;
/** Clearing a channel syncs files to the disk so often, and computes for so long. Both block workerd's only thread. */
const SYNCS = 5;
const COMPUTING_MS = 3;
/** The share of workerd's time, and of its open files, that clearing overdue channels may take. */
const SHARE_OF_TIME = 1 / 20;
const SHARE_OF_FILES = 1 / 4;
/** However slow the disk is, the overdue channels come to an end. */
const MAX_INTERVAL_MS = 1_000;
/** How often the disk's speed is measured; the median counts. */
const MEASUREMENTS = 5;
const MEASURED_BYTES = 4096;

/**
 * Prepares `folder`, in which workerd keeps the channels' databases: removes databases that hold nothing, and spreads
 * alarms that are overdue. `filesLimit` is the limit of open files; `say` logs a line. Throws an error that says what to
 * do.
 */
export function prepareStorage(folder, filesLimit, say) {
  // workerd makes it.
  if (!existsSync(folder)) return;
  // First of all, because it makes sure that no workerd uses the folder.
  const alarms = new Alarms(folder, say);
  try {
    undoSweep(folder);
    alarms.remove(removeEmpty(folder, REMOVING_MS));
    const overdue = alarms.overdue();
    const intervalMs = Math.ceil(clearingIntervalMs(folder, filesLimit));
    spreadIfPossible(alarms, intervalMs, say);
    if (overdue > 1) say(`${overdue} channels are overdue to be cleared; clearing one every ${intervalMs} ms`);
  } finally {
    alarms.close();
  }
}

/** Spreads alarms, where the disk has space for that. */
function spreadIfPossible(alarms, intervalMs, say) {
  try {
    alarms.spread(intervalMs);
  } catch (error) {
    say(`alarms are not spread: ${error.message}`);
  }
}

/** How many milliseconds are to pass from clearing one overdue channel to clearing the next. */
function clearingIntervalMs(folder, filesLimit) {
  const byTime = Math.min(busyMs(folder) / SHARE_OF_TIME, MAX_INTERVAL_MS);
  return Math.max(byTime, objectIntervalMs(filesLimit, SHARE_OF_FILES));
}

/** How long clearing a channel keeps workerd's thread busy. */
function busyMs(folder) {
  try {
    return SYNCS * syncMs(folder) + COMPUTING_MS;
  } catch {
    // The disk is full. The slowest pace will do until the next start.
    return Infinity;
  }
}

/** How long it takes to sync a new file to the disk, as each clearing does. */
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
