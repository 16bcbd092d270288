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
