// `node scripts/screenshot.mjs` (after `npm run build`): creates the pictures of the console for the README, in light
// and dark colours. It starts a hub, opens its console in Chromium, and publishes some events.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { startWorkerd } from "../cli/serve/workerd.mjs";
import { chromiumPath } from "../tests/support/chromium.mjs";
import { root, say } from "./install.mjs";

const PORT = 8080;
const SIZE = { width: 720, height: 560 };

/** The published events: [type, data]. */
const EVENTS = [
  ["", "foo=bar"],
  ["", '{"order":4711,"state":"paid"}'],
  ["score", '{"home":6,"away":3}'],
  ["", "half-time"],
  ["score", '{"home":7,"away":3}'],
  ["", "The second half starts at 16:05."],
];

const stateDir = mkdtempSync(join(tmpdir(), "sse-broadcaster-screenshot-"));
const hub = await startWorkerd({
  port: PORT,
  stateDir,
  publicDir: join(root, "public"),
  settings: { ACCESS: "open", LOG_LEVEL: "error" },
});
const browser = await chromium.launch({ executablePath: chromiumPath(), args: ["--no-sandbox", "--disable-gpu"] });
try {
  const channel = `${hub.origin}/channels/foo`;
  for (const [type, body] of EVENTS) {
    const query = type && `?event=${type}`;
    const response = await fetch(`${channel}/broadcast${query}`, { method: "POST", body });
    if (!response.ok) throw new Error(await response.text());
  }
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    const page = await browser.newPage({ colorScheme, viewport: SIZE });
    await page.goto(`${hub.origin}/?channel=foo&types=score&history=${EVENTS.length}`);
    await page
      .locator("#messages li")
      .nth(EVENTS.length - 1)
      .waitFor();
    await page.getByLabel("Message").fill("full-time");
    // Without the focus, no blinking text cursor is in the picture.
    await page.getByLabel("Message").blur();
    await sleep(200);
    const path = join(root, "docs", "images", `console-${colorScheme}.png`);
    await page.screenshot({ path });
    await page.close();
    say(`wrote ${path}`);
  }
} finally {
  await browser.close();
  await hub.stop();
  rmSync(stateDir, { recursive: true, force: true });
}
