// Helpers for tests of the console in Chromium, on a hub that needs tokens.
import { openBrowser } from "./browser.mjs";
import { authorized, mint, SECRET } from "./tokens.mjs";
import { startTokenHub } from "./workerd.mjs";

export * from "./console-page.mjs";

const browser = await openBrowser();

export const hub = await startConsole();
export { threeMinutes } from "./wait.mjs";

/**
 * Starts a hub that serves the console and needs tokens.
 * @param {import("./hub.mjs").Settings} [settings]
 */
export function startConsole(settings) {
  return startTokenHub({ JWT_SECRET: SECRET, ...settings }, { withConsole: true });
}

/** Returns a channel whose requests carry a token for everything. */
export async function openChannel(id, of = hub) {
  return authorized(of.channel(id), await mint());
}

/**
 * Opens a page in a new browser context, which has only `cookie`, if any. A cookie is for all ports of the hub's host.
 * @param {string} [cookie] a token
 */
export async function newPage(cookie) {
  const context = await browser.newContext();
  if (cookie) await setCookie(context, cookie);
  return context.newPage();
}

/**
 * @param {import("playwright-core").BrowserContext} context
 * @param {string} token
 */
export function setCookie(context, token) {
  const cookie = { name: "sse_broadcaster_token", value: token, url: hub.origin, httpOnly: true };
  return context.addCookies([{ ...cookie, sameSite: "Lax" }]);
}
