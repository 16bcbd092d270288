// Writes the sentences of the documentation that state figures of the benchmark. Each of them stands between two
// comments, <!-- bench: NAME --> and <!-- /bench -->, and a test compares it with the published results.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../scripts/install.mjs";
import { mediansOf, replayFigures, rowsPerThousand } from "./figures.mjs";
import { countsOf } from "./loads.mjs";
import { quotient } from "./requirements.mjs";
import { NCHAN_WORKERS } from "./servers.mjs";
import { number } from "./table.mjs";

const WIDTH = 120;

/** The results of a benchmark, with the figures that the sentences need. */
class Results {
  constructor({ rows, sweep, history }) {
    this.rows = rows;
    this.points = sweep?.points ?? [];
    this.history = history;
  }

  /** The medians of a server in a row, or undefined if it was not measured there. */
  of(row, server) {
    return mediansOf(this.rows[row]?.runs[server] ?? []);
  }

  /** The median quotient of this hub's figure and that of a server, as the requirements are judged. */
  times(row, figure, server) {
    const { runs } = this.rows[row] ?? { runs: {} };
    return quotient(figure, runs.ours ?? [], runs[server] ?? []);
  }

  /** The share of its deliveries that a server lost in a row, in percent. */
  lostPercent(row, server) {
    const { load, runs } = this.rows[row];
    const due = countsOf(load).measured * load.subscribers * runs[server].length;
    return number(Math.round((this.of(row, server).lost / due) * 100));
  }

  /** The medians of this hub at a point of the chart. */
  point(subscribers, rate) {
    const fits = (point) => point.server === "ours" && point.subscribers === subscribers && point.rate === rate;
    return mediansOf(this.points.find(fits)?.runs ?? []);
  }
}

/** Formats a number of cores. */
function cores(used) {
  if (used < 0.95) return `${number(used)} of a core`;
  return used < 1.05 ? "a whole core" : `${number(used)} cores`;
}

/** Formats a rate in steps of a thousand. */
function rounded(rate) {
  return number(Math.round(rate / 1_000) * 1_000);
}

