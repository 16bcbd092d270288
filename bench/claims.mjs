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

/** nchan with one worker, and with one for each core. A sentence states what holds beside both. */
const NCHAN = ["nchan", NCHAN_WORKERS];

/** Returns the quotients of this hub's figure and those of nchan that are known. */
function beside(results, row, figure) {
  return NCHAN.map((id) => results.times(row, figure, id)).filter((value) => value !== undefined);
}

/** Returns the rows in which a figure of nchan, with one worker or with one for each core, is less than this hub's. */
function whereNchanHasLess(results, figure) {
  return ["A", "B", "C", "D", "E"].filter((row) => Math.max(...beside(results, row, figure)) > 1);
}

/** Formats a list of rows. */
function inRows(rows) {
  return `in row${rows.length > 1 ? "s" : ""} ${list(rows)}`;
}

/** Says what nchan does better than this hub. */
function whatNchanDoesBetter(results) {
  const [mine, theirs] = ["ours", "nchan"].map((id) => number(Math.round(results.of("H", id).perStream)));
  const sentences = [`Takes ${theirs} KiB a stream (this hub: ${mine} KiB).`];
  const cpu = whereNchanHasLess(results, "cpu");
  if (cpu.length > 0) sentences.push(`Takes less CPU ${inRows(cpu)} of the ${BENCHMARK}.`);
  const latency = whereNchanHasLess(results, "p99");
  if (latency.length > 0) sentences.push(`Its p99 latency is shorter ${inRows(latency)}.`);
  return sentences.join(" ");
}

/** Says how much more this hub delivers than nchan in row B, or how much less CPU it needs, if either holds. */
function whatThisHubDoesBetter(results) {
  const rate = Math.min(...beside(results, "B", "rate"));
  const cpu = Math.max(...beside(results, "B", "cpu"));
  const percent = `${number(Math.round(cpu * 100))} % of the CPU`;
  const load = "With 500 streams and publishers that never pause";
  if (rate >= LEAD) {
    return ` ${load}, it delivers ${rate.toFixed(1)} times as many events${cpu < 1 ? `, with ${percent} for each` : ""} (row B).`;
  }
  return cpu < 1 ? ` ${load}, it needs ${percent} for each delivery (row B).` : "";
}

function lostOf(results, row, server) {
  const { lost } = results.of(row, server);
  return lost === 0 ? "lost none" : `lost ${results.lostPercent(row, server)} %`;
}

function speed(results) {
  const ids = ["ours", "nchan", "js-object", "history", NCHAN_WORKERS];
  const [ours, nchan, object, history, workers] = ids.map((id) => results.of("B", id));
  const allCores = workers ? `, or ${rounded(workers.rate)} with a worker process for each core` : "";
  const sentences = [
    `On two cores, with 500 streams and 8 publishers that never pause, this hub delivered ${rounded(ours.rate)} events a`,
    `second and ${lostOf(results, "B", "ours")}.`,
    `nchan delivered ${rounded(nchan.rate)}${allCores}, and ${lostOf(results, "B", "nchan")}.`,
    `The JavaScript object delivered ${rounded(object.rate)} and ${lostOf(results, "B", "js-object")}, without saying so.`,
    "None of them stored events.",
    `The p99 latency of nchan was ${number(nchan.p99)} ms, that of this hub ${number(ours.p99)} ms.`,
  ];
  if (history) {
    sentences.push(`With its history, which is on by default, this hub delivered ${rounded(history.rate)}.`);
  }
  const loads = { A: "200 streams and one publisher", E: "1,000 streams and 10 events a second" };
  const cheaper = Object.entries(loads)
    .filter(([row]) => results.times(row, "cpu", "nchan") > 1)
    .map(([row, load]) => {
      const [mine, theirs] = ["ours", "nchan"].map((id) => number(results.of(row, id).cpu));
      return `${theirs} µs instead of ${mine} with ${load}`;
    });
  if (cheaper.length > 0) sentences.push(`nchan needs less CPU for a delivery at lower rates: ${list(cheaper)}.`);
  return sentences.join(" ");
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
  const grid = [["Events a second", "Rows written per 1,000 events"], ...lines];
  const widths = [0, 1].map((column) => Math.max(...grid.map((line) => line[column].length)));
  const row = (line) => `| ${line.map((text, column) => text.padStart(widths[column])).join(" | ")} |`;
  const rule = `| ${widths.map((width) => `${"-".repeat(width - 1)}:`).join(" | ")} |`;
  return [row(grid[0]), rule, ...grid.slice(1).map(row)].join("\n");
}

/**
 * All claims: their name, their file, and a function that returns the text, or undefined if the results lack its
 * figures. The text of a claim with `wrap` is a paragraph.
 * @type {{ name: string, file: string, wrap?: boolean, text: (results: Results) => string | undefined }[]}
 */
export const CLAIMS = [
  {
    name: "fast",
    file: "README.md",
    text: (results) => `${rounded(results.of("B", "ours").rate)} deliveries a second, ${lostOf(results, "B", "ours")}`,
  },
  { name: "nchan is better", file: "README.md", text: whatNchanDoesBetter },
  { name: "nchan is worse", file: "README.md", text: (results) => `Needs no server.${whatThisHubDoesBetter(results)}` },
  { name: "object", file: "README.md", text: (results) => `${results.lostPercent("B", "js-object")} %` },
  {
    name: "limit",
    file: "README.md",
    text: (results) => {
      const figures = results.point(5_000, 10);
      return figures && `5,000 streams with 10 events a second take ${cores(figures.cores)}`;
    },
  },
  { name: "speed", file: "README.md", wrap: true, text: speed },
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
