// Formats the table of held streams for a terminal and for Markdown.
import { mediansOf } from "../figures.mjs";
import { cell, countOf, markdown, markdownVerdicts, number, plain, plainVerdicts } from "../table.mjs";
import { contestantsOf, judgeQuiet, judgeRow, quietFigures } from "./judge.mjs";
import { ALL_ROWS, QUIET } from "./rows.mjs";
import { feedServer } from "./servers.mjs";

const LOAD_COLUMNS = [
  ["deliveries/s", "rate"],
  ["CPU µs/delivery", "cpu"],
  ["p50 ms", "p50"],
  ["p99 ms", "p99"],
  ["lost", "lost"],
];
const MACHINE_COLUMNS = [
  ["server cores", "cores"],
  ["generator cores", "generatorCores"],
  ["RSS growth MB", "growth"],
];

/** The columns of the rows, by the kind of the row. */
const COLUMNS = {
  delivery: [...LOAD_COLUMNS, ...MACHINE_COLUMNS],
  idle: [["RSS kB/stream", "perStreamKb"]],
  publish: [
    ["p50 ms", "p50"],
    ["p99 ms", "p99"],
    ["last ms", "max"],
    ["CPU µs/delivery", "cpu"],
    ["lost", "lost"],
  ],
  several: [...LOAD_COLUMNS, ["bytes/delivery", "bytes"], ["bytes/id", "idBytes"], ...MACHINE_COLUMNS],
};

/** Formats the figures of one run as a line. */
export function feedLine(row, figures) {
  return COLUMNS[row.columns].map(([title, name]) => `${cell(name, figures)} ${title}`).join(", ");
}

const nameOf = (server) => feedServer(server).name;

function gridOf(row, runs) {
  const columns = COLUMNS[row.columns];
  const lines = contestantsOf(row, nameOf).map(({ key, name }) => {
    const medians = mediansOf(runs[key]);
    return [name, countOf(runs[key]), ...columns.map(([, figure]) => cell(figure, medians))];
  });
  return [["", "runs", ...columns.map(([title]) => title)], ...lines];
}

/** The requirements of a row, with the names of the contestants. */
function namedJudgements(row, runs) {
  const names = new Map(contestantsOf(row, nameOf).map(({ key, name }) => [key, name]));
  return judgeRow(row, runs).map((one) => ({ ...one, other: names.get(one.times ?? one.over) }));
}

const percent = (share) => `${number(share * 100)} %`;

function quietGrid({ minutes, worker, object }) {
  const lines = [
    ["held by the Worker", worker],
    ["held by the objects", object],
  ].map(([name, run]) => {
    if (run.error) return [name, ...Array(9).fill("–")];
    const figures = quietFigures(run);
    return [
      name,
      number(figures.objects),
      number(figures.events),
      number(figures.wakes),
      percent(figures.leastAsleep),
      percent(figures.asleep),
      number((figures.handling * minutes * 60_000 * figures.objects) / Math.max(figures.events, 1)),
      number(figures.billed.usd),
      number(figures.billedAtMost.usd),
      number(figures.lost),
    ];
  });
  const titles = ["objects", "events", "wakes", "asleep, least", "asleep, median", "active ms/event"];
  return [["", ...titles, "USD/month", "USD/month at most", "lost"], ...lines];
}

const titleOf = (row) => `${row.id}: ${row.title}`;

/**
 * Returns [title, grid, judgements] of each row that was measured, in the order of the table.
 * @returns {[string, string[][], object[]][]}
 */
function parts({ rows, quiet }) {
  return ALL_ROWS.flatMap((row) => {
    if (row.id === QUIET.id) {
      return quiet ? [[`${titleOf(QUIET)}, for ${quiet.minutes} min`, quietGrid(quiet), judgeQuiet(quiet)]] : [];
    }
    const runs = rows[row.id];
    return runs ? [[titleOf(row), gridOf(row, runs), namedJudgements(row, runs)]] : [];
  });
}

/** Formats what the objects of quiet channels cost as a Markdown table. */
export function markdownPrices({ worker, object }) {
  const lines = [
    ["the Worker", worker],
    ["the objects", object],
  ].map(([name, run]) => {
    const { leastAsleep, billed, billedAtMost } = quietFigures(run);
    return [
      name,
      percent(leastAsleep),
      ...[billed, billedAtMost].map(({ gbSeconds }) => number(gbSeconds)),
      `${number(billed.usd)} to ${number(billedAtMost.usd)}`,
    ];
  });
  const titles = [
    "Streams held by",
    "Asleep, at least",
    "GB-s a month and channel",
    "At most",
    "USD a month and channel",
  ];
  return markdown([titles, ...lines]).join("\n");
}

/** Formats the results for a terminal. */
export function plainFeeds(results) {
  const texts = parts(results).map(([title, grid, judgements]) =>
    [title, ...plain(grid), ...plainVerdicts(judgements)].join("\n"),
  );
  return texts.join("\n\n");
}

/** Formats the results as Markdown. */
export function markdownFeeds(results) {
  const texts = parts(results).map(([title, grid, judgements]) =>
    [`#### ${title}`, "", ...markdown(grid), "", ...markdownVerdicts(judgements)].join("\n"),
  );
  return texts.join("\n\n");
}
