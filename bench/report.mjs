// Writes the results of a benchmark: the JSON file of the day, its chart, and the generated part of bench/README.md.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../scripts/install.mjs";
import { withBlock } from "./block.mjs";
import { draw } from "./chart.mjs";
import { writeClaims } from "./claims.mjs";
import { ROWS } from "./loads.mjs";
import { pointsOfRows, samePoint } from "./measure.mjs";
import { judge, judgeHistory, judgeSoak } from "./requirements.mjs";
import { markdownHistory, markdownRow, markdownSoak } from "./table.mjs";

const FOLDER = join(root, "bench", "results");
const README = join(root, "bench", "README.md");
/** The text of the comments around the generated part of bench/README.md. */
const BLOCK = "`npm run bench`";

/** Returns the date in the time zone of the machine, as YYYY-MM-DD. */
export function today(now = new Date()) {
  const two = (number) => String(number).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

/**
 * Adds the results of a call to the results of the day. A part (a row, the sweep, the soak or the cost of history)
 * replaces an older one, but a quick run never replaces a full one. The results of another commit are dropped.
 */
export function merge(older = {}, parts) {
  const before = older.commit === parts.commit ? older : {};
  const choose = (older, newer) => (older?.full && !newer?.full ? older : (newer ?? older));
  const rows = {};
  for (const { id } of ROWS) {
    const row = choose(before.rows?.[id], parts.rows[id]);
    if (row) rows[id] = row;
  }
  const rest = ["sweep", "soak", "history"].map((name) => [name, choose(before[name], parts[name])]);
  return { date: parts.date, commit: parts.commit, rows, ...Object.fromEntries(rest) };
}

/** Returns all points of the chart. The point of a row replaces that of the sweep, because a row has several runs. */
export function pointsOf({ rows, sweep }) {
  const points = pointsOfRows(Object.values(rows).filter((row) => row.full || !sweep?.full));
  return [...points, ...(sweep?.points ?? []).filter((point) => !points.some((other) => samePoint(point, other)))];
}

/** Whether all rows and the chart were measured in full. */
function isComplete({ rows, sweep }) {
  return ROWS.every(({ id }) => rows[id]?.full) && sweep?.full === true;
}

/** Adds `parts`, the results of this call, to the files. Returns a message about each file. */
export async function writeResults(parts) {
  mkdirSync(FOLDER, { recursive: true });
  const name = (extension) => join(FOLDER, `${parts.date}.${extension}`);
  const before = existsSync(name("json")) ? JSON.parse(readFileSync(name("json"), "utf8")) : undefined;
  const results = merge(before, parts);
  writeFileSync(name("json"), `${JSON.stringify(results, undefined, 1)}\n`);
  const messages = [`the results are in bench/results/${parts.date}.json`];
  const points = pointsOf(results);
  if (points.length > 0) {
    writeFileSync(name("svg"), await draw(points, `sse-broadcaster and its peers, ${parts.date}`));
    messages.push(`the chart is in bench/results/${parts.date}.svg`);
  }
  if (isComplete(results)) {
    writeFileSync(README, withBlock(readFileSync(README, "utf8"), BLOCK, markdown(results)));
    const files = writeClaims(results);
    messages.push("bench/README.md shows both", `the figures in ${files.join(", ")} are those of these results`);
  } else {
    messages.push("bench/README.md was not changed: it shows only full results of a single day");
  }
  return messages;
}

/** Returns the generated part of bench/README.md. */
export function markdown({ date, rows, sweep, soak, history }) {
  const all = Object.values(rows);
  const calls = [...all, sweep, soak, history].filter(Boolean).sort((one, other) => one.at.localeCompare(other.at));
  const of = (name) => Object.assign({}, ...calls.map((call) => call[name]));
  const facts = Object.entries({ ...of("machine"), ...of("versions") });
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
