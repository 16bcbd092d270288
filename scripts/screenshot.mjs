// `node scripts/screenshot.mjs` (after `npm run build`): creates the pictures of the console for the README and
// docs/console.md, on a wide and on a narrow screen, in light and dark colours. It starts a hub, opens its console in
// Chromium, and publishes some events.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { startWorkerd } from "../cli/serve/workerd.mjs";
import { chromiumPath } from "../tests/support/chromium.mjs";
import { root, say } from "./install.mjs";

const PORT = 8080;
/** The sizes of the pictures, by the end of their names. */
const SIZES = { "": { width: 1280, height: 720 }, "-phone": { width: 390, height: 844 } };
/** Events of a match: [type, data]. */
const EVENTS = [
  ["", "foo=bar"],
  ["order", '{"order":4711,"state":"paid","customer":{"name":"Ada","since":2019},"items":[{"id":7,"count":2}]}'],
  ["score", '{"home":6,"away":3}'],
  ["", "half-time"],
  ["score", '{"home":7,"away":3}'],
];
/** The messages that the pages publish, one each. */
const BROADCASTS = ["The second half starts at 16:05.", "kick-off", "corner for Home", "full-time"];
/** How many short events are published in each second before those, so that the sparkline has a shape. */
const TICKS = [3, 5, 2, 8, 12, 7, 4, 9, 15, 11, 6, 3, 5, 10, 4, 2, 6, 8, 3, 1, 4, 7, 12, 9, 5, 3, 6, 10, 7, 4];

const stateDir = mkdtempSync(join(tmpdir(), "sse-broadcaster-screenshot-"));
const hub = await startWorkerd({
  port: PORT,
  stateDir,
  publicDir: join(root, "public"),
  settings: { ACCESS: "open", LOG_LEVEL: "error" },
});
const browser = await chromium.launch({ executablePath: chromiumPath(), args: ["--no-sandbox", "--disable-gpu"] });

const channel = `${hub.origin}/channels/foo`;

/** Publishes events in one request. */
async function publish(...events) {
  const body = events.map(([type, data]) => `${type && `event: ${type}\n`}data: ${data}\n\n`).join("");
  const headers = { "Content-Type": "text/event-stream" };
  const response = await fetch(`${channel}/broadcast`, { method: "POST", headers, body });
  if (!response.ok) throw new Error(await response.text());
}

/** Opens the console. Returns its page, and the path of its picture. */
async function openConsole(name, colorScheme, viewport) {
  // A context of its own has connections of its own to the hub.
  const context = await browser.newContext({ colorScheme, viewport });
  const page = await context.newPage();
  await page.goto(`${hub.origin}/?channel=foo`);
  await page.locator("#status[data-state=open]").waitFor();
  return { page, path: join(root, "docs", "images", `console-${colorScheme}${name}.png`) };
}

/** Publishes an event as a user does. */
async function broadcast(page, data) {
  await page.locator("#publish textarea").fill(data);
  await page.locator("#publish").evaluate((form) => form.requestSubmit());
  await page.locator("#delay", { hasText: "ms" }).waitFor();
}

try {
  const opened = [];
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    for (const [name, viewport] of Object.entries(SIZES)) opened.push(await openConsole(name, colorScheme, viewport));
  }
  for (const count of TICKS) {
    await publish(...Array(count).fill(["tick", "."]));
    await sleep(1_000);
  }
  for (const event of EVENTS) await publish(event);
  for (const [n, { page }] of opened.entries()) {
    await page.evaluate(() => {
      for (const panel of document.querySelectorAll("details")) panel.open = true;
    });
    await broadcast(page, BROADCASTS[n]);
  }
  for (const { page, path } of opened) {
    await page.evaluate(() => {
      document.getElementById("panels")?.scrollTo(0, 0);
      if (innerWidth < 800) for (const panel of document.querySelectorAll("details")) panel.open = false;
      // Without the focus, no blinking text cursor is in the picture.
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    });
    await sleep(600);
    await page.screenshot({ path });
    say(`wrote ${path}`);
  }
} finally {
  await browser.close();
  await hub.stop();
  rmSync(stateDir, { recursive: true, force: true });
}
