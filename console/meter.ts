// Counts events by the second.

/** How many seconds the sparkline shows. */
export const SECONDS = 60;
/** Over how many whole seconds the shown rate is the mean. */
const MEAN_SECONDS = 3;

export class Meter {
  /** Events in each of the last seconds. The last number is that of the current second. */
  readonly counts: number[] = Array(SECONDS).fill(0);
  #second: number;

  /** @param now the time in milliseconds */
  constructor(now: number) {
    this.#second = Math.floor(now / 1_000);
  }

  /** Counts an event. */
  add(now: number) {
    this.advance(now);
    this.counts[SECONDS - 1] = (this.counts[SECONDS - 1] ?? 0) + 1;
  }

  /** Begins new seconds if they have begun. */
  advance(now: number) {
    const second = Math.floor(now / 1_000);
    const passed = Math.min(SECONDS, second - this.#second);
    if (passed <= 0) return;
    this.#second = second;
    this.counts.splice(0, passed);
    while (this.counts.length < SECONDS) this.counts.push(0);
  }

  /** The events per second, over the last whole seconds. */
  get rate(): number {
    const whole = this.counts.slice(-1 - MEAN_SECONDS, -1);
    return whole.reduce((sum, n) => sum + n, 0) / MEAN_SECONDS;
  }

  /** The points of a line through the whole seconds, in a box of SECONDS - 1 by `height`. It ends on the ground. */
  points(height: number): string {
    const whole = this.counts.slice(0, -1);
    const most = Math.max(1, ...whole);
    const line = whole.map((n, x) => `${x},${(height - (n / most) * height).toFixed(1)}`);
    return [`0,${height}`, ...line, `${SECONDS - 2},${height}`].join(" ");
  }
}