/** Joins words as an English list. */
function list(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

const BENCHMARK = "[benchmark](bench/README.md)";

/** By how much a rate has to be larger than another for a sentence to say so. Less is within the noise. */
const LEAD = 1.1;

/** nchan with one worker, and with one for each core. */
const NCHAN = ["nchan", NCHAN_WORKERS];

/** Returns the quotients of this hub's figure and those of nchan's forms that were measured in a row. */
function besideNchan(results, row, figure) {
  return NCHAN.map((id) => results.times(row, figure, id)).filter((value) => value !== undefined);
}

/** The rows in which nchan is measured and events are published one by one. */
const COMPARED = ["A", "B", "C", "D", "E"];

/** Returns the rows in which `isBetter` holds for the quotient of this hub and either form of nchan. */
function rowsOfNchan(results, figure, isBetter) {
  const rows = COMPARED.filter((row) => besideNchan(results, row, figure).some(isBetter));
  if (rows.length === COMPARED.length) return `rows ${rows.at(0)} to ${rows.at(-1)}`;
  return rows.length > 0 ? `row${rows.length > 1 ? "s" : ""} ${list(rows)}` : undefined;
}

/** Says what either form of nchan does better than this hub. Returns undefined if nchan was not measured. */
function whatNchanDoesBetter(results) {
  const perStream = ["ours", "nchan"].map((id) => results.of("H", id)?.perStream);
  if (perStream.includes(undefined)) return undefined;
  const [mine, theirs] = perStream.map((kib) => number(Math.round(kib)));
  const memory = `Takes ${theirs} KiB of memory a stream (this hub: ${mine} KiB).`;
  const facts = [];
  const faster = rowsOfNchan(results, "rate", (quotient) => quotient <= 1 / LEAD);
  if (faster) facts.push(`delivers more in ${faster}`);
  const cheaper = rowsOfNchan(results, "cpu", (quotient) => quotient > 1);
  if (cheaper) facts.push(`takes less CPU in ${cheaper}`);
  const quicker = rowsOfNchan(results, "p99", (quotient) => quotient > 1);
  if (quicker) facts.push(`has a shorter p99 latency in ${quicker}`);
  return facts.length > 0 ? `${memory} In the ${BENCHMARK}, it ${facts.join("; it ")}.` : memory;
}

/** Says what this hub does better than both forms of nchan in row B. Returns undefined if nchan was not measured. */
function whatThisHubDoesBetter(results) {
  const rates = besideNchan(results, "B", "rate");
  if (rates.length === 0) return undefined;
  const rate = Math.min(...rates);
  const cpu = Math.max(...besideNchan(results, "B", "cpu"));
  const facts = ["Needs no server."];
  const load = "With 500 streams, publishers that never pause and no history (row B),";
  const less = cpu <= 1 / LEAD && `${number(Math.round(cpu * 100))} % of nchan's CPU time`;
  if (rate >= LEAD) {
    const cost = less ? `, with ${less} for each` : "";
    facts.push(`${load} it delivers ${rate.toFixed(1)} times as many events${cost}.`);
  } else if (less) {
    facts.push(`${load} it needs ${less} for each delivery.`);
  }
  return facts.join(" ");
}

function fast(results) {
  const [ours, history] = ["ours", "history"].map((id) => results.of("B", id));
  const stored = history ? `${rounded(history.rate)} deliveries a second with history, ` : "";
  const rest = `${rounded(ours.rate)}${history ? "" : " deliveries a second"} without`;
  const lost = ours.lost + (history?.lost ?? 0);
  return `${stored}${rest}, and ${lost === 0 ? "none" : number(lost)} lost`;
}

/** The servers in the table of the README, and their names there. */
const NAMES = {
  history: "this hub, with its history",
  ours: "this hub, without history",
  nchan: "nchan, one worker process",
  [NCHAN_WORKERS]: "nchan, a worker process for each core",
  "js-object": "a plain Durable Object",
};

/** The rows of the benchmark in the table of the README. */
const LOADS = {
  A: "A: 200 streams, a publisher that never pauses",
  B: "B: 500 streams, 8 publishers that never pause",
  E: "E: 1,000 streams, 10 events/s",
};

/** Compares the servers in a table, and says which of them lost events in row B. */
function speed(results) {
  const measured = Object.keys(NAMES).filter((id) => results.of("B", id));
  const cell = (row, id) => {
    const figures = results.of(row, id);
    return figures ? `${rounded(figures.rate)}/s, ${number(figures.cpu)} µs, ${number(figures.p99)} ms` : "–";
  };
  const lines = measured.map((id) => [NAMES[id], ...Object.keys(LOADS).map((row) => cell(row, id))]);
  const losers = measured.filter((id) => results.of("B", id).lost > 0);
  const losses = losers.map((id) => `${NAMES[id]} lost ${results.lostPercent("B", id)} % of the deliveries`);
  if (losers.length < measured.length) losses.push(losers.length > 0 ? "the others lost none" : "no server lost any");
  return `${tableOf(["", ...Object.values(LOADS)], lines, "left")}\n\nIn row B, ${losses.join("; ")}.`;
}

/** Says what this hub needs for loads of the chart, each a number of streams and a rate. */
function loadOf(results, ...loads) {
  const [streams, rate, ...rest] = loads;
  const figures = results.point(streams, rate);
  const others = rest.length > 0 ? loadOf(results, ...rest) : undefined;
  if (!figures || (rest.length > 0 && !others)) return undefined;
  const load = `${number(streams)} streams at ${number(rate)} events/s take ${cores(figures.cores)}`;
  const text = `${load}, with a p99 of ${number(figures.p99)} ms`;
  return others ? `${text}; ${others}` : text;
}

function replays({ history }) {
  if (!history) return undefined;
  const [one, herd] = history.replays.map(({ runs }) => replayFigures(runs));
  const [{ load }] = history.replays.slice(-1);
  return [
    `${number(load.replay)} events are replayed to one client in ${number(one.seconds)} s, and to ${load.herd} clients that`,
    `reconnect at the same moment in ${number(herd.seconds)} s, each event to each client exactly once. In the meantime, the`,
    `99th percentile of the latency of ${load.subscribers} live streams is ${number(herd.during)} ms; before, it is`,
    `${number(herd.before)} ms. With 500 streams and 200 events a second, the CPU time per delivery is`,
    `${number(quotient("cpu", history.cpu.runs.history, history.cpu.runs.ours))} times that of a hub without a history.`,
  ].join(" ");
}

function writes({ history }) {
  if (!history) return undefined;
  const lines = history.writes.map(({ load, runs }) => {
    const publishers = load.publishers > 4 ? ` (${load.publishers} publishers)` : "";
    return [`${number(load.rate)}${publishers}`, number(rowsPerThousand(runs))];
  });
  return tableOf(["Events a second", "Rows written per 1,000 events"], lines, "right");
}

/** Formats a table in Markdown. */
function tableOf(head, lines, align) {
  const grid = [head, ...lines];
  const widths = head.map((_, column) => Math.max(3, ...grid.map((line) => line[column].length)));
  const pad = (text, width) => (align === "right" ? text.padStart(width) : text.padEnd(width));
  const row = (line) => `| ${line.map((text, column) => pad(text, widths[column])).join(" | ")} |`;
  const rule = widths.map((width) => (align === "right" ? `${"-".repeat(width - 1)}:` : "-".repeat(width)));
  return [row(grid[0]), `| ${rule.join(" | ")} |`, ...lines.map(row)].join("\n");
}

/**
 * All claims: their name, their file, and a function that returns the text, or undefined if the results lack its
 * figures. The text of a claim with `wrap` is a paragraph.
 * @type {{ name: string, file: string, wrap?: boolean, text: (results: Results) => string | undefined }[]}
 */
export const CLAIMS = [
  { name: "fast", file: "README.md", text: fast },
  { name: "nchan is better", file: "README.md", text: whatNchanDoesBetter },
  { name: "nchan is worse", file: "README.md", text: whatThisHubDoesBetter },
  { name: "object", file: "README.md", text: (results) => `${results.lostPercent("B", "js-object")} %` },
  {
    name: "limit",
    file: "README.md",
    text: (results) => {
      const figures = results.point(5_000, 10);
      return figures && `5,000 streams with 10 events a second take ${cores(figures.cores)}`;
    },
  },
  { name: "speed", file: "README.md", text: speed },
  { name: "many streams", file: "bench/README.md", text: (results) => loadOf(results, 2_000, 10, 5_000, 10) },
  { name: "many events", file: "bench/README.md", text: (results) => loadOf(results, 500, 1_000) },
  {
    name: "row E",
    file: "bench/README.md",
    text: ({ rows }) => {
      const { ours, "js-object": theirs } = rows.E.runs;
      const quotients = ours.map((run, turn) => quotient("cpu", [run], theirs.slice(turn)));
      const known = quotients.filter((value) => value !== undefined);
      const [least, most] = [Math.min(...known), Math.max(...known)].map(number);
      return `The quotients of the ${known.length} runs are between ${least} and ${most}.`;
    },
  },
  { name: "replays", file: "docs/delivery.md", wrap: true, text: replays },
  { name: "rows written", file: "docs/cost.md", text: writes },
];

/** Breaks a paragraph into lines of up to 120 characters. */
function wrapped(text) {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const line = `${lines.at(-1)} ${word}`.trim();
    if (line.length <= WIDTH) lines.splice(-1, 1, line);
    else lines.push(word);
  }
  return lines.join("\n");
}

