// Writes the results of held streams: the JSON file of the day, and their part of bench/README.md.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/install.mjs";
import { withBlock } from "../block.mjs";
import { ALL_ROWS } from "./rows.mjs";
import { markdownFeeds } from "./table.mjs";

const FOLDER = join(root, "bench", "results");
const README = join(root, "bench", "README.md");

/** The text of the comments around the generated part of bench/README.md. */
const BLOCK = "`npm run bench -- --feeds`";

/**
 * Adds the rows of a call to those of the day. A row replaces an older one, but a quick run never replaces a full one.
 * The results of another commit are dropped.
 */
export function mergeFeeds(older, newer) {
  const before = older?.commit === newer.commit && (older.full || !newer.full) ? older : undefined;
  if (before?.full && !newer.full) return before;
  return { ...newer, rows: { ...before?.rows, ...newer.rows }, quiet: newer.quiet ?? before?.quiet };
}

const isMeasured = ({ rows, quiet }, { id }) => (rows[id] ?? (id === "quiet" ? quiet : undefined)) !== undefined;

/** Adds the results of this call to the files. Returns a message about each file. */
export function writeFeeds(results) {
  mkdirSync(FOLDER, { recursive: true });
  const name = `${results.date}-feeds.json`;
  const path = join(FOLDER, name);
  const merged = mergeFeeds(existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined, results);
  writeFileSync(path, `${JSON.stringify(merged, undefined, 1)}\n`);
  const messages = [`the results are in bench/results/${name}`];
  if (!merged.full || !ALL_ROWS.every((row) => isMeasured(merged, row))) {
    return [...messages, "bench/README.md was not changed: it shows only full results of a single day"];
  }
  writeFileSync(README, withBlock(readFileSync(README, "utf8"), BLOCK, feedsBlock(merged)));
  return [...messages, "bench/README.md shows them"];
}

/** Returns the generated part of bench/README.md. */
export function feedsBlock(results) {
  const { date, machine, versions } = results;
  const facts = Object.entries({ ...machine, ...versions });
  return [
    `Held streams were measured on ${date}. This table is \`results/${date}-feeds.json\`.`,
    ["| machine and versions | |", "|---|---|", ...facts.map(([name, value]) => `| ${name} | ${value} |`)].join("\n"),
    markdownFeeds(results),
  ].join("\n\n");
}
