// The machine's own Chromium, without a window.
import { after } from "node:test";
import { chromium } from "playwright-core";
import { chromiumPath } from "./chromium.mjs";

/**
 * Starts Chromium, and closes it after the test or file that has started it.
 * @param {string[]} flags further arguments of Chromium
 */
export async function openBrowser(flags = []) {
  const browser = await chromium.launch({
    executablePath: chromiumPath(),
    timeout: 120_000,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", ...flags],
  });
  after(() => browser.close());
  return browser;
}