/** Returns the contents of a file with all claims about `results`. Fails if the file lacks the comments of a claim. */
export function withClaims(file, contents, results) {
  const known = new Results(results);
  return CLAIMS.filter((claim) => claim.file === file).reduce((contents, { name, wrap, text }) => {
    const begin = `<!-- bench: ${name} -->`;
    const [before, rest] = contents.split(begin);
    const end = rest?.indexOf("<!-- /bench -->") ?? -1;
    if (end < 0) throw new Error(`${file} does not contain ${begin} and <!-- /bench -->`);
    const claim = text(known);
    if (claim === undefined) return contents;
    // A claim that is a block begins and ends with a line of its own.
    const block = wrap || claim.includes("\n");
    // Markdown takes a line that begins with a comment as HTML.
    const lineBegins = before === "" || before.endsWith("\n");
    if (block !== lineBegins) throw new Error(`${file}: ${begin} has to ${block ? "begin" : "follow text in"} a line`);
    const shown = block ? `\n${wrap ? wrapped(claim) : claim}\n` : claim;
    // A Markdown table needs empty lines around it.
    const padded = claim.startsWith("|") ? `\n${shown}\n` : shown;
    return `${before}${begin}${padded}${rest.slice(end)}`;
  }, contents);
}

/** Writes all claims about `results` into the files of the documentation. Returns the files. */
export function writeClaims(results) {
  const files = [...new Set(CLAIMS.map(({ file }) => file))];
  for (const file of files) {
    const path = join(root, file);
    writeFileSync(path, withClaims(file, readFileSync(path, "utf8"), results));
  }
  return files;
}
