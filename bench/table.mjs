// Formats the tables for a terminal and for Markdown.
import { completed, GENERATOR_CORES, mediansOf, replayFigures, rowsPerThousand } from "./figures.mjs";
import { SERVERS, serverOf } from "./servers.mjs";

/** Formats a number with three significant digits, or with all digits before the decimal point. */
export function number(value) {
  if (value === undefined || value === null || !Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return value === 0 ? "0" : String(Number(value.toPrecision(3)));
}

const COLUMNS = [
  ["deliveries/s", "rate"],
  ["CPU µs/delivery", "cpu"],
  ["p50 ms", "p50"],
  ["p99 ms", "p99"],
  ["lost", "lost"],
  ["server cores", "cores"],
  ["generator cores", "generatorCores"],
  ["tick ms", "tick"],
  ["RSS growth MB", "growth"],
];
const IDLE_COLUMNS = [["RSS KiB/stream", "perStream"]];

/** Formats a figure of a run or of several runs. */
export function cell(name, figures) {
  const text = number(figures?.[name]);
  return name === "generatorCores" && figures?.[name] >= GENERATOR_CORES ? `${text} (generator-bound)` : text;
}

function columnsOf({ load }) {
  return load.events === 0 ? IDLE_COLUMNS : COLUMNS;
}

/** Formats the figures of one run as a line. */
export function runLine(figures, load) {
  return columnsOf({ load })
    .map(([title, name]) => `${cell(name, figures)} ${title}`)
    .join(", ");
}

/** Formats the number of runs, and how many of them failed. */
export function countOf(runs) {
  const failed = runs.length - completed(runs).length;
  return failed ? `${runs.length}, ${failed} failed` : String(runs.length);
}

/** Returns a row as a grid of texts: the titles, and then a line for each server. */
function gridOf(row, missing) {
  const columns = columnsOf(row);
  const line = (name, runs) => {
    const medians = mediansOf(runs);
    return [name, countOf(runs), ...columns.map(([, figure]) => cell(figure, medians))];
  };
  const servers = SERVERS.filter(({ id }) => !row.servers || row.servers.includes(id));
  const lines = servers.flatMap(({ id, name }) => {
    if (row.runs[id]) return [line(name, row.runs[id])];
    return missing[id] ? [[name, "missing", ...columns.map(() => "")]] : [];
  });
  if (row.beside) lines.push(line(row.beside.name, row.runs[row.beside.id]));
  return [["", "runs", ...columns.map(([title]) => title)], ...lines];
}

const FIGURES = {
  rate: ["deliveries/s", ""],
  cpu: ["CPU per delivery", " µs"],
  p50: ["p50", " ms"],
  p99: ["p99", " ms"],
  lost: ["lost", ""],
  growth: ["RSS growth", " MB"],
  perStream: ["RSS per stream", " KiB"],
  rss: ["RSS", " MB"],
  soak: ["CPU and RSS", ""],
  perStreamKb: ["RSS per stream", " kB"],
  idBytes: ["bytes of an id", ""],
  asleep: ["time asleep of each object", " %"],
  wrong: ["events not received exactly once", ""],
  generatorCores: ["cores of the load generator in any run", ""],
};

/** Formats the limit of a requirement. */
function limitOf({ least, most, below, above }) {
  if (above !== undefined) return `> ${number(above)}`;
  if (below !== undefined) return `< ${number(below)}`;
  return least !== undefined ? `≥ ${number(least)}` : `≤ ${number(most)}`;
}

/** Describes a judgement: [verdict, requirement, numbers or reason]. */
export function verdict(judgement) {
  const { figure, of, streams, times, over, met, value, ours, theirs, reason } = judgement;
  const [title, unit] = FIGURES[figure] ?? [figure, ""];
  const whose = of ? ` with ${serverOf(of).name}` : streams ? `, replay to ${streams}` : "";
  const name = title + whose;
  const word = met === undefined ? "unknown" : met ? "met" : "NOT MET";
  const limit = limitOf(judgement);
  const other = judgement.other ?? SERVERS.find(({ id }) => id === times)?.name ?? `that of ${times}`;
  let wanted = `${name} ${limit}${unit}`;
  if (times) wanted = `${name} ${limit} × ${other}`;
  if (over) wanted = `${name} more than ${other} ${limit}`;
  if (reason) return [word, wanted, reason];
  const shown = times ? number(value) : `${number(value)}${unit}`;
  return [
    word,
    wanted,
    theirs === undefined ? shown : `${shown} (medians: ${number(ours)} and ${number(theirs)}${unit})`,
  ];
}

/** Aligns a grid in columns: the first column to the left, the others to the right. */
export function plain(grid) {
  const widths = grid[0].map((_, column) => Math.max(...grid.map((line) => line[column].length)));
  const pad = (text, column) => (column === 0 ? text.padEnd(widths[column]) : text.padStart(widths[column]));
  return grid.map((line) => `  ${line.map(pad).join("  ")}`.trimEnd());
}

/**
 * Formats a grid as a Markdown table.
 * @param {string[][]} grid
 */
export function markdown([titles, ...lines], numbers = true) {
  const rule = titles.map((_, column) => (numbers && column > 0 ? "--:" : "---"));
  return [titles, rule, ...lines].map((line) => `| ${line.join(" | ")} |`);
}

/** Formats judgements for a terminal. */
export function plainVerdicts(judgements) {
  return judgements.map(verdict).map(([word, wanted, shown]) => `  ${word.padEnd(7)}  ${wanted}: ${shown}`);
}

/** Formats judgements as Markdown. */
export function markdownVerdicts(judgements) {
  const lines = judgements.map(verdict).map(([word, wanted, shown]) => [wanted, shown, word]);
  return markdown([["required", "reached", ""], ...lines], false);
}

/** Formats a row and its judgements for a terminal. */
export function plainRow(row, judgements, missing) {
  return [`${row.id}  ${row.title}`, ...plain(gridOf(row, missing)), ...plainVerdicts(judgements)].join("\n");
}

/** Formats a row and its judgements as Markdown. */
export function markdownRow(row, judgements, missing) {
  const [titles, ours, ...others] = gridOf(row, missing);
  const grid = markdown([titles, ours.map((text) => `**${text}**`), ...others]);
  return [`### ${row.id}: ${row.title}`, "", ...grid, "", ...markdownVerdicts(judgements)].join("\n");
}

/** Returns the samples of a soak as a grid. */
function soakGrid({ report: { samples = [] } }) {
  const lines = samples.map((sample) => [
    number(sample.second),
    number(sample.delivered),
    number(sample.cpu_us_per_delivery),
    number(sample.p50_ms),
    number(sample.p99_ms),
    number(sample.rss / 1e6),
  ]);
  return [["second", "delivered", "CPU µs/delivery", "p50 ms", "p99 ms", "RSS MB"], ...lines];
}

export function plainSoak(soak, judgements) {
  return [...plain(soakGrid(soak)), ...plainVerdicts(judgements)].join("\n");
}

export function markdownSoak(soak, judgements) {
  return [...markdown(soakGrid(soak)), "", ...markdownVerdicts(judgements)].join("\n");
}

const REPLAY_COLUMNS = [
  ["s until all caught up", "seconds"],
  ["s until half caught up", "half"],
  ["events/s", "rate"],
  ["CPU µs/event", "cpu"],
  ["live p99 ms before", "before"],
  ["live p99 ms during", "during"],
  ["faults", "wrong"],
  ["generator cores", "generatorCores"],
  ["RSS growth MB", "growth"],
];

/** Returns the cost of history as three grids. */
function historyGrids({ writes, cpu, replays }) {
  const writeLines = writes.map(({ load, runs }) => [
    number(load.rate),
    number(load.publishers),
    countOf(runs),
    number(rowsPerThousand(runs)),
  ]);
  const replayLines = replays.map(({ load, runs }) => {
    const figures = replayFigures(runs);
    return [number(load.herd), countOf(runs), ...REPLAY_COLUMNS.map(([, name]) => cell(name, figures))];
  });
  return [
    [["events/s", "publishers", "runs", "rows written per 1,000 events"], ...writeLines],
    gridOf(cpu, {}),
    [["streams at once", "runs", ...REPLAY_COLUMNS.map(([title]) => title)], ...replayLines],
  ];
}

export function plainHistory(history, judgements) {
  const grids = historyGrids(history).flatMap((grid) => [...plain(grid), ""]);
  return [...grids, ...plainVerdicts(judgements)].join("\n");
}

export function markdownHistory(history, judgements) {
  const grids = historyGrids(history).flatMap((grid) => [...markdown(grid), ""]);
  return [...grids, ...markdownVerdicts(judgements)].join("\n");
}
