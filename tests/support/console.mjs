// The console in Chromium, at a hub that wants tokens: what is done there, and what is seen.
import { openBrowser } from "./browser.mjs";
import { SECRET, authorized, mint } from "./tokens.mjs";
import { startClosed } from "./workerd.mjs";

const browser = await openBrowser();

export const hub = await startConsole();
export const minute = { timeout: 60_000 };

/** Starts a hub that serves the console, to those alone who have a token. */
export function startConsole(settings) {
  return startClosed({ JWT_SECRET: SECRET, ...settings }, { withConsole: true });
}

/** A channel, as somebody uses it who may. */
export async function openChannel(id, of = hub) {
  return authorized(of.channel(id), await mint());
}

/** A page of a browser that has nothing but `cookie` (for the hub, and so for all ports of its host). */
export async function newPage(cookie) {
  const context = await browser.newContext();
  if (cookie) await setCookie(context, cookie);
  return context.newPage();
}

export function setCookie(context, token) {
  const cookie = { name: "sse_broadcaster_token", value: token, url: hub.origin, httpOnly: true, sameSite: "Lax" };
  return context.addCookies([cookie]);
}

/** Waits until the page says so of its stream. */
export const status = (page, text) => page.locator("#status", { hasText: text }).waitFor();
export const state = (page) => page.locator("#status").getAttribute("data-state");
/** Waits until the list shows that. */
export const item = (page, text) => page.locator("#messages li", { hasText: text }).waitFor();

/** What the list shows, oldest first. */
export async function items(page) {
  return (await page.locator("#messages .text").allTextContents()).reverse();
}

export async function subscribe(page, token) {
  if (token !== undefined) await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Subscribe" }).click();
}

export async function broadcast(page, data) {
  await page.getByLabel("Message").fill(data);
  await page.getByRole("button", { name: "Broadcast" }).click();
}
