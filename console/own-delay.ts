// How long an event that this page publishes takes until it arrives on this page's own stream.
//
// The delay of other events cannot be known: an event has no time, and the clocks of two machines differ by more than a
// delivery takes. For an own event, one clock measures both ends. The receipt may come after the event or before it.

/** How many ids are kept for which only the event or only the receipt has arrived. */
const MAX_WAITING = 100;

export class OwnDelay {
  #received = new Map<string, number>();
  #published = new Map<string, number>();
  #report: (ms: number) => void;

  /** @param report gets each delay, in milliseconds */
  constructor(report: (ms: number) => void) {
    this.#report = report;
  }

  /** An event has arrived. */
  received(id: string) {
    const now = performance.now();
    const started = this.#published.get(id);
    if (started === undefined) return remember(this.#received, id, now);
    this.#published.delete(id);
    this.#report(now - started);
  }

  /** A receipt has arrived for a publish that was sent at `started`. */
  published(id: string, started: number) {
    const arrived = this.#received.get(id);
    if (arrived === undefined) return remember(this.#published, id, started);
    this.#report(arrived - started);
  }

  clear() {
    this.#received.clear();
    this.#published.clear();
  }
}

function remember(map: Map<string, number>, id: string, time: number) {
  map.set(id, time);
  const [oldest] = map.keys();
  if (map.size > MAX_WAITING && oldest !== undefined) map.delete(oldest);
}
