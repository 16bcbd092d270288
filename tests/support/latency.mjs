// Measures how long publishes take while the hub has other work.
import { sleep } from "./wait.mjs";

/**
 * Publishes to a channel, one event after the other, until `isDone` returns true. Returns the number of publishes,
 * and the quantiles and the maximum of their times in whole milliseconds.
 * @param {import("./hub.mjs").Channel} channel
 * @param {() => unknown} isDone
 * @param {number} [pauseMs] the pause between publishes
 */
export async function measurePublishes(channel, isDone, pauseMs = 5) {
  const times = [];
  while (!isDone()) {
    const started = performance.now();
    await channel.publish("tick");
    times.push(performance.now() - started);
    await sleep(pauseMs);
  }
  times.sort((a, b) => a - b);
  const quantile = (share) => Math.round(times[Math.floor(times.length * share)]);
  return {
    count: times.length,
    p50: quantile(0.5),
    p90: quantile(0.9),
    p99: quantile(0.99),
    max: Math.round(times.at(-1)),
  };
}
