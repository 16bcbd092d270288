import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { atExit } from "./cleanup.mjs";

/** A folder that is removed after the test or file that made it. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), "sse-broadcaster-test-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  after(remove);
  atExit(remove);
  return folder;
}
