// Defines the loads. Every event has 64 bytes of data, the load generator's default.
//
// A load with a `rate` runs for `seconds` after `warmUpSeconds`. A load without a rate publishes `events` after
// `warmUp` events, each as soon as the one before is answered. `quick` is the share of a load that `--quick` runs.

const C = { subscribers: 500, publishers: 8, rate: 200, seconds: 6, warmUpSeconds: 2 };

// How much is published before the events of row G, so that the buffers of stalled streams fill up. Linux buffers up to
// 4 MiB for each stream.
const FILL_MIB = 6;

/**
 * The rows of the table. `servers` lists the servers of a row that not all servers run. A row with `once` has a single
 * run, because its figure hardly changes between runs. Rows whose figures change little have `runs`, fewer than usual.
 * `beside` is a second load for this project, which takes turns with the row's load and is compared with it.
 */
export const ROWS = [
  {
    id: "A",
    title: "200 subscribers, 1 publisher back to back, 1,000 events",
    load: { subscribers: 200, events: 1_000, warmUp: 500 },
    quick: 1,
  },
  {
    id: "B",
    title: "500 subscribers, 8 publishers back to back, 8,000 events",
    load: { subscribers: 500, publishers: 8, events: 8_000, warmUp: 1_600 },
    quick: 0.1,
  },
  { id: "C", title: "500 subscribers, 200 events/s", load: C, quick: 0.25 },
  {
    id: "D",
    title: "500 subscribers, 100 events/s",
    load: { subscribers: 500, publishers: 4, rate: 100, seconds: 6, warmUpSeconds: 2 },
    runs: 3,
    quick: 0.25,
  },
  {
    id: "E",
    title: "1,000 subscribers, 10 events/s",
    load: { subscribers: 1_000, rate: 10, seconds: 8, warmUpSeconds: 2 },
    quick: 0.25,
  },
  {
    id: "F",
    title: "500 subscribers, batches of 100 events in one SSE body, back to back",
    load: { subscribers: 500, batch: 100, events: 60_000, warmUp: 10_000 },
    servers: ["ours", "history", "js-object"],
    once: true,
    quick: 0.1,
  },
  {
    id: "G",
    title: "10 of 500 subscribers never read, load C",
    load: { ...C, stalled: 10, fillMiB: FILL_MIB },
    servers: ["ours"],
    beside: { id: "C", name: "the same, all streams read", load: { ...C, fillMiB: FILL_MIB } },
    runs: 3,
    quick: 0.25,
  },
  {
    id: "H",
    title: "5,000 idle streams on 5 channels",
    load: { subscribers: 5_000, channels: 5, events: 0 },
    once: true,
    quick: 1,
  },
];

/** The loads of the chart: growing rates with 500 subscribers, and growing numbers of subscribers at 10 events/s. */
export const SWEEP = {
  subscribers: 500,
  rate: 10,
  rates: [1, 10, 30, 100, 200, 300, 1_000],
  sizes: [10, 100, 500, 1_000, 2_000, 5_000],
};

/** The loads of the chart with `--quick`. The rows C, D and E are also points of the chart. */
export const QUICK_SWEEP = { ...SWEEP, rates: [10], sizes: [100, 500] };

/** Returns each load of a sweep once. */
export function sweepLoads({ subscribers, rate, rates, sizes }) {
  const points = [
    ...rates.map((rate) => ({ subscribers, rate })),
    ...sizes
      .filter((size) => size !== subscribers || !rates.includes(rate))
      .map((size) => ({ subscribers: size, rate })),
  ];
  return points.map(sweepLoad);
}

function sweepLoad({ subscribers, rate }) {
  // A single publisher cannot reach a high rate, because it waits for the server's answers.
  const publishers = rate > 10 ? 8 : 1;
  const times = rate < 10 ? { seconds: 8, warmUpSeconds: 2 } : { seconds: 3, warmUpSeconds: 1 };
  return { subscribers, publishers, rate, ...times };
}

