// A job that takes some seconds: it counts primes.

const STEPS = 100;

/** Counts the primes from `start` to below `end`. */
function countBetween(start, end) {
  let primes = 0;
  for (let number = Math.max(2, start); number < end; number += 1) {
    let divisor = 2;
    while (divisor * divisor <= number && number % divisor !== 0) divisor += 1;
    if (divisor * divisor > number) primes += 1;
  }
  return primes;
}

/**
 * Counts the primes below `limit`. Publishes the progress to `channel`, and ends the channel with the result, or with
 * the reason of a failure.
 * @param {import("sse-broadcaster").Hub} hub
 * @param {string} channel
 * @param {number} limit
 */
export async function countPrimes(hub, channel, limit) {
  try {
    let primes = 0;
    for (let step = 1; step <= STEPS; step += 1) {
      primes += countBetween(Math.floor((limit * (step - 1)) / STEPS), Math.floor((limit * step) / STEPS));
      await hub.publish(channel, { percent: step }, { type: "progress" });
    }
    await hub.end(channel, { primes, limit }, { type: "result" });
  } catch (error) {
    // If the hub refuses this, too, the first error says more.
    await hub.end(channel, { reason: String(error) }, { type: "failed" }).catch(console.error);
    throw error;
  }
}
