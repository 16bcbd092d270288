// The bar that is always in sight: the status and the numbers.
import { byId, find, setText } from "./dom.ts";
import { showHelp } from "./help.ts";
import { Meter } from "./meter.ts";
import type { Situation } from "./situation.ts";
import type { Target } from "./target.ts";

/** The height of the sparkline's view box. */
const HEIGHT = 20;

const status = byId("status");
const polyline = find<SVGElement>(byId("sparkline"), "polyline");
const unsubscribe = byId<HTMLButtonElement>("unsubscribe");

/** What the page counts. */
export class Numbers {
  #meter = new Meter(Date.now());
  #counts = { received: 0, dropped: 0, gaps: 0 };
  /** Whether a gap has an unknown size. */
  #unknown = false;

  received() {
    this.#counts.received += 1;
    this.#meter.add(Date.now());
  }

  /** Counts events that a slow stream has lost. */
  dropped(count: number | null) {
    this.#counts.dropped += count ?? 0;
    this.show();
  }

  /** Counts events that are not stored any more. The count is null if it is unknown. */
  gap(count: number | null) {
    this.#counts.gaps += count ?? 0;
    this.#unknown ||= count === null;
    this.show();
  }

  /** Shows the delay of the last event that this page has published and received, in milliseconds. */
  delay(ms: number) {
    setText(byId("delay"), ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms).toLocaleString("en")} ms`);
  }

  show() {
    const { received, dropped, gaps } = this.#counts;
    this.#meter.advance(Date.now());
    const { rate } = this.#meter;
    setText(byId("rate"), rate > 0 && rate < 10 ? rate.toFixed(1) : Math.round(rate).toLocaleString("en"));
    polyline.setAttribute("points", this.#meter.points(HEIGHT));
    setText(byId("received"), received.toLocaleString("en"));
    setText(byId("dropped"), dropped.toLocaleString("en"));
    setText(byId("gaps"), gaps.toLocaleString("en") + (this.#unknown ? " or more" : ""));
    byId("dropped").classList.toggle("lost", dropped > 0);
    byId("gaps").classList.toggle("lost", gaps > 0 || this.#unknown);
  }

  /** The events per second. */
  get rate(): number {
    return this.#meter.rate;
  }
}

/** The situation without the part that counts down, which would be read aloud every second. */
let announced = "";

export function showSituation(situation: Situation, target: Target | undefined) {
  const { kind, text } = situation;
  status.dataset.state = kind;
  const steady = text.replace(/(, attempt \d+) in .*$/, "$1");
  status.ariaLive = steady === announced ? "off" : "polite";
  announced = steady;
  setText(status, text);
  unsubscribe.disabled = ["closed", "ended", "refused", "invalid"].includes(kind);
  showHelp(situation, target);
  const state = kind === "open" ? "" : `${kind} · `;
  document.title = target ? `${state}${target.channels.join(", ")} · sse-broadcaster` : "sse-broadcaster";
}
