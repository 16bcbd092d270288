// The versions of the programs that the commands run, and which versions of Node can run them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../messages.mjs";

const { version, devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** The version of this package. */
export const VERSION = version;

/** The versions that the tests use: of workerd, of wrangler, and of the npm package `node`. */
export const VERSIONS = /** @type {{ workerd: string, wrangler: string, node: string }} */ (
  Object.fromEntries(["workerd", "wrangler", "node"].map((name) => [name, devDependencies[name]]))
);

/**
 * Whether `version` is at least `least`. Both are three numbers separated by dots.
 * @param {string} version
 * @param {string} least
 */
function isAtLeast(version, least) {
  const [numbers, limits] = [version, least].map((text) => text.split(".").map((part) => Number.parseInt(part, 10)));
  const index = numbers.findIndex((number, index) => number !== limits[index]);
  return index === -1 || numbers[index] > limits[index];
}

const major = (version) => Number.parseInt(version, 10);

/**
 * Whether this wrangler can be used in the place of `VERSIONS.wrangler`. The hub depends only on documented behaviour
 * of wrangler, which does not change within a major version.
 */
export function isUsableWrangler(version) {
  return major(version) === major(VERSIONS.wrangler) && isAtLeast(version, VERSIONS.wrangler);
}

/**
 * Whether this Node has the parts of `node:sqlite` that `serve` uses. They came to Node 22 with 22.16, and not to 23.
 */
export function hasSqlite(version) {
  return isAtLeast(version, "24.0.0") || (major(version) === 22 && isAtLeast(version, "22.16.0"));
}

/** Whether this Node can run wrangler; its package.json says so. */
export function runsWrangler(version) {
  return isAtLeast(version, "22.12.0");
}
