import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { atExit } from "./cleanup.mjs";

/** How long other processes may still create files in a folder that is being removed, in milliseconds. */
const PATIENCE_MS = 20_000;
const PAUSE_MS = 50;
/** The errors of a removal while another process creates files, or still has them open. */
const PASSING = ["ENOTEMPTY", "EBUSY", "EPERM"];

/** Makes a folder, and removes it after the test or file that has made it. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), "sse-broadcaster-test-"));
  after(async () => {
    for (const end = Date.now() + PATIENCE_MS; !isRemoved(folder, end); ) await sleep(PAUSE_MS);
  });
  atExit(() => {
    // Nothing can be awaited when the process exits.
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (const end = Date.now() + PATIENCE_MS; !isRemoved(folder, end); ) Atomics.wait(pause, 0, 0, PAUSE_MS);
  });
  return folder;
}

/**
 * Removes a folder. Returns false if another process has created a file in it meanwhile, which a process that was killed
 * just now may do, Firefox for more than a second. The option `maxRetries` of `rmSync` does not look for new files.
 * @param {string} folder
 * @param {number} end when to throw the error instead, in milliseconds since 1970
 */
function isRemoved(folder, end) {
  try {
    rmSync(folder, { recursive: true, force: true });
    return true;
  } catch (error) {
    if (!PASSING.includes(error.code) || Date.now() > end) throw error;
    return false;
  }
}
