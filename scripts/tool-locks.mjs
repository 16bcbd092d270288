// Writes a lock file for each program that the package installs at its first use (see cli/tools/tools.mjs): the part of
// package-lock.json that the program needs. So a user gets the versions that the tests use, with the same hashes.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VERSIONS } from "../cli/tools/versions.mjs";
import { root } from "./install.mjs";

/** @typedef {{ packages: Record<string, any> }} Lock */

/** Returns where npm looks for the package `name`, if the package at `path` imports it. */
function placesFor(path, name) {
  const places = [];
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    places.push(`${folder}${folder ? "/" : ""}node_modules/${name}`);
    if (folder === "") return places;
  }
}

/**
 * Returns the paths of the package `name` and of what it needs, at all depths.
 * @param {Lock} lock
 * @param {string} name
 * @param {boolean} withOptional whether optional dependencies count
 */
function reachable({ packages }, name, withOptional) {
  const paths = new Set([`node_modules/${name}`]);
  // The set grows during this loop.
  for (const path of paths) {
    const { dependencies = {}, optionalDependencies = {} } = packages[path];
    for (const needed of Object.keys(withOptional ? { ...dependencies, ...optionalDependencies } : dependencies)) {
      const place = placesFor(path, needed).find((place) => packages[place]);
      if (place) paths.add(place);
      else if (needed in dependencies) throw new Error(`package-lock.json has no ${needed} for ${path}`);
    }
  }
  return paths;
}

/**
 * Returns the entries of a lock file that the package `name` and all of its dependencies need.
 * @param {Lock} lock
 * @param {string} name
 * @returns {Record<string, any>}
 */
function entriesFor(lock, name) {
  const required = reachable(lock, name, false);
  const entries = [...reachable(lock, name, true)].sort().map((path) => {
    // These flags say why the root of the whole lock file needs the package.
    const { dev, devOptional, optional, peer, ...entry } = lock.packages[path];
    return [path, required.has(path) ? entry : { ...entry, optional: true }];
  });
  return Object.fromEntries(entries);
}

/** Writes the lock files to build/tools/. */
export function writeToolLocks() {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const { allowScripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const folder = join(root, "build", "tools");
  rmSync(folder, { recursive: true, force: true });
  for (const [name, version] of Object.entries(VERSIONS)) {
    const manifest = { name: `sse-broadcaster-${name}`, private: true, dependencies: { [name]: version } };
    const packages = { "": manifest, ...entriesFor(lock, name) };
    const files = {
      "package.json": { ...manifest, allowScripts },
      "package-lock.json": { name: manifest.name, lockfileVersion: lock.lockfileVersion, requires: true, packages },
    };
    mkdirSync(join(folder, name), { recursive: true });
    for (const [file, content] of Object.entries(files)) {
      writeFileSync(join(folder, name, file), `${JSON.stringify(content, undefined, 2)}\n`);
    }
  }
}
