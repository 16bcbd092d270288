// Judges whether held streams meet their requirements.
import { completed, figuresOf, median } from "../figures.mjs";
import { judgeGenerator, judgeOne } from "../requirements.mjs";
import { monthly } from "./awake.mjs";
import { QUIET } from "./rows.mjs";

/** Returns the contestants of a row with their names. */
export function contestantsOf({ contestants }, nameOf) {
  return contestants.map((one) => ({ ...one, name: one.name ?? nameOf(one.server) }));
}

/**
 * Judges a row of the load generator. `runs` contains the runs of each contestant in the order of the turns. Returns
 * the requirements as `judge` of ../requirements.mjs does.
 */
export function judgeRow(row, runs) {
  const [{ key }] = row.contestants;
  const judged = row.requirements.map((one) => {
    const result = one.over ? judgeDifference(one, runs, key) : judgeOne({ ...one, of: key }, runs, {});
    return { ...one, ...result };
  });
  return [...judged, ...judgeGenerator(Object.values(runs).flat())];
}

/** Judges by how much the figure of a contestant is larger than that of another one. */
function judgeDifference({ figure, most, over }, runs, key) {
  const failed = [...runs[key], ...runs[over]].find(({ error }) => error !== undefined);
  if (failed) return { met: false, reason: `a run failed: ${failed.error}` };
  const [ours, theirs] = [key, over].map((one) => median(runs[one].map((run) => figuresOf(run)[figure])));
  const value = ours - theirs;
  if (!Number.isFinite(value)) return { met: false, reason: "the figure is unknown" };
  return { met: value <= most, value, ours, theirs, turns: completed(runs[key]).length };
}

/** Returns the figures of the objects of one run of quiet channels. Shares are from 0 to 1. */
export function quietFigures({ objects, lost, ended }) {
  const of = (name) => objects.map((one) => one[name]);
  const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);
  const mean = (name) => sum(of(name)) / objects.length;
  return {
    objects: objects.length,
    wakes: sum(of("wakes")),
    events: sum(of("events")),
    leastAsleep: Math.min(...of("asleep")),
    asleep: median(of("asleep")),
    handling: mean("handling"),
    lost: Math.max(lost, ended),
    /** What the platform bills for an object in a month: while it handles events or holds streams, and at most. */
    billed: monthly(mean("handling")),
    billedAtMost: monthly(1 - mean("asleep")),
  };
}

/** Judges the run of quiet channels. */
export function judgeQuiet({ worker, object }) {
  const wanted = { figure: "asleep", above: QUIET.above * 100 };
  const lost = { figure: "lost", most: 0 };
  const failed = [worker, object].find(({ error }) => error !== undefined);
  if (failed) return [{ ...wanted, met: false, reason: `a run failed: ${failed.error}` }];
  const { leastAsleep, lost: lostByWorker } = quietFigures(worker);
  const slept = worker.objects.length === QUIET.channels && worker.probes.every((wakes) => wakes >= 2);
  const reason = "an object was not asleep 12 s after its last event, so the figure is unknown";
  const value = leastAsleep * 100;
  return [
    slept ? { ...wanted, met: leastAsleep > QUIET.above, value } : { ...wanted, met: false, reason },
    { ...lost, met: lostByWorker === 0, value: lostByWorker },
  ];
}
