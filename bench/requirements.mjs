// What this project has to reach in each row, and whether it does. Nothing here measures or prints.
import { completed, figuresOf, median, replayFigures } from "./figures.mjs";
import { HISTORY_ROW } from "./loads.mjs";
import { HISTORY, OURS } from "./servers.mjs";

/**
 * For each row: which figure is to be at `least` or at `most` so much: in itself, or as a multiple of a server's
 * (`times`). In place of a server stands the id of the load beside it. It is the figure of this project without history,
 * or of the server that `of` names.
 */
export const REQUIREMENTS = {
  A: [
    { figure: "rate", least: 3.5, times: "js-object" },
    { figure: "cpu", most: 0.9, times: "nchan" },
    { figure: "lost", most: 0 },
    { figure: "p99", most: 30 },
  ],
  B: [
    { figure: "rate", least: 1.4, times: "nchan" },
    { figure: "cpu", most: 0.75, times: "nchan" },
    { figure: "lost", most: 0 },
    { figure: "p99", most: 130 },
  ],
  C: [
    { figure: "cpu", most: 1, times: "nchan" },
    { figure: "lost", most: 0 },
    { figure: "p99", most: 60 },
    { figure: "cpu", of: HISTORY, most: 1.15, times: OURS },
    { figure: "lost", of: HISTORY, most: 0 },
  ],
  D: [
    { figure: "cpu", most: 0.7, times: "js-object" },
    { figure: "lost", most: 0 },
    { figure: "p99", most: 80 },
  ],
  E: [
    { figure: "cpu", most: 0.85, times: "js-object" },
    { figure: "lost", most: 0 },
    { figure: "p50", most: 1, times: "js-object" },
  ],
  F: [
    { figure: "rate", least: 1_500_000 },
    { figure: "lost", most: 0 },
  ],
  G: [
    { figure: "p99", most: 1.1, times: "C" },
    { figure: "cpu", most: 1.1, times: "C" },
    { figure: "growth", most: 32 },
    { figure: "lost", most: 0 },
  ],
  H: [{ figure: "perStream", most: 70 }],
};

/**
 * Judges a row. `runs` are lists of runs by server or load beside it, in the order of the turns; `missing` says why a
 * server has none. What is compared with another is judged by the median over the turns, as both of a turn had the same
 * minute of the same machine. Of losses all count. Returns a judgement for each requirement: it with `met`, and
 * with `value`, `ours` and `theirs`, which are medians, or with `reason` where that cannot be said or something failed.
 */
export function judge(row, runs, missing = {}) {
  return (REQUIREMENTS[row] ?? []).map((requirement) => ({ ...requirement, ...judgeOne(requirement, runs, missing) }));
}

/** Whether a row's requirements compare with a server or are of it. */
export function isJudged(row, server) {
  return REQUIREMENTS[row].some(({ of, times }) => [of, times].includes(server));
}

function judgeOne({ figure, of = OURS, least, most, times }, runs, missing) {
  const ours = runs[of] ?? [];
  const failed = ours.find(({ error }) => error !== undefined);
  if (failed) return { met: false, reason: `a run failed: ${failed.error}` };
  if (ours.length === 0) return { reason: "it was not measured" };
  if (times && missing[times]) return { reason: `${times} is missing: ${missing[times]}` };
  const value = times ? quotient(figure, ours, runs[times] ?? []) : alone(figure, ours);
  if (value === undefined) return { reason: `${times} was not measured, or its runs failed` };
  if (!Number.isFinite(value)) return { met: false, reason: "there is no such figure: a run delivered nothing" };
  const met = least === undefined ? value <= most : value >= least;
  const medianOf = (runs) => median(completed(runs).map((run) => figuresOf(run)[figure]));
  return { met, value, ours: medianOf(ours), theirs: times && medianOf(runs[times]), turns: ours.length };
}

function alone(figure, runs) {
  const values = runs.map((run) => figuresOf(run)[figure]);
  return figure === "lost" ? values.reduce((sum, one) => sum + one, 0) : median(values);
}

/** The median of what each of our runs is of theirs in the same turn: both had the same minute of the same machine. */
function quotient(figure, ours, theirs) {
  const pairs = ours.map((run, turn) => [run, theirs[turn]]).filter(([, other]) => other && !other.error);
  if (pairs.length === 0) return undefined;
  return median(pairs.map(([run, other]) => figuresOf(run)[figure] / figuresOf(other)[figure]));
}

/** How many times as much a soak may take at its end as at its beginning. */
const FLAT = 1.15;

const SOAK_FIGURES = { rss: ({ rss }) => rss / 1e6, cpu: (sample) => sample.cpu_us_per_delivery };

/**
 * Judges a soak: of memory and CPU, the median of its last fifth against that of its second one. In ten minutes these
 * are the last two, and those after the second minute: the garbage collector first lets the heap grow to its size.
 */
export function judgeSoak({ samples = [], lost, error }) {
  if (error !== undefined) return [{ figure: "soak", most: FLAT, met: false, reason: `it failed: ${error}` }];
  const end = samples.at(-1)?.second;
  // Samples are a little late.
  const share = ({ second }) => Math.round((second / end) * 100) / 100;
  const between = (from, to) => samples.filter((sample) => share(sample) > from && share(sample) <= to);
  const [early, late] = [between(0.2, 0.4), between(0.8, 1)];
  const nothingLost = { figure: "lost", most: 0, value: lost, met: lost === 0 };
  const flat = Object.entries(SOAK_FIGURES).map(([figure, of]) => {
    const limit = { figure, most: FLAT, times: "its second fifth" };
    if (early.length === 0 || late.length === 0) return { ...limit, met: false, reason: "there are too few samples" };
    const [theirs, ours] = [early, late].map((samples) => median(samples.map(of)));
    return { ...limit, value: ours / theirs, met: ours / theirs <= FLAT, ours, theirs };
  });
  return [...flat, nothingLost];
}

/** Judges what history costs: on its row, what is required there of the hub with history. */
export function judgeHistory({ cpu: { runs }, replays }) {
  const ofRow = judge(HISTORY_ROW, runs).filter(({ of }) => of === HISTORY);
  const wrong = replays.map(({ load, runs }) => {
    const failed = runs.find(({ error }) => error !== undefined);
    const requirement = { figure: "wrong", streams: load.herd, most: 0 };
    if (failed) return { ...requirement, met: false, reason: `a run failed: ${failed.error}` };
    const { wrong } = replayFigures(runs);
    return { ...requirement, value: wrong, met: wrong === 0 };
  });
  return [...ofRow, ...wrong];
}
