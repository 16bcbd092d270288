// The machine's own Chromium, without a window.
import { after } from "node:test";
import { chromium } from "playwright-core";
import { chromiumPath } from "./chromium.mjs";

/** Starts Chromium, and closes it after the test or file that has started it. */
export async function openBrowser() {
  const browser = await chromium.launch({
    executablePath: chromiumPath(),
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  after(() => browser.close());
  return browser;
}
