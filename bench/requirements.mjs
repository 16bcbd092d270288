// Defines the requirements of each row, and judges whether this project meets them.
import { completed, figuresOf, GENERATOR_CORES, median, mostGeneratorCores, replayFigures } from "./figures.mjs";
import { HISTORY_ROW } from "./loads.mjs";
import { HISTORY, NCHAN_WORKERS, OURS } from "./servers.mjs";

/**
 * The requirements of each row. A requirement limits a figure with `least` or `most`. The limit is a value, or with
 * `times` a multiple of another server's figure. `times` is the id of that server or of the load beside the row. The
 * limited figure is that of this project without history, or of the server `of`.
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
    { figure: "rate", least: 1, times: NCHAN_WORKERS },
    { figure: "cpu", most: 1, times: NCHAN_WORKERS },
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
 * Judges a row. `runs` contains the runs of each server, and of the load beside the row, in the order of the turns.
 * `missing` contains the reason for each server that is not installed. A multiple of another server is judged by the
 * median over the turns, because the runs of a turn had the same conditions. The losses of all runs count.
 *
 * Returns each requirement with `met` and the medians `value`, `ours` and `theirs`. If a run failed or the figure is
 * unknown, it has a `reason` instead of the medians. The last requirement of a row with deliveries concerns the
 * generator.
 */
export function judge(row, runs, missing = {}) {
  const judged = (REQUIREMENTS[row] ?? []).map((one) => ({ ...one, ...judgeOne(one, runs, missing) }));
  return [...judged, ...judgeGenerator(Object.values(runs).flat())];
}

/** Judges whether the generator was fast enough in all `runs`, of all servers. Returns nothing if it had no load. */
export function judgeGenerator(runs) {
  const value = mostGeneratorCores(runs);
  if (Number.isNaN(value)) return [];
  return [{ figure: "generatorCores", below: GENERATOR_CORES, value, met: value < GENERATOR_CORES }];
}

/** Whether a requirement of a row concerns a server. */
export function isJudged(row, server) {
  return REQUIREMENTS[row].some(({ of, times }) => [of, times].includes(server));
}

/** Judges one requirement of a row. Returns what `judge` says of it. */
export function judgeOne({ figure, of = OURS, least, most, times }, runs, missing) {
  const ours = runs[of] ?? [];
  const failed = ours.find(({ error }) => error !== undefined);
  if (failed) return { met: false, reason: `a run failed: ${failed.error}` };
  if (ours.length === 0) return { reason: "it was not measured" };
  if (times && missing[times]) return { reason: `${times} is missing: ${missing[times]}` };
  const value = times ? quotient(figure, ours, runs[times] ?? []) : alone(figure, ours);
  if (value === undefined) return { reason: `${times} was not measured, or its runs failed` };
  if (!Number.isFinite(value)) return { met: false, reason: "the figure is unknown: a run delivered nothing" };
  const met = least === undefined ? value <= most : value >= least;
  const medianOf = (runs) => median(completed(runs).map((run) => figuresOf(run)[figure]));
  return { met, value, ours: medianOf(ours), theirs: times && medianOf(runs[times]), turns: ours.length };
}

function alone(figure, runs) {
  const values = runs.map((run) => figuresOf(run)[figure]);
  return figure === "lost" ? values.reduce((sum, one) => sum + one, 0) : median(values);
}

/** Returns the median of the quotients of a run of `ours` and the run of `theirs` in the same turn. */
export function quotient(figure, ours, theirs) {
  const pairs = ours.map((run, turn) => [run, theirs[turn]]).filter(([, other]) => other && !other.error);
  if (pairs.length === 0) return undefined;
  return median(pairs.map(([run, other]) => figuresOf(run)[figure] / figuresOf(other)[figure]));
}

/** By which factor memory and CPU may grow between the beginning and the end of a soak. */
const FLAT = 1.15;

const SOAK_FIGURES = { rss: ({ rss }) => rss / 1e6, cpu: (sample) => sample.cpu_us_per_delivery };

/**
 * Judges a soak. Compares the median memory and CPU in the last fifth of the time with those in the second fifth. The
 * first fifth does not count, because the garbage collector lets the heap grow at first.
 * @param {{ samples?: any[], lost?: number, generator_cores?: number, error?: string }} report
 */
export function judgeSoak({ samples = [], lost, generator_cores, error }) {
  if (error !== undefined) return [{ figure: "soak", most: FLAT, met: false, reason: `it failed: ${error}` }];
  const end = samples.at(-1)?.second;
  // Samples are a little late, so their share of the time is rounded.
  const share = ({ second }) => Math.round((second / end) * 100) / 100;
  const between = (from, to) => samples.filter((sample) => share(sample) > from && share(sample) <= to);
  const [early, late] = [between(0.2, 0.4), between(0.8, 1)];
  const nothingLost = { figure: "lost", most: 0, value: lost, met: lost === 0 };
  const flat = Object.entries(SOAK_FIGURES).map(([figure, of]) => {
    const limit = { figure, most: FLAT, times: "the second fifth" };
    if (early.length === 0 || late.length === 0) return { ...limit, met: false, reason: "there are too few samples" };
    const [theirs, ours] = [early, late].map((samples) => median(samples.map(of)));
    return { ...limit, value: ours / theirs, met: ours / theirs <= FLAT, ours, theirs };
  });
  return [...flat, nothingLost, ...judgeGenerator([{ generator_cores }])];
}

/** Judges the cost of history by the requirements of its row, and by the faults of the replays. */
export function judgeHistory({ cpu: { runs }, replays }) {
  const ofRow = judge(HISTORY_ROW, runs).filter(({ of }) => of === HISTORY);
  const all = [...Object.values(runs), ...replays.map(({ runs }) => runs)].flat();
  const wrong = replays.map(({ load, runs }) => {
    const failed = runs.find(({ error }) => error !== undefined);
    const requirement = { figure: "wrong", streams: load.herd, most: 0 };
    if (failed) return { ...requirement, met: false, reason: `a run failed: ${failed.error}` };
    const wrong = replayFigures(runs)?.wrong;
    return { ...requirement, value: wrong, met: wrong === 0 };
  });
  return [...ofRow, ...wrong, ...judgeGenerator(all)];
}
