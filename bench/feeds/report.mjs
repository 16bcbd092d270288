// Writes the results of held streams: the JSON file of the day, and their part of bench/README.md.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/install.mjs";
import { withBlock } from "../block.mjs";
import { completed } from "../figures.mjs";
import { ALL_ROWS, QUIET } from "./rows.mjs";
import { markdownFeeds, markdownPrices } from "./table.mjs";

const FOLDER = join(root, "bench", "results");

/** The files with a generated part, and the functions that return its text. */
const BLOCKS = { "bench/README.md": allRows, "docs/cost.md": prices };

/** The command that the comments around the generated parts name. */
const COMMAND = "`npm run bench -- --feeds`";

/**
 * Adds the rows of a call to those of the day. A row replaces an older one, but a quick run never replaces a full one.
 * The results of another commit are dropped.
 */
export function mergeFeeds(older, newer) {
  const before = older?.commit === newer.commit && (older.full || !newer.full) ? older : undefined;
  if (before?.full && !newer.full) return before;
  return { ...newer, rows: { ...before?.rows, ...newer.rows }, quiet: newer.quiet ?? before?.quiet };
}

/** Whether a row was measured, and each of its contestants has a run that did not fail. */
function isMeasured({ rows, quiet }, { id }) {
  const runs = id === QUIET.id ? quiet && [[quiet.worker], [quiet.object]] : rows[id] && Object.values(rows[id]);
  return runs?.every((runs) => completed(runs).length > 0) ?? false;
}

/** Whether the documentation may show the results: all rows were measured in full. */
export function isComplete(results) {
  return results.full && ALL_ROWS.every((row) => isMeasured(results, row));
}

/** Adds the results of this call to the files. Returns a message about each file. */
export function writeFeeds(results) {
  mkdirSync(FOLDER, { recursive: true });
  const name = `${results.date}-feeds.json`;
  const path = join(FOLDER, name);
  const merged = mergeFeeds(existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined, results);
  writeFileSync(path, `${JSON.stringify(merged, undefined, 1)}\n`);
  const messages = [`the results are in bench/results/${name}`];
  if (!isComplete(merged)) {
    return [...messages, "bench/README.md was not changed: it shows only full results of a single day"];
  }
  for (const file of Object.keys(BLOCKS)) {
    const page = join(root, file);
    writeFileSync(page, withFeeds(file, readFileSync(page, "utf8"), merged));
  }
  return [...messages, `${Object.keys(BLOCKS).join(" and ")} show them`];
}

/** Returns a page of the documentation with the results. */
export function withFeeds(file, page, results) {
  return withBlock(page, COMMAND, BLOCKS[file](results));
}

/** Returns the generated part of bench/README.md. */
function allRows(results) {
  const { date, machine, versions } = results;
  const facts = Object.entries({ ...machine, ...versions });
  return [
    `Held streams were measured on ${date}. This table is \`results/${date}-feeds.json\`.`,
    ["| machine and versions | |", "|---|---|", ...facts.map(([name, value]) => `| ${name} | ${value} |`)].join("\n"),
    markdownFeeds(results),
  ].join("\n\n");
}

/** Returns the generated part of docs/cost.md. */
function prices({ quiet }) {
  return markdownPrices(quiet);
}
