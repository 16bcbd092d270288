// The number of subscribers in the bar: from the receipts of this page, and from the counters of the channels.
//
// Asking for the counters wakes the object of a channel, which costs money on Cloudflare, and needs the claim publish.
// So the page asks when a stream opens, when the user presses the number, and while events arrive and the page is in
// sight. It stops if the hub refuses.
import { byId, setText, timeOfDay } from "./dom.ts";
import { connect, HubError } from "./hub.ts";
import { allows } from "./jwt.ts";
import type { Target } from "./target.ts";
import { claimsFor, tokenFor } from "./token.ts";
import { Transport } from "./transport.ts";

const EVERY_MS = 10_000;

export class Subscribers {
  #target: Target;
  #controller = new AbortController();
  /** The number of each channel. */
  #counts = new Map<string, number>();
  #refused = false;
  #asking = false;
  /** Whether an event has arrived since the page last asked. */
  #isBusy = false;
  #button = byId<HTMLButtonElement>("subscribers");

  constructor(target: Target) {
    this.#target = target;
    this.#show("not known");
    const { signal } = this.#controller;
    this.#button.addEventListener("click", () => this.#ask(true), { signal });
    const timer = setInterval(() => {
      if (this.#isBusy && document.visibilityState === "visible") this.#ask();
    }, EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  /** The stream is open. */
  opened() {
    this.#ask();
  }

  /** An event has arrived. */
  event() {
    this.#isBusy = true;
  }

  /** A receipt has the number of subscribers of a channel. */
  receipt(server: string, channel: string, subscribers: number) {
    if (this.#target.server !== server || !this.#target.channels.includes(channel)) return;
    this.#counts.set(channel, subscribers);
    this.#show();
  }

  close() {
    this.#controller.abort();
  }

  async #ask(byUser = false) {
    const { server, channels } = this.#target;
    const { signal } = this.#controller;
    const claims = claimsFor(server);
    const isAllowed = !claims || channels.every((channel) => allows(claims.publish, channel));
    if (this.#asking || (!byUser && (this.#refused || !isAllowed))) return;
    this.#asking = true;
    this.#isBusy = false;
    try {
      const hub = connect(server, { token: tokenFor(server), fetch: new Transport().fetch });
      for (const channel of channels) {
        const { subscribers } = await hub.stats(channel, { signal });
        this.#counts.set(channel, subscribers);
      }
      this.#refused = false;
      this.#show();
    } catch (error) {
      if (signal.aborted) return;
      // A token that permits only subscribing gets no counters.
      this.#refused = error instanceof HubError;
      if (this.#counts.size === 0) this.#show(`not known, because ${(error as Error).message}`);
    } finally {
      this.#asking = false;
    }
  }

  #show(unknown = "") {
    const sum = [...this.#counts.values()].reduce((total, n) => total + n, 0);
    const text = unknown ? "–" : sum.toLocaleString("en");
    setText(this.#button, text);
    const state = unknown ? unknown : `${text} at ${timeOfDay(Date.now()).slice(0, 8)}`;
    this.#button.ariaLabel = `Subscribers: ${state}. Ask again`;
  }
}
