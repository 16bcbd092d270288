// Finds variables that were probably meant to be a setting.
import { say } from "../messages.mjs";
import { SETTINGS } from "./settings.mjs";

/** The names of all variables that `npm run serve` reads, except PORT and HOST, which are too short to be compared. */
const NAMES = [...SETTINGS, "STATE_DIR"];

/** A name of at least this length may have two typos, and a shorter one a single typo. */
const LONG_NAME = 12;

/**
 * Returns the number of edits that lead from one text to another: a character is inserted, removed or replaced, or two
 * neighbours are swapped (the optimal string alignment distance).
 */
export function distance(from, to) {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= from.length; row++) {
    rows.push([row]);
    for (let column = 1; column <= to.length; column++) {
      const replaced = rows[row - 1][column - 1] + (from[row - 1] === to[column - 1] ? 0 : 1);
      const areSwapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const swapped = areSwapped ? rows[row - 2][column - 2] + 1 : Infinity;
      rows[row][column] = Math.min(rows[row - 1][column] + 1, rows[row][column - 1] + 1, replaced, swapped);
    }
  }
  return rows[from.length][to.length];
}

/** Returns the setting that `name` was probably meant to be, or undefined. */
export function meant(name) {
  const upper = name.toUpperCase().replaceAll("-", "_");
  const edits = (setting) => distance(upper, setting);
  const [closest] = NAMES.toSorted((a, b) => edits(a) - edits(b));
  const allowed = closest.length >= LONG_NAME ? 2 : 1;
  return edits(closest) <= allowed ? closest : undefined;
}

/**
 * Returns the variables that are set, have no meaning, and differ from a setting by a typo or by their case, with the
 * settings that were probably meant.
 * @param {Record<string, string | undefined>} environment
 * @returns {{ name: string, setting: string }[]}
 */
export function findTypos(environment) {
  return Object.keys(environment).flatMap((name) => {
    if (!environment[name] || NAMES.includes(name)) return [];
    const setting = meant(name);
    return setting ? [{ name, setting }] : [];
  });
}

/** Logs a line for each variable of `environment` that was probably meant to be a setting. */
export function warnOfTypos(environment) {
  for (const { name, setting } of findTypos(environment)) {
    say(`${name} is set, but there is no setting of this name, so it has no effect. Is ${setting} meant?`);
  }
}
