import { setTimeout as sleep } from "node:timers/promises";

export { sleep };

/** Asks `question` until its answer is true, for at most `ms` milliseconds. */
export async function eventually(question, ms = 10_000, what = question.toString()) {
  const end = Date.now() + ms;
  while (!(await question())) {
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(20);
  }
}
