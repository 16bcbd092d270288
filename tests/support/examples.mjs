// Runs the examples as they stand: their servers as processes of their own, and their pages in Chromium.
import { join } from "node:path";
import { root } from "../../scripts/install.mjs";
import { openBrowser } from "./browser.mjs";
import { freePort } from "./port.mjs";
import { Started } from "./start.mjs";

/** The address of the hub in all pages of the examples. */
const SHOWN_HUB = "127.0.0.1:8080";

/**
 * Starts a Chromium in which the address of the hub that the pages name leads to `hub`.
 * @param {{ origin: string }} hub
 */
export function openBrowserFor(hub) {
  return openBrowser([`--host-resolver-rules=MAP ${SHOWN_HUB} ${new URL(hub.origin).host}`]);
}

/**
 * Runs a program of examples/ for `hub`. It is killed after the test or file that has started it.
 * @param {string} path
 * @param {{ origin: string }} hub
 * @param {Record<string, string>} variables
 * @param {string[]} args
 */
export function runExample(path, hub, variables = {}, args = []) {
  const HUB = hub.origin;
  return new Started([process.execPath, join(root, "examples", path), ...args], { HUB, ...variables });
}

/**
 * Runs a server of examples/ on a free port, and waits until it serves. Returns its origin.
 * @param {string} path
 * @param {{ origin: string }} hub
 * @param {Record<string, string>} variables
 */
export async function serveExample(path, hub, variables = {}) {
  const PORT = String(await freePort());
  const server = runExample(path, hub, { PORT, ...variables });
  await server.says("serving");
  return `http://127.0.0.1:${PORT}`;
}

/** Returns the lines of the script of a page that are neither empty nor a comment. */
export function scriptLines(html) {
  const [, script] = html.match(/<script type="module">\n(.*?)\n *<\/script>/s) ?? [];
  return script.split("\n").filter((line) => line.trim() !== "" && !line.trim().startsWith("//"));
}
