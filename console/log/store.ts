// The newest entries of the log, in memory. It is bounded by their number and by the length of their texts.

/** How many entries it keeps. */
export const MAX_ENTRIES = 5_000;
/** How many characters of data it keeps, which is enough for 250 events of the largest default size. */
const MAX_CHARS = 16 * 1_024 * 1_024;

export interface Entry {
  /** The number of the entry: 1, 2, 3, … */
  n: number;
  /** When it arrived, in milliseconds since 1970. */
  time: number;
  /** An event of the channel, a notice of the hub, or a change of the connection. */
  kind: "event" | "notice" | "status";
  /** Empty if the subscription has one channel. */
  channel: string;
  type: string;
  /** Empty if it has none. */
  id: string;
  data: string;
  /** For a change of the connection: its situation, which has a colour. */
  state?: string;
}

export type Filter = (entry: Entry) => boolean;

export class Store {
  /** The entries, oldest first. */
  #entries: Entry[] = [];
  #chars = 0;
  #last = 0;
  /** How many entries it has removed because there were more than it keeps. */
  removed = 0;

  add(entry: Omit<Entry, "n">): Entry {
    this.#last += 1;
    const numbered = { n: this.#last, ...entry };
    this.#entries.push(numbered);
    this.#chars += entry.data.length;
    while (this.#entries.length > MAX_ENTRIES || (this.#chars > MAX_CHARS && this.#entries.length > 1)) {
      this.#chars -= this.#entries.shift()?.data.length ?? 0;
      this.removed += 1;
    }
    return numbered;
  }

  clear() {
    this.#entries = [];
    this.#chars = 0;
    this.removed = 0;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** The number of the newest entry, even if it was removed. */
  get newest(): number {
    return this.#last;
  }

  /** Returns up to `limit` entries with numbers below `before` that match, newest first. */
  older(before: number, limit: number, filter: Filter): Entry[] {
    const found: Entry[] = [];
    for (let at = this.#indexOf(before) - 1; at >= 0 && found.length < limit; at--) {
      const entry = this.#entries[at];
      if (entry && filter(entry)) found.push(entry);
    }
    return found;
  }

  /** Returns the entries with numbers above `after` that match, newest first. */
  newer(after: number, filter: Filter): Entry[] {
    return this.#entries
      .slice(this.#indexOf(after + 1))
      .filter(filter)
      .reverse();
  }

  /** Returns the index of the first entry whose number is at least `n`. The numbers have no holes. */
  #indexOf(n: number): number {
    const first = this.#entries[0]?.n ?? 0;
    return Math.min(Math.max(0, n - first), this.#entries.length);
  }
}