/** Load C, for ten minutes. */
export const SOAK = { ...C, seconds: 600, warmUpSeconds: 15, sampleSeconds: 30 };

/** The row in which the hub with history is compared with the hub without. */
export const HISTORY_ROW = "C";

/**
 * The loads for which written rows are counted. They have one subscriber. With many subscribers, the hub is busier and
 * writes fewer rows.
 */
export const WRITES = [
  { subscribers: 1, publishers: 1, rate: 1, seconds: 30 },
  { subscribers: 1, publishers: 4, rate: 100, seconds: 10 },
  { subscribers: 1, publishers: 8, rate: 1_000, seconds: 10 },
];

// How many events fill the history: more than its default length.
const FULL = 1_200;

/**
 * Returns the load that fills the history before `load`. It has the same publishers, so that its events are stored in
 * rows of a similar size, but at least 100 events/s, so that it ends soon.
 */
export function fillFor({ subscribers, publishers, rate }) {
  const fillRate = Math.max(rate, 100);
  return { subscribers, publishers, rate: fillRate, seconds: FULL / fillRate };
}

/** How many streams replay the whole history at the same time. */
const HERDS = [1, 500];

/** The loads of the replays. In the meantime, 100 live streams receive an event every 10 ms. */
export const REPLAYS = HERDS.map((herd) => ({
  subscribers: 100,
  publishers: 4,
  rate: 100,
  seconds: 10,
  warmUpSeconds: 2,
  herd,
  replay: 10_000,
  // The events that are published during the replay must not push the replayed events out of the history.
  settings: { HISTORY_EVENTS: "20000" },
}));

/** Returns a load that is `scale` times as long. */
export function scaled(load, scale) {
  const result = { ...load };
  for (const name of ["seconds", "warmUpSeconds", "events", "warmUp", "sampleSeconds", "replay"]) {
    if (name in load) result[name] = load[name] * scale;
  }
  return result;
}

/**
 * Returns how many events of a load are measured, and how many come before. Each publisher publishes the same number.
 */
export function countsOf({ rate, seconds, warmUpSeconds = 0, events, warmUp = 0, publishers = 1, batch = 1 }) {
  const share = publishers * batch;
  const whole = (events) => Math.ceil(events / share) * share;
  return rate
    ? { measured: whole(rate * seconds), before: whole(rate * warmUpSeconds) }
    : { measured: whole(events), before: whole(warmUp) };
}

/** Returns the generator's arguments for a load. */
export function argumentsOf(load) {
  const { measured, before } = countsOf(load);
  const options = {
    subscribers: load.subscribers,
    publishers: load.publishers,
    channels: load.channels,
    "channels-per-stream": load.channelsPerStream,
    stalled: load.stalled,
    "fill-mib": load.fillMiB,
    batch: load.batch,
    rate: load.rate,
    events: before + measured,
    "warm-up": before,
    "rest-seconds": load.restSeconds,
    "sample-seconds": load.sampleSeconds,
    herd: load.herd,
    replay: load.replay && Math.ceil(load.replay),
  };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return given.flatMap(([name, value]) => [`--${name}`, String(value)]);
}

// How long a publish may take on a slow disk if it waits for the previous commit.
const COMMIT_SECONDS = 0.02;

/** Returns how long a load with a rate may take. Returns 0 without a rate, because then the server sets the pace. */
export function secondsOf(load) {
  if (!load.rate) return 0;
  const { measured, before } = countsOf(load);
  const { replay = 0 } = load;
  // The other replayed events are published before the load, one by one.
  const filled = Math.max(replay - measured - before, 0);
  return filled * COMMIT_SECONDS + (measured + before) / load.rate;
}

/** Whether a server kept up with the rate: it delivered everything in time, with a tolerance of 10 % and 0.25 s. */
export function keptUp(load, { seconds }) {
  return !load.rate || seconds <= (countsOf(load).measured / load.rate) * 1.1 + 0.25;
}
