// The test files: their names, the choice of them on the command line, and the tools that they import. This module needs
// no npm package, because `npm test` imports it before it installs them.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const SUFFIX = ".test.mjs";
const ALONE = ".alone";
const BY_HAND = "by-hand/";

/**
 * @typedef {object} TestFile
 * @property {string} name its folder and its own name: `delivery/fanout`
 * @property {string} path its path below the folder of tests: `delivery/fanout.alone.test.mjs`
 * @property {boolean} alone whether no other test file may run beside it
 * @property {boolean} byHand whether it runs only if it is chosen
 */

/**
 * Returns all test files of a folder.
 * @param {string} folder
 * @returns {TestFile[]}
 */
export function findTests(folder) {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return paths
    .filter((path) => path.endsWith(SUFFIX) && !path.startsWith("."))
    .sort()
    .map(testFile);
}

/** @param {string} path */
function testFile(path) {
  const name = path.slice(0, -SUFFIX.length);
  const byHand = name.startsWith(BY_HAND);
  const alone = byHand || name.endsWith(ALONE);
  return { name: name.endsWith(ALONE) ? name.slice(0, -ALONE.length) : name, path, alone, byHand };
}

/**
 * Returns the files that `choice` selects: a folder, a file with its folder, or a file without it. A file that is run
 * by hand needs its folder.
 * @param {TestFile[]} files
 * @param {string} choice
 */
export function select(files, choice) {
  return files.filter(({ name, byHand }) => {
    const isShortName = !byHand && name.endsWith(`/${choice}`);
    return isShortName || name === choice || name.startsWith(`${choice}/`);
  });
}

const IMPORT = /^(?:import|export)\s[^;]*?"(\.[^"]+)";$/gms;

/**
 * Returns the paths of a module and of all modules of this project that it imports.
 * @param {string} path
 * @param {Set<string>} found
 */
export function importsOf(path, found = new Set()) {
  if (found.has(path) || !existsSync(path)) return found;
  found.add(path);
  for (const [, imported] of readFileSync(path, "utf8").matchAll(IMPORT))
    importsOf(join(dirname(path), imported), found);
  return found;
}
