// Notices that a stream is dead: nothing arrives any more, not even heartbeats, and no error either.
//
// The hub writes a heartbeat after HEARTBEAT_SECONDS without another byte. The client does not know that setting, so it
// measures the time between two heartbeats. A stream is dead after twice that time without a byte. Until two heartbeats
// have arrived, the limit is twice the default setting, 15 seconds. If a stream dies before that, the setting may be
// longer, so the limit is doubled for the next stream.

const FIRST_LIMIT_MS = 30_000;
const MIN_LIMIT_MS = 2_000;
const MAX_DOUBLED_MS = 120_000;
/** Heartbeats that were held up on the way arrive together. The shortest setting is a second. */
const MIN_GAP_MS = 500;
/**
 * How long a stream gets to show that it is alive after the limit. After a sleep of the machine, timers are due before
 * the bytes that have arrived in the meantime are read.
 */
const GRACE_MS = 1_000;

export interface Watchdog {
  /** A stream begins. `die` is called once if it is dead. */
  start(die: () => void): void;
  /** Bytes have arrived. */
  touch(): void;
  /** A heartbeat has arrived. */
  beat(): void;
  /** An event has arrived. */
  event(): void;
  /** The machine may have slept: does not wait for the limit if a heartbeat is overdue. */
  check(): void;
  /** The stream has ended, or is not read at the moment. */
  stop(): void;
}

export function createWatchdog(): Watchdog {
  let limit = FIRST_LIMIT_MS;
  let interval = 0;
  let touchedAt = 0;
  /** When the last heartbeat arrived, or 0 if an event has arrived since. */
  let beatAt = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let die = () => {};

  const arm = (ms: number, then: () => void) => {
    clearTimeout(timer);
    timer = setTimeout(then, ms);
  };
  const touch = () => {
    touchedAt = Date.now();
    arm(limit, suspect);
  };
  const suspect = () =>
    arm(GRACE_MS, () => {
      limit = interval ? FIRST_LIMIT_MS : Math.min(limit * 2, MAX_DOUBLED_MS);
      interval = 0;
      timer = undefined;
      die();
    });
  return {
    start(then) {
      die = then;
      beatAt = 0;
      touch();
    },
    touch,
    beat() {
      const now = Date.now();
      const gap = beatAt && now - beatAt;
      beatAt = now;
      // After a longer gap, the machine has slept.
      if (gap < MIN_GAP_MS || gap > limit) return;
      interval = Math.max(gap, interval && (interval + gap) / 2);
      limit = Math.max(2 * interval, MIN_LIMIT_MS);
      arm(limit, suspect);
    },
    event() {
      beatAt = 0;
    },
    check() {
      if (timer && Date.now() - touchedAt > limit / 2) suspect();
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
