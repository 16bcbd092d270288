// The figures that are shown and judged, made from what the load generator reports.

/** Of one run. Times in the units of the table, memory in KiB of 1,024 bytes and MB of a million. */
export function figuresOf(report) {
  const { memory, delivered } = report;
  // Of nothing there is no latency and no cost.
  const some = (figure) => (delivered > 0 && figure !== null ? figure : NaN);
  return {
    rate: report.deliveries_per_second,
    cpu: some(report.cpu_us_per_delivery),
    cores: report.cpu_cores,
    cpuSeconds: report.cpu_cores * report.seconds,
    generatorCores: report.generator_cores,
    p50: some(report.p50_ms),
    p99: some(report.p99_ms),
    max: some(report.max_ms),
    // Whatever went wrong: what came late or twice, or was cut off, is among the lost where it is missed.
    lost: Math.max(report.lost, report.out_of_order, report.ended),
    growth: memory && (memory.at_end - memory.at_start) / 1e6,
    perStream: memory && memory.per_stream / 1024,
  };
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The runs that came to an end. */
export function completed(runs = []) {
  return runs.filter(({ error }) => error === undefined);
}

/** The median of each figure of the runs that came to an end, but all that was lost. Undefined where none did. */
export function mediansOf(runs) {
  const figures = completed(runs).map(figuresOf);
  if (figures.length === 0) return undefined;
  const entries = Object.keys(figures[0]).map((name) => [name, median(figures.map((one) => one[name]))]);
  const lost = figures.reduce((sum, one) => sum + one.lost, 0);
  return { ...Object.fromEntries(entries), lost };
}

/** Of runs that counted the rows written, the median by 1,000 events. */
export function rowsPerThousand(runs) {
  return median(completed(runs).map(({ rows, events }) => (rows / events) * 1_000));
}

/** Whatever went wrong in a replay: each event was to come exactly once, under its id, to the herd and the others. */
export function wrongOf(report) {
  const { missed, doubled, wrong_ids, notices, ended, live_lost, live_out_of_order } = report;
  return missed + doubled + wrong_ids + notices + ended + live_lost + live_out_of_order;
}

/** Of a replay's runs the medians, but all that was wrong. Undefined where none came to an end. */
export function replayFigures(runs) {
  const reports = completed(runs);
  if (reports.length === 0) return undefined;
  const medianOf = (of) => median(reports.map(of));
  // Of the runs that can tell; where none can, it is NaN, which is shown as a dash.
  const medianOfKnown = (of) => median(reports.map(of).filter((value) => Number.isFinite(value)));
  // Where some did not get all, it would have taken for ever.
  const secondsOf = (time) => medianOf((report) => report[time] ?? Infinity);
  return {
    seconds: secondsOf("seconds"),
    half: secondsOf("median_seconds"),
    rate: medianOf(({ streams, events, seconds }) => (streams * events) / (seconds ?? Infinity)),
    cpu: medianOf((report) => report.cpu_us_per_delivery),
    generatorCores: medianOfKnown((report) => report.generator_cores),
    before: medianOf(({ before }) => before.p99_ms),
    during: medianOfKnown(({ during }) => during?.p99_ms),
    growth: medianOf(({ rss: [start, end] }) => (end - start) / 1e6),
    wrong: reports.reduce((sum, report) => sum + wrongOf(report), 0),
  };
}
