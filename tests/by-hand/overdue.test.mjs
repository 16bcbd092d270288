// The start with 50,000 overdue channels, and the times of publishes while they are cleared. It writes 800 MB.
import assert from "node:assert/strict";
import { test } from "node:test";
import { temporaryFolder } from "../support/folder.mjs";
import { makeOverdue, SHORT_LIVED } from "../support/overdue.mjs";
import { serve } from "../support/serve.mjs";
import { sleep } from "../support/wait.mjs";

const CHANNELS = 50_000;
const OPEN_FILES = 2_000;
const START_MS = 5_000;
const ROUNDS = 4;
const ROUND_MS = 20_000;
/** The interval between publishes, which do not wait for each other. */
const EVERY_MS = 10;

/** Returns the times of publishes to a channel, in milliseconds. */
async function publish(hub) {
  const channel = hub.channel("other");
  await channel.publish("first");
  const until = performance.now() + ROUND_MS;
  const publishes = [];
  while (performance.now() < until) {
    const since = performance.now();
    publishes.push(channel.publish("x".repeat(64)).then(() => performance.now() - since));
    await sleep(EVERY_MS);
  }
  return Promise.all(publishes);
}

const quantile = (times, share) => times.sort((a, b) => a - b)[Math.floor(times.length * share)];

test(`a hub with ${CHANNELS} overdue channels starts in time, and clearing them does not slow down publishes`, {
  timeout: 900_000,
}, async () => {
  const overdue = temporaryFolder();
  const usual = temporaryFolder();
  await makeOverdue(overdue, CHANNELS);
  const times = { clearing: [], usual: [] };
  for (let n = 0; n < ROUNDS; n++) {
    for (const [name, STATE_DIR] of [
      ["clearing", overdue],
      ["usual", usual],
    ]) {
      const hub = await serve({ ...SHORT_LIVED, STATE_DIR }, { openFiles: OPEN_FILES });
      assert.ok(hub.readyMs < START_MS, `ready after ${hub.readyMs} ms`);
      const found = hub.output.match(/^.*overdue.*$/m)?.[0] ?? "sse-broadcaster: nothing is overdue";
      console.log(`# ${Math.round(hub.readyMs)} ms to the start; ${found.slice("sse-broadcaster: ".length)}`);
      times[name].push(...(await publish(hub)));
      await hub.stop();
    }
  }
  const [p50, p99] = [0.5, 0.99].map((share) => [times.clearing, times.usual].map((all) => quantile(all, share)));
  const shown = (/** @type {number[]} */ [clearing, usual]) =>
    `${clearing.toFixed(1)} ms, without ${usual.toFixed(1)} ms`;
  console.log(`# publishes while channels are cleared: p50 ${shown(p50)}; p99 ${shown(p99)}`);
  assert.ok(p99[0] < Math.max(1.5 * p99[1], p99[1] + 30), "publishes are slower");
});
