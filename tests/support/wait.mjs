import { setTimeout as sleep } from "node:timers/promises";

export { sleep };

/** The options of a test that waits for real time beside other tests. */
export const threeMinutes = { timeout: 180_000 };

/**
 * Repeats `condition` until it is true, for at most `ms` milliseconds.
 * @param {() => unknown} condition
 * @param {number} [ms]
 * @param {string} [description] the condition in words, for the error
 */
export async function eventually(condition, ms = 20_000, description = condition.toString()) {
  const end = Date.now() + ms;
  for (;;) {
    // Check the condition once more after the end, because this process may not have run until then.
    const isLast = Date.now() > end;
    if (await condition()) return;
    if (isLast) throw new Error(`not within ${ms} ms: ${description}`);
    await sleep(20);
  }
}

/**
 * Waits until the hub counts `count` streams of a channel.
 * @param {{ stats(): Promise<any> }} channel
 * @param {number} [count]
 */
export const untilSubscribers = (channel, count = 1) =>
  eventually(async () => (await channel.stats()).subscribers === count, 40_000, `${count} subscribers`);
