// Computes from the notes of objects how long they were awake, and what the platform bills for that.

/**
 * @typedef {object} Note An event of an object.
 * @property {string} object Its id.
 * @property {string} event "constructed", "request", "stream", "alarm", "message", "close" or "error".
 * @property {number} from When the event began, in milliseconds since 1970.
 * @property {number} to When its handler had finished.
 */

/** The memory that the platform bills for an object, in GB. */
const BILLED_GB = 0.128;

/** The price of the memory of an awake object in USD for a GB-second, as docs/cost.md says. */
const USD_PER_GB_SECOND = 12.5 / 1e6;

const SECONDS_PER_MONTH = 30 * 86_400;

/** Returns the time that intervals cover together, without counting a moment twice. */
export function covered(intervals) {
  const sorted = intervals.filter(([from, to]) => to > from).sort(([a], [b]) => a - b);
  let total = 0;
  let end = -Infinity;
  for (const [from, to] of sorted) {
    total += Math.max(to - Math.max(from, end), 0);
    end = Math.max(end, to);
  }
  return total;
}

/**
 * Returns four figures of each object between `from` and `to`: how often it woke, how many events it had, the share of
 * the time in which it handled events, and the share in which it was asleep. An object counts as awake from the
 * beginning of an event until `settleMs` after its end, and while it holds a stream, which lasts until `to`.
 * @param {Note[]} notes
 * @param {{ from: number, to: number, settleMs: number }} window
 */
export function sharesOf(notes, { from, to, settleMs }) {
  const clip = ([begin, end]) => [Math.max(begin, from), Math.min(end, to)];
  const shareOf = (intervals) => covered(intervals.map(clip)) / (to - from);
  return [...Map.groupBy(notes, ({ object }) => object).values()].map((all) => {
    const inside = all.filter((note) => note.from >= from && note.from < to);
    const streamsEnd = (note) => (note.event === "stream" ? to : note.to);
    return {
      wakes: inside.filter(({ event }) => event === "constructed").length,
      events: inside.filter(({ event }) => event !== "constructed").length,
      handling: shareOf(all.map((note) => [note.from, streamsEnd(note)])),
      asleep: 1 - shareOf(all.map((note) => [note.from, streamsEnd(note) + settleMs])),
    };
  });
}

/** Returns what the platform bills in a month for an object that is active for this share of the time. */
export function monthly(active) {
  const gbSeconds = active * SECONDS_PER_MONTH * BILLED_GB;
  return { gbSeconds, usd: gbSeconds * USD_PER_GB_SECOND };
}
