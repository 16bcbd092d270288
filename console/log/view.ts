// The log on the page, newest first. The page holds rows only for the newest entries; it makes rows for older entries
// when the user scrolls to them. While the user reads further down or has pressed Pause, new entries wait.
import { byId, count, setText } from "../dom.ts";
import { makeRow } from "./row.ts";
import { type Entry, type Filter, MAX_ENTRIES, Store } from "./store.ts";

/** How many rows are made at once, and how many there are at most while the newest row is in sight. */
const BATCH = 100;
/** The time between two changes of the list. */
const REFRESH_MS = 100;
/** Up to this distance from the top, in pixels, the newest row counts as in sight. */
const NEAR_TOP = 8;
/** Above this rate, a screen reader does not read new events, because it could not keep up. */
const READABLE_PER_SECOND = 1;

export class LogView {
  #store = new Store();
  #filter: Filter = () => true;
  #log = byId("log");
  #rows = byId<HTMLOListElement>("rows");
  #newer = byId<HTMLButtonElement>("newer");
  #pause = byId<HTMLButtonElement>("pause");
  #paused = false;
  /** The events per second. */
  #rate = 0;
  /** The number of the newest entry that was offered to the page. */
  #shown = 0;
  /** The number of the oldest entry that has a row. */
  #oldest = 1;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.#pause.addEventListener("click", () => this.#setPaused(!this.#paused));
    byId("clear").addEventListener("click", () => this.clear());
    this.#newer.addEventListener("click", () => this.#showNewest());
    this.#log.addEventListener("scroll", () => this.#schedule(), { passive: true });
    const sentinel = byId("older");
    const options = { root: this.#log, rootMargin: "600px" };
    new IntersectionObserver(([entry]) => entry?.isIntersecting && this.#showOlder(), options).observe(sentinel);
    this.clear();
  }

  add(entry: Omit<Entry, "n">) {
    this.#store.add(entry);
    this.#schedule();
  }

  /** Removes all entries. */
  clear() {
    this.#store.clear();
    this.#render();
  }

  /** Shows only the entries that match. */
  setFilter(filter: Filter) {
    this.#filter = filter;
    this.#log.scrollTop = 0;
    this.#render();
  }

  /** Takes the rate of events. A screen reader reads new events only at a low rate. */
  setRate(perSecond: number) {
    this.#rate = perSecond;
    const live = this.#paused || perSecond > READABLE_PER_SECOND ? "off" : "polite";
    if (this.#log.ariaLive !== live) this.#log.ariaLive = live;
  }

  #setPaused(paused: boolean) {
    this.#paused = paused;
    this.#pause.ariaPressed = String(paused);
    setText(this.#pause, paused ? "Go on" : "Pause");
    this.setRate(this.#rate);
    if (paused) this.#showState();
    else this.#showNewest();
  }

  #showNewest() {
    if (this.#paused) return this.#setPaused(false);
    this.#log.scrollTop = 0;
    this.#render();
    // The button that had the focus is hidden.
    if (document.activeElement === document.body) this.#log.focus();
  }

  #schedule() {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#refresh();
    }, REFRESH_MS);
  }

  get #isAtTop() {
    return this.#log.scrollTop <= NEAR_TOP;
  }

  /** Adds the rows of new entries if the newest row is in sight. */
  #refresh() {
    if (this.#paused || !this.#isAtTop) return this.#showState();
    const fresh = this.#store.newer(this.#shown, this.#filter);
    if (fresh.length >= BATCH) return this.#render();
    this.#shown = this.#store.newest;
    this.#rows.prepend(...fresh.map(makeRow));
    this.#trim();
    this.#showState();
  }

  /** Removes the last rows, so that the list does not grow. */
  #trim() {
    const excess = this.#rows.children.length - 2 * BATCH;
    if (excess <= 0) return;
    for (let n = 0; n < excess; n++) this.#rows.lastElementChild?.remove();
    this.#oldest = Number((this.#rows.lastElementChild as HTMLElement).dataset.n);
  }

  /** Makes the list again from the newest entries, without those that wait during a pause. */
  #render() {
    if (!this.#paused) this.#shown = this.#store.newest;
    this.#oldest = this.#shown + 1;
    this.#rows.replaceChildren();
    this.#showOlder();
  }

  /** Adds the rows of older entries at the end. */
  #showOlder() {
    const entries = this.#store.older(this.#oldest, BATCH, this.#filter);
    this.#rows.append(...entries.map(makeRow));
    this.#oldest = entries.at(-1)?.n ?? this.#oldest;
    this.#showState();
  }

  /** Says how many entries wait and how many were removed, and why the list is empty. */
  #showState() {
    const waiting = this.#store.newer(this.#shown, this.#filter).length;
    this.#newer.hidden = this.#paused || waiting === 0;
    setText(this.#newer, `${count(waiting, "new row")} above`);
    setText(byId("log-state"), this.#paused ? `Paused. ${count(waiting, "new row")} waiting.` : "");
    const isEmpty = this.#rows.children.length === 0;
    const hasAny = this.#store.size > 0;
    setText(byId("empty"), isEmpty ? (hasAny ? "No event matches the filter." : "No events yet.") : "");
    const kept = `The page keeps the newest ${count(MAX_ENTRIES, "row")} and 16 MiB of data`;
    const { removed } = this.#store;
    setText(byId("older"), removed > 0 ? `${kept}; ${count(removed, "older row")} removed.` : "");
  }
}
