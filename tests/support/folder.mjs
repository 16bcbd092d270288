import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { atExit } from "./cleanup.mjs";

/** How long other processes may still create files in a folder that is being removed, in milliseconds. */
const PATIENCE_MS = 20_000;
const PAUSE_MS = 50;

/** Makes a folder, and removes it after the test or file that has made it. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), "sse-broadcaster-test-"));
  after(() => remove(folder));
  atExit(() => remove(folder));
  return folder;
}

/**
 * Removes a folder. A process that was killed just now may still create files in it, Firefox for more than a second. The
 * option `maxRetries` of `rmSync` does not help: it does not look for new files.
 * @param {string} folder
 */
function remove(folder) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      if (error.code !== "ENOTEMPTY" || Date.now() > end) throw error;
      // This also runs when the process exits, where nothing can be awaited.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
}
