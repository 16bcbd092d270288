// What is asked of the servers. Every event has 64 bytes of data, the load generator's default.
//
// A load with a `rate` runs for `seconds` after `warmUpSeconds`; one without publishes `events` after `warmUp` events,
// back to back. `quick` is how much of it `--quick` does.

const C = { subscribers: 500, publishers: 8, rate: 200, seconds: 6, warmUpSeconds: 3 };

// Published before row G's events, for streams that never read to back up: Linux keeps up to 4 MiB for each.
const FILL_MIB = 6;

/**
 * The rows of the table. `servers` are those that do it, where it is not all of them. `once`: one run says enough, as
 * the figure hardly moves between runs. `beside` is a load that this project does in turn with it, to compare with.
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
    load: { subscribers: 500, publishers: 4, rate: 100, seconds: 6, warmUpSeconds: 3 },
    quick: 0.25,
  },
  {
    id: "E",
    title: "1,000 subscribers, 10 events/s",
    load: { subscribers: 1_000, rate: 10, seconds: 8, warmUpSeconds: 3 },
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
    beside: { id: "C", name: "the same, all read", load: { ...C, fillMiB: FILL_MIB } },
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

/** What grows in the chart, and where: at 500 subscribers the rate, at 10 events/s the subscribers. */
export const SWEEP = {
  subscribers: 500,
  rate: 10,
  rates: [1, 10, 30, 100, 200, 300, 1_000],
  sizes: [10, 100, 500, 1_000, 2_000, 5_000],
};

/** The same for `--quick`; the rows C, D and E are points of it as well. */
export const QUICK_SWEEP = { ...SWEEP, rates: [10], sizes: [100, 500] };

/** The loads of a sweep, each once. */
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
  // One publisher could not keep up with a high rate where the server takes its time to answer.
  const publishers = rate > 10 ? 8 : 1;
  const times = rate < 10 ? { seconds: 8, warmUpSeconds: 2 } : { seconds: 4, warmUpSeconds: 1.5 };
  return { subscribers, publishers, rate, ...times };
}

/** Load C for ten minutes. */
export const SOAK = { ...C, seconds: 600, warmUpSeconds: 15, sampleSeconds: 30 };

/** The row on which history is compared with none. */
export const HISTORY_ROW = "C";

/** The rates at which written rows are counted. One stream reads: with many the hub is busier, and writes fewer rows. */
export const WRITES = [
  { subscribers: 1, publishers: 1, rate: 1, seconds: 30 },
  { subscribers: 1, publishers: 4, rate: 100, seconds: 10 },
  { subscribers: 1, publishers: 8, rate: 1_000, seconds: 10 },
];

// More events than the default history has, so that it is full.
const FULL = 1_200;

/** What fills the history before, in rows like those that follow: where it publishes faster, it does so one by one. */
export function fillFor({ subscribers, publishers, rate }) {
  const fast = Math.max(rate, 100);
  return { subscribers, publishers, rate: fast, seconds: FULL / fast };
}

/** How many streams read the whole history at the same time. */
const HERDS = [1, 500];

/** The others meanwhile: an event goes to 100 live streams every 10 ms. */
export const REPLAYS = HERDS.map((herd) => ({
  subscribers: 100,
  publishers: 4,
  rate: 100,
  seconds: 10,
  warmUpSeconds: 2,
  herd,
  replay: 10_000,
  // What is published during the replay must not push out what is replayed.
  settings: { HISTORY_EVENTS: "20000" },
}));

/** A load `scale` times as long. */
export function scaled(load, scale) {
  const result = { ...load };
  for (const name of ["seconds", "warmUpSeconds", "events", "warmUp", "sampleSeconds", "replay"]) {
    if (name in load) result[name] = load[name] * scale;
  }
  return result;
}

/** How many events are measured, and published before: as the generator wants it, the same number by each publisher. */
export function countsOf({ rate, seconds, warmUpSeconds = 0, events, warmUp = 0, publishers = 1, batch = 1 }) {
  const share = publishers * batch;
  const whole = (events) => Math.ceil(events / share) * share;
  return rate
    ? { measured: whole(rate * seconds), before: whole(rate * warmUpSeconds) }
    : { measured: whole(events), before: whole(warmUp) };
}

/** A load as the generator's arguments. */
export function argumentsOf(load) {
  const { measured, before } = countsOf(load);
  const options = {
    subscribers: load.subscribers,
    publishers: load.publishers,
    channels: load.channels,
    stalled: load.stalled,
    "fill-mib": load.fillMiB,
    batch: load.batch,
    rate: load.rate,
    events: before + measured,
    "warm-up": before,
    "sample-seconds": load.sampleSeconds,
    herd: load.herd,
    replay: load.replay && Math.ceil(load.replay),
  };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return given.flatMap(([name, value]) => [`--${name}`, String(value)]);
}

// How long a publish may take that waits for the commit of the one before, on a slow disk.
const COMMIT_SECONDS = 0.02;

/** How long a load with a rate may take; 0 where that is the server's to say. */
export function secondsOf(load) {
  if (!load.rate) return 0;
  const { measured, before } = countsOf(load);
  const { replay = 0 } = load;
  // The rest of what is replayed is published before, one by one.
  const filled = Math.max(replay - measured - before, 0);
  return filled * COMMIT_SECONDS + (measured + before) / load.rate;
}

/** Whether a server kept up with the rate: it had delivered all when it should have, give or take. */
export function keptUp(load, { seconds }) {
  return !load.rate || seconds <= (countsOf(load).measured / load.rate) * 1.1 + 0.25;
}
