// Computes the figures of the tables from the reports of the load generator.

/**
 * How many cores the load generator may use. With half a core or more, its own speed or its share of the machine may
 * have decided the figures of a run, so such a run is called generator-bound.
 */
export const GENERATOR_CORES = 0.5;

/** Returns the figures of one run. Times have the units of the table. A KiB is 1,024 bytes, and an MB a million. */
export function figuresOf(report) {
  const { memory, delivered } = report;
  // A run that delivered nothing has no latency and no cost.
  const ifDelivered = (figure) => (delivered > 0 && figure !== null ? figure : NaN);
  return {
    rate: report.deliveries_per_second,
    cpu: ifDelivered(report.cpu_us_per_delivery),
    cores: report.cpu_cores,
    cpuSeconds: report.cpu_cores * report.seconds,
    generatorCores: ifDelivered(report.generator_cores),
    // Old results have no ticks.
    tick: ifDelivered(report.tick_ms ?? NaN),
    p50: ifDelivered(report.p50_ms),
    p99: ifDelivered(report.p99_ms),
    max: ifDelivered(report.max_ms),
    // An event that came late or twice, or that a cut stream missed, is usually among the lost. The maximum is at least
    // 1 if anything went wrong. Old results have no wrong ids.
    lost: Math.max(report.lost, report.out_of_order, report.ended, report.wrong_ids ?? 0),
    growth: memory && (memory.at_end - memory.at_start) / 1e6,
    perStream: memory && memory.per_stream / 1024,
    perStreamKb: memory && memory.per_stream / 1_000,
    // Old results have no bytes.
    bytes: ifDelivered(report.bytes_per_delivery ?? NaN),
    idBytes: ifDelivered(report.id_bytes ?? NaN),
  };
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Returns the runs that did not fail. */
export function completed(runs = []) {
  return runs.filter(({ error }) => error === undefined);
}

/**
 * Returns the medians of the runs that did not fail, but the sum of the losses, and the most that the generator used.
 * Returns undefined if all failed.
 */
export function mediansOf(runs) {
  const figures = completed(runs).map(figuresOf);
  if (figures.length === 0) return undefined;
  const entries = Object.keys(figures[0]).map((name) => [name, median(figures.map((one) => one[name]))]);
  const lost = figures.reduce((sum, one) => sum + one.lost, 0);
  return { ...Object.fromEntries(entries), lost, generatorCores: mostGeneratorCores(runs) };
}

/** Returns the most cores that the generator used in a run, also in a run of a replay. Returns NaN if it is unknown. */
export function mostGeneratorCores(runs) {
  const cores = completed(runs)
    .map(({ generator_cores, delivered }) => (delivered === 0 ? null : generator_cores))
    .filter((cores) => Number.isFinite(cores));
  return cores.length > 0 ? Math.max(...cores) : NaN;
}

/** Returns the median of the rows written per 1,000 events. */
export function rowsPerThousand(runs) {
  return median(completed(runs).map(({ rows, events }) => (rows / events) * 1_000));
}

/**
 * Returns how many deliveries and streams of a replay went wrong. Each event should arrive exactly once and with its
 * own id, at the streams of the herd and at the live streams.
 */
export function wrongOf(report) {
  const { missed, doubled, wrong_ids, notices, ended, live_lost, live_out_of_order } = report;
  return missed + doubled + wrong_ids + notices + ended + live_lost + live_out_of_order;
}

/** Returns the medians of a replay's runs, but the sum of the faults. Returns undefined if all runs failed. */
export function replayFigures(runs) {
  const reports = completed(runs);
  if (reports.length === 0) return undefined;
  const medianOf = (of) => median(reports.map(of));
  // A run may lack this figure, and is then left out. If no run has it, the median is NaN, which is shown as a dash.
  const medianOfKnown = (of) => median(reports.map(of).filter((value) => Number.isFinite(value)));
  // If a stream did not receive all events, the replay counts as infinitely long.
  const secondsOf = (time) => medianOf((report) => report[time] ?? Infinity);
  return {
    seconds: secondsOf("seconds"),
    half: secondsOf("median_seconds"),
    rate: medianOf(({ streams, events, seconds }) => (streams * events) / (seconds ?? Infinity)),
    cpu: medianOf((report) => report.cpu_us_per_delivery),
    generatorCores: mostGeneratorCores(runs),
    before: medianOf(({ before }) => before.p99_ms),
    during: medianOfKnown(({ during }) => during?.p99_ms),
    growth: medianOf(({ rss: [start, end] }) => (end - start) / 1e6),
    wrong: reports.reduce((sum, report) => sum + wrongOf(report), 0),
  };
}
