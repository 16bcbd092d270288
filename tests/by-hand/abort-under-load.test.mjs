// The object of a channel is aborted 100 times, as the platform does when it replaces it, while the Worker holds 200
// streams that get 200 events a second: no stream is cut, no event is lost or doubled, no notice comes, and 99 % of the
// pauses are at most a second. Run it with `npm test -- by-hand/abort-under-load`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { abort, startAbortable } from "../support/abortable.mjs";
import { CountingStream } from "../support/counting.mjs";
import { publishWithRetries } from "../support/publisher.mjs";
import { eventually, sleep } from "../support/wait.mjs";

const STREAMS = 200;
const EVENTS_PER_SECOND = 200;
/** Each publisher waits for its receipts, which take longer while the object is away. */
const PUBLISHERS = 40;
const ABORTS = 100;
const REPORT_EVERY = 10;
/** The time between two aborts. */
const EVERY_MS = 2_000;
const MAX_PAUSE_MS = 1_000;

/** Returns the value that the share `share` of `values` does not exceed. */
function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.ceil(sorted.length * share) - 1]);
}

test(`${STREAMS} streams at ${EVENTS_PER_SECOND} events a second outlast ${ABORTS} aborts of their object`, {
  timeout: 900_000,
}, async () => {
  const hub = await startAbortable();
  const channel = hub.channel("load");
  await channel.publish("first");
  const streams = [];
  for (let n = 0; n < STREAMS; n++) streams.push(await CountingStream.open(channel));
  assert.equal((await channel.stats()).feeds, STREAMS);
  const ids = new Set();
  let published = 1;
  let isOver = false;
  const period = (PUBLISHERS * 1_000) / EVENTS_PER_SECOND;
  const publishing = Array.from({ length: PUBLISHERS }, async (_, publisher) => {
    await sleep((period * publisher) / PUBLISHERS);
    let due = performance.now();
    for (let n = 0; !isOver; n++) {
      ids.add((await publishWithRetries(channel, `${publisher} ${n}`)).id);
      published++;
      due = Math.max(due + period, performance.now() - 1_000);
      await sleep(Math.max(0, due - performance.now()));
    }
  });
  // The events begin.
  await sleep(EVERY_MS);
  for (const stream of streams) stream.longestPause();
  await sleep(EVERY_MS);
  const started = performance.now();
  const before = published;
  const usual = streams.map((stream) => stream.longestPause());
  const pauses = [];
  for (let round = 1; round <= ABORTS; round++) {
    await abort(hub, channel.id);
    await sleep(EVERY_MS);
    const longest = streams.map((stream) => stream.longestPause());
    pauses.push(...longest);
    if (round % REPORT_EVERY === 0) console.log(`# abort ${round}: the longest pause was ${percentile(longest, 1)} ms`);
  }
  const rate = ((published - before) * 1_000) / (performance.now() - started);
  isOver = true;
  await Promise.all(publishing);
  await eventually(() => streams.every(({ seq }) => seq >= published), 20_000, "all streams have all events");

  const sum = (count) => streams.reduce((total, stream) => total + count(stream), 0);
  const result = {
    cut: sum(({ isCut }) => Number(isCut)),
    lost: sum(({ lost }) => lost),
    doubled: sum(({ doubled }) => doubled),
    notices: sum(({ notices }) => notices.length),
  };
  const [p50, p99, longest] = [0.5, 0.99, 1].map((share) => percentile(pauses, share));
  console.log(`# ${published} events, ${Math.round(rate)} a second, ${ABORTS} aborts: ${JSON.stringify(result)}`);
  console.log(
    `# pauses: p50 ${p50} ms, p99 ${p99} ms, longest ${longest} ms; before the aborts at most ${percentile(usual, 1)} ms`,
  );
  assert.deepEqual(result, { cut: 0, lost: 0, doubled: 0, notices: 0 });
  assert.equal(ids.size, published - 1, "each publish has an id of its own");
  assert.equal((await channel.stats()).seq, published, "no publish was stored twice");
  assert.ok(p99 <= MAX_PAUSE_MS, `p99 ${p99} ms`);
});
