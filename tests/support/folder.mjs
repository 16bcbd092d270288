import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { atExit } from "./cleanup.mjs";

/** Makes a folder, and removes it after the test or file that has made it. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), "sse-broadcaster-test-"));
  // A process that was killed just now may still create files, Firefox for more than a second.
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  after(remove);
  atExit(remove);
  return folder;
}
