// Runs the shell commands of each page of the documentation, in order, and compares what they print with what the page
// shows.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../support/folder.mjs";
import { blocksOf, PAGES } from "../support/markdown.mjs";
import { freePort } from "../support/port.mjs";
import { masked, OUTPUTS, Shell } from "../support/snippets.mjs";
import { startWorkerd } from "../support/workerd.mjs";

/** publishing.test.mjs runs this page's blocks. */
const ELSEWHERE = "docs/publishing.md";
/** A block that starts a hub itself. */
const STARTS_HUB = "npm run serve";

/** Returns the shell for a block: the shared one, or one of its own if the block starts a hub, on a free port. */
async function shellFor(text, shared) {
  if (!text.includes(STARTS_HUB)) return shared;
  const PORT = String(await freePort());
  const folder = temporaryFolder();
  const env = { PORT, STATE_DIR: join(folder, "state"), TMPDIR: folder };
  return new Shell(`http://127.0.0.1:${PORT}`, env);
}

for (const page of PAGES.filter((page) => page !== ELSEWHERE)) {
  const blocks = blocksOf(page);
  const isRun = ({ mark, language }) => !mark && language === "sh";
  if (!blocks.some(isRun)) continue;
  test(`the commands of ${page} do what the page says`, { timeout: 120_000 }, async () => {
    const hub = await startWorkerd({}, { withConsole: true });
    const shared = new Shell(hub.origin);
    for (const [index, block] of blocks.entries()) {
      if (!isRun(block)) continue;
      const next = blocks[index + 1];
      const shown = next && !next.mark && OUTPUTS.includes(next.language) ? next.text : undefined;
      const shell = await shellFor(block.text, shared);
      const output = await shell.run(block.text, shown?.includes("urn:sse-broadcaster:problem:"));
      if (shown) assert.equal(masked(output), masked(shown), `${page}:${block.line}`);
    }
  });
}
