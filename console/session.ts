// The subscription of the page: it connects through the client, and says in which situation it is.
import { areConnectionsTaken } from "./connections.ts";
import { connect, type HubEvent, type Missing, type Status, type Subscription } from "./hub.ts";
import { describe, EXPIRED, type Situation } from "./situation.ts";
import type { Target } from "./target.ts";
import { Transport } from "./transport.ts";

/** After this time without an answer, the page finds out whether all connections are taken. */
const PATIENCE_MS = 3_000;

export interface Wanted {
  target: Target;
  token: string | undefined;
  history: number;
  catchUp: boolean;
}

/** What happens to a subscription. */
export interface Observer {
  event(event: HubEvent): void;
  gap(missing: Missing): void;
  dropped(missing: Missing): void;
  ended(channel: string): void;
  /** One of several channels is not available, for now. */
  failed(channel: string, detail: string): void;
  /** The token has expired. */
  expired(): void;
  /** The status of the connection has changed. */
  changed(): void;
}

/** The last subscription that was refused. It can continue with another token. */
let refused: { url: string; lastEventId: string } | undefined;

export class Session {
  readonly target: Target;
  /** Whether it continues a subscription that was refused. */
  readonly continues: boolean;
  #transport = new Transport();
  #controller = new AbortController();
  #subscription: Subscription;
  #status: Status = { state: "connecting", attempt: 1, reason: "" };
  #taken = false;
  #closed = false;
  #first = true;
  #expired = false;
  #hasToken: boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ target, token, history, catchUp }: Wanted, observer: Observer) {
    this.target = target;
    this.#hasToken = token !== undefined;
    const lastEventId = (refused?.url === target.url && refused.lastEventId) || undefined;
    this.continues = lastEventId !== undefined;
    const { channels, server } = target;
    const hub = connect(server, { token, fetch: this.#transport.fetch });
    this.#watch(observer);
    this.#subscription = hub.subscribe(channels.length > 1 ? channels : (channels[0] ?? ""), {
      history: lastEventId ? undefined : history,
      catchUp,
      lastEventId,
      signal: this.#controller.signal,
      onEvent: (event) => observer.event(event as HubEvent),
      onGap: (missing) => observer.gap(missing),
      onDropped: (missing) => observer.dropped(missing),
      onEnd: (channel) => observer.ended(channel),
      onError: ({ channel, detail }) => observer.failed(channel, detail),
      onStatus: (status) => {
        if (!this.#closed) this.#follow(status, observer);
      },
    });
    // The refusal is shown as a status.
    this.#subscription.done.catch(() => undefined);
  }

  #follow(status: Status, observer: Observer) {
    this.#status = status;
    if (status.state !== "connecting") this.#first = false;
    if (status.state === "open") refused = undefined;
    if (status.state === "refused") this.#remember();
    if (status.state === "reconnecting" && status.reason === EXPIRED) this.#expire(observer);
    const waits = status.state === "connecting" || status.state === "reconnecting";
    if (!waits) this.#taken = false;
    if (status.state === "connecting") this.#watch(observer);
    else clearTimeout(this.#timer);
    observer.changed();
  }

  /** Lets the next subscription to the same channels continue where this one is. */
  #remember() {
    refused = { url: this.target.url, lastEventId: this.#subscription.lastEventId };
  }

  /** With a cookie, which may have been renewed, the client connects again. The hub would refuse the same token. */
  #expire(observer: Observer) {
    observer.expired();
    if (!this.#hasToken) return;
    this.#expired = true;
    this.#remember();
    this.#end();
  }

  /** Finds out later why no answer has arrived, if none has. */
  #watch(observer: Observer) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      this.#taken = await areConnectionsTaken(this.target.server, this.#controller.signal);
      observer.changed();
      // The connections may be free later, so this is repeated until the status changes.
      if (!this.#closed && this.#status.state === "connecting") this.#watch(observer);
    }, PATIENCE_MS);
  }

  /** The situation in words. The waiting time in it changes from second to second. */
  get situation(): Situation {
    const { target } = this;
    return describe({
      target,
      status: this.#status,
      first: this.#first,
      reached: this.#transport.reached,
      expired: this.#expired,
      taken: this.#taken,
      closed: this.#closed,
    });
  }

  /** Ends the subscription. */
  close() {
    this.#expired = false;
    this.#end();
  }

  #end() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#controller.abort();
    this.#subscription.close();
  }
}
