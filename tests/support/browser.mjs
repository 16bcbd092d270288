// The machine's own Chromium, headless.
import { after } from "node:test";
import { chromium } from "playwright-core";
import { chromiumPath } from "./tools.mjs";

/** Starts Chromium and returns a page. It is closed after the test file. */
export async function openBrowser() {
  const browser = await chromium.launch({
    executablePath: chromiumPath(),
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  after(() => browser.close());
  return browser;
}
