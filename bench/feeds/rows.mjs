// Defines the rows of the table of held streams, and what this project requires of them.
import { ROWS } from "../loads.mjs";

const loadOf = (id) => {
  const row = ROWS.find((row) => row.id === id);
  if (!row) throw new Error(`there is no row ${id}`);
  return row.load;
};

/**
 * An object counts as asleep when it has had no event for this number of seconds. The runtime lets it sleep after ten.
 */
export const ASLEEP_SECONDS = 12;

/** The load of streams of several channels: 100 clients with 20 channels each. */
const SEVERAL = { channels: 20, publishers: 20, rate: 50, seconds: 8, warmUpSeconds: 2 };

/** One publish to 2,000 streams of a channel that was idle before. */
const ONE_PUBLISH = { subscribers: 2_000, events: 1, restSeconds: ASLEEP_SECONDS };

/**
 * The rows that the load generator measures. The contestants of a row take turns. Requirements concern the first one,
 * and limit one of its figures. `most` is the largest value. With `times`, it is the largest quotient of the figure and
 * that of another contestant; with `over`, the largest difference. `quick` is the share of a load that `--quick` runs.
 */
export const FEED_ROWS = [
  {
    id: "C",
    title: "500 streams, 200 events/s",
    contestants: [
      { key: "worker", server: "worker", load: loadOf("C") },
      { key: "object", server: "object", load: loadOf("C") },
    ],
    columns: "delivery",
    requirements: [
      { figure: "cpu", most: 1.5, times: "object" },
      { figure: "p99", most: 1.5, times: "object" },
      { figure: "lost", most: 0 },
    ],
    quick: 0.25,
  },
  {
    id: "E",
    title: "1,000 streams, 10 events/s",
    contestants: [
      { key: "worker", server: "worker", load: loadOf("E") },
      { key: "object", server: "object", load: loadOf("E") },
    ],
    columns: "delivery",
    requirements: [
      { figure: "cpu", most: 1.8, times: "object" },
      { figure: "p50", most: 2, times: "object" },
      { figure: "lost", most: 0 },
    ],
    quick: 0.25,
  },
  {
    id: "idle",
    title: "5,000 idle streams on 5 channels",
    contestants: [
      { key: "worker", server: "worker", load: loadOf("H") },
      { key: "object", server: "object", load: loadOf("H") },
    ],
    columns: "idle",
    requirements: [{ figure: "perStreamKb", most: 150 }],
    quick: 1,
  },
  {
    id: "asleep",
    title: "one event to 2,000 streams of one channel",
    contestants: [
      { key: "asleep", server: "asleep", load: ONE_PUBLISH },
      {
        key: "worker",
        server: "worker",
        name: "held by the Worker, object awake",
        load: { ...ONE_PUBLISH, restSeconds: 0 },
      },
      { key: "object", server: "object", load: { ...ONE_PUBLISH, restSeconds: 0 } },
    ],
    columns: "publish",
    requirements: [
      { figure: "lost", most: 0 },
      { figure: "p99", most: 250 },
    ],
    quick: 1,
  },
  {
    id: "stalled",
    title: "10 of 500 clients never read, 200 events/s",
    contestants: [
      { key: "stalled", server: "worker", name: "10 of 500 never read", load: loadOf("G") },
      {
        key: "reading",
        server: "worker",
        name: "the same, all clients read",
        load: { ...loadOf("G"), stalled: undefined },
      },
    ],
    columns: "delivery",
    requirements: [
      { figure: "p99", most: 1.1, times: "reading" },
      { figure: "cpu", most: 1.1, times: "reading" },
      { figure: "growth", most: 32 },
      { figure: "lost", most: 0 },
    ],
    quick: 0.25,
  },
  {
    id: "several",
    title: "100 clients with 20 channels each, 50 events/s over all channels",
    contestants: [
      {
        key: "one",
        server: "worker",
        name: "one stream a client",
        load: { ...SEVERAL, subscribers: 100, channelsPerStream: 20 },
      },
      { key: "worker", server: "worker", name: "20 streams a client", load: { ...SEVERAL, subscribers: 2_000 } },
      {
        key: "object",
        server: "object",
        name: "20 streams a client, held by the objects",
        load: { ...SEVERAL, subscribers: 2_000 },
      },
    ],
    columns: "several",
    requirements: [
      { figure: "idBytes", most: 300, over: "worker" },
      { figure: "lost", most: 0 },
    ],
    quick: 0.25,
  },
];

/** The row of channels with few events. It needs no load generator. */
export const QUIET = {
  id: "quiet",
  title: "200 channels with 5 streams each, one event a minute",
  channels: 200,
  streams: 5,
  minutes: 5,
  /** The least share of the time in which each object has to be asleep if the Worker holds the streams. */
  above: 0.75,
};

/** The rows in the order of the table. */
export const ALL_ROWS = [...FEED_ROWS.slice(0, 4), QUIET, ...FEED_ROWS.slice(4)];
