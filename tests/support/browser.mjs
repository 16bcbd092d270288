// The machine's own Chromium, headless.
import { after } from "node:test";
import { chromium } from "playwright-core";
import { chromiumPath } from "./chromium.mjs";

/** Starts Chromium. It is closed after the test or file that started it. */
export async function openBrowser() {
  const browser = await chromium.launch({
    executablePath: chromiumPath(),
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  after(() => browser.close());
  return browser;
}
