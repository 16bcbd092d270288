// What a benchmark leaves behind: the results of a day as JSON, their chart, and the generated part of bench/README.md.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../scripts/install.mjs";
import { draw } from "./chart.mjs";
import { ROWS } from "./loads.mjs";
import { pointsOfRows, samePoint } from "./measure.mjs";
import { judge, judgeHistory, judgeSoak } from "./requirements.mjs";
import { markdownHistory, markdownRow, markdownSoak } from "./table.mjs";

const FOLDER = join(root, "bench", "results");
const README = join(root, "bench", "README.md");
const BEGIN = "<!-- What `npm run bench` writes begins here. -->";
const END = "<!-- What `npm run bench` writes ends here. -->";

/** Today, as YYYY-MM-DD where the machine stands. */
export function today(now = new Date()) {
  const two = (number) => String(number).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

/**
 * The results of a day with those of one more call. Parts, which are rows by id, the sweep, the soak and the history's
 * cost, replace older ones; but a short look replaces nothing that was measured in full.
 */
export function merge(before = {}, parts) {
  const better = (older, newer) => (older?.full && !newer?.full ? older : (newer ?? older));
  const rows = {};
  for (const { id } of ROWS) {
    const row = better(before.rows?.[id], parts.rows[id]);
    if (row) rows[id] = row;
  }
  const rest = ["sweep", "soak", "history"].map((name) => [name, better(before[name], parts[name])]);
  return { date: parts.date, rows, ...Object.fromEntries(rest) };
}

/** All points of the chart. What a row says, with its several runs, is better than the sweep's one. */
export function pointsOf({ rows, sweep }) {
  const points = pointsOfRows(Object.values(rows).filter((row) => row.full || !sweep?.full));
  return [...points, ...(sweep?.points ?? []).filter((point) => !points.some((other) => samePoint(point, other)))];
}

/** Whether all of the table and the chart was measured in full. */
function isComplete({ rows, sweep }) {
  return ROWS.every(({ id }) => rows[id]?.full) && sweep?.full === true;
}

/** Writes all files. Returns a sentence on each. `parts` is what was measured now. */
export async function writeResults(parts) {
  mkdirSync(FOLDER, { recursive: true });
  const name = (extension) => join(FOLDER, `${parts.date}.${extension}`);
  const before = existsSync(name("json")) ? JSON.parse(readFileSync(name("json"), "utf8")) : undefined;
  const results = merge(before, parts);
  writeFileSync(name("json"), `${JSON.stringify(results, undefined, 1)}\n`);
  const said = [`bench/results/${parts.date}.json has the results`];
  const points = pointsOf(results);
  if (points.length > 0) {
    writeFileSync(name("svg"), await draw(points, `sse-broadcaster and its peers, ${parts.date}`));
    said.push(`bench/results/${parts.date}.svg has the chart`);
  }
  if (isComplete(results)) {
    writeReadme(markdown(results));
    said.push("bench/README.md shows both");
  } else {
    said.push("bench/README.md is as it was: it shows only what was measured in full, on one day");
  }
  return said;
}

/** Puts the generated part into bench/README.md. */
function writeReadme(text) {
  const readme = readFileSync(README, "utf8");
  const [before, rest] = readme.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`bench/README.md has lost the line ${BEGIN} or ${END}`);
  writeFileSync(README, `${before}${BEGIN}\n\n${text}\n\n${END}${after}`);
}

/** The generated part. */
export function markdown({ date, rows, sweep, soak, history }) {
  const all = Object.values(rows);
  const calls = [...all, sweep, soak, history].filter(Boolean).sort((one, other) => one.at.localeCompare(other.at));
  const of = (name) => Object.assign({}, ...calls.map((call) => call[name]));
  // A day's calls may have measured different commits.
  const commit = [...new Set(calls.map(({ versions }) => versions.commit))].join(", ");
  const facts = Object.entries({ ...of("machine"), ...of("versions"), commit });
  const missing = Object.entries(calls.at(-1).missing).map(([id, reason]) => `${id} is missing: ${reason}.`);
  const parts = [
    `Measured on ${date}. This chart and this table are \`results/${date}.svg\` and \`results/${date}.json\`.`,
    `![CPU per delivery and p99 latency, over the rate and over the subscribers](results/${date}.svg)`,
    ["| machine and versions | |", "|---|---|", ...facts.map(([name, value]) => `| ${name} | ${value} |`)].join("\n"),
    ...missing,
    ...all.map((row) => markdownRow(row, judge(row.id, row.runs, row.missing), row.missing)),
  ];
  if (soak && !soak.report.error)
    parts.push("### Soak: ten minutes of load C", markdownSoak(soak, judgeSoak(soak.report)));
  if (history) parts.push("### What history costs", markdownHistory(history, judgeHistory(history)));
  return parts.join("\n\n");
}
