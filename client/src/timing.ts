// When a request is sent again.

/** The wait after a stream that has named no other, in milliseconds. */
export const FIRST_WAIT_MS = 1_000;
/** The longest wait that doubles, without its random part. */
const MAX_DOUBLED_MS = 40_000;
/** The longest wait that a server may ask for. */
const MAX_LEAST_MS = 3_600_000;

/**
 * Returns how long to wait after this many failures in a row, in milliseconds. It doubles with each failure, is not
 * shorter than `least`, and is up to half of the doubled part longer at random, so that many clients do not come back at
 * the same moment. Without a failure, it is `least`.
 */
export function waitMs(failures: number, least: number): number {
  const doubled = failures && Math.min(MAX_DOUBLED_MS, (FIRST_WAIT_MS / 2) * 2 ** failures);
  return Math.max(doubled, Math.min(least, MAX_LEAST_MS)) + (doubled * Math.random()) / 2;
}

/** Reads the header Retry-After, which has seconds or a date. Returns seconds, or undefined. */
export function retryAfter(value: string | null): number | undefined {
  const seconds = Number(value) || (Date.parse(value as string) - Date.now()) / 1_000;
  return seconds > 0 ? seconds : undefined;
}

/** Makes a controller that aborts when `parent` does. Abort it at the end, so that it leaves `parent`. */
export function childOf(parent: AbortSignal | undefined): AbortController {
  const child = new AbortController();
  const abort = () => child.abort(parent?.reason);
  parent?.addEventListener("abort", abort, { signal: child.signal });
  if (parent?.aborted) abort();
  return child;
}

/** Waits for `ms` milliseconds, until `parent` aborts, or until the function that `onWake` gets is called. */
export async function sleep(
  ms: number,
  parent: AbortSignal | undefined,
  onWake?: (wake: () => void) => void,
): Promise<void> {
  const pause = childOf(parent);
  const wake = () => pause.abort();
  const timer = setTimeout(wake, ms);
  onWake?.(wake);
  if (!pause.signal.aborted) await new Promise((resolve) => pause.signal.addEventListener("abort", resolve));
  clearTimeout(timer);
}
