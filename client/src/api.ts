// The types of the public API. docs/client.md explains how to use it.
import type { HubError } from "./problem.ts";

/** The options of `connect`. */
export interface ConnectOptions {
  /**
   * A token, or a function that returns one, for example from the server of the page. The client calls the function
   * once for all streams and requests, and again before `exp` and after a 401. A call without an answer after 20 s
   * counts as failed, and the next call may begin while it still runs.
   */
  token?: string | (() => string | Promise<string>) | undefined;
  /** One connection for all tabs of this origin that subscribe to the same channels with equal rights. */
  shareTabs?: boolean | undefined;
  /** Replaces `globalThis.fetch`. It has to obey the signal of its request. */
  fetch?: typeof fetch | undefined;
}

/** A hub. `connect` makes it. It opens nothing until the first subscribe or request. */
export interface Hub {
  /** The URL of the hub, without a slash at its end. */
  readonly url: string;
  /** Subscribes to one channel, or to several with one stream. Throws a TypeError for a bad channel id or option. */
  subscribe<T = string>(channels: string | readonly string[], options?: SubscribeOptions<T>): Subscription<T>;
  /**
   * Publishes one event: a string as it is, and anything else as JSON. Repeats the request under one idempotency key
   * until it has a receipt or a refusal. Rejects with a HubError if the hub refuses it.
   */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<Receipt>;
  /** Publishes to several channels with one request. The answer for a list of one channel is a Receipt. */
  publish(
    channels: readonly [string, string, ...string[]],
    data: unknown,
    options?: PublishOptions,
  ): Promise<SeveralReceipts>;
  publish(
    channels: string | readonly string[],
    data: unknown,
    options?: PublishOptions,
  ): Promise<Receipt | SeveralReceipts>;
  /** Publishes `data` if it is given, and ends the channel. Repeats the request as `publish` does. */
  end(channel: string, data?: unknown, options?: PublishOptions): Promise<Receipt>;
  /** Deletes the channel. Sends the request once. */
  delete(channel: string, options?: RequestOptions): Promise<DeleteReceipt>;
  /** Returns the counters of the channel. Sends the request once. */
  stats(channel: string, options?: RequestOptions): Promise<Stats>;
  /** The stored events of the channel, page by page, up to the newest. Each page is one request. */
  events<T = string>(channel: string, options?: HistoryOptions): AsyncIterable<HistoryPage<T>>;
  /** Closes all subscriptions. */
  close(): void;
}

/** An event of a channel. */
export interface HubEvent<T = string> {
  channel: string;
  /** The id in the channel, `<epoch>-<seq>`, as in the receipt and the history, also in a stream of several channels. */
  id: string;
  /** "message" if the event was published without a type. */
  type: string;
  data: T;
}

/** The events that a `hub.gap` or `hub.dropped` reports. `count` and `from` are null if the hub does not know. */
export interface Missing {
  channel: string;
  count: number | null;
  from: string | null;
  to: string;
}

/** The options of `Hub.subscribe`. */
export interface SubscribeOptions<T = string> {
  /** The stream begins with this many of the newest events of each channel. Default: 0. */
  history?: number | undefined;
  /** If the stream is too slow, it reads missed events from the history instead of dropping them. Default: false. */
  catchUp?: boolean | undefined;
  /** Only events of these types; "message" means events without a type. Default: all. */
  types?: readonly string[] | undefined;
  /** Parses the data as JSON. Data that is not JSON goes to `onError`, and the event is skipped. Default: false. */
  parse?: boolean | undefined;
  /** Closes the subscription. */
  signal?: AbortSignal | undefined;
  /** The position after which the stream begins: `Subscription.lastEventId` of an earlier one. */
  lastEventId?: string | undefined;
  /** Gets every event as soon as it is read. The subscription then has no buffer and cannot be iterated. */
  onEvent?: ((event: HubEvent<T>) => void) | undefined;
  /** The hub no longer has these events. */
  onGap?: ((missing: Missing) => void) | undefined;
  /** The stream was too slow for these events. */
  onDropped?: ((missing: Missing) => void) | undefined;
  /** The channel has ended. */
  onEnd?: ((channel: string) => void) | undefined;
  onStatus?: ((status: Status) => void) | undefined;
  /** A channel cannot be read at the moment (`hub.error`), or data is not JSON. The subscription goes on. */
  onError?: ((error: { channel: string; detail: string }) => void) | undefined;
}

/**
 * A subscription, which iterates over its events. Leaving the iteration closes it. Without `onEvent` and without an
 * iteration, events are buffered; reading pauses when 1,000 are waiting.
 */
export interface Subscription<T = string> extends AsyncIterable<HubEvent<T>> {
  readonly channels: readonly string[];
  readonly status: Status;
  /** The position: the id of the last event or notice that the subscription has given to its user. */
  readonly lastEventId: string;
  /** Resolves when all channels have ended or the subscription is closed. Rejects with the HubError of a refusal. */
  readonly done: Promise<void>;
  close(): void;
}

/** The state of a subscription. `reason` says in words why it is in this state. */
export type Status =
  | { state: "connecting"; attempt: number; reason: string }
  | { state: "open"; attempt: 0; reason: string }
  /** Waits for the next attempt. `retryAt` is in milliseconds since 1970. */
  | { state: "reconnecting"; attempt: number; reason: string; retryAt: number }
  /** Every channel has ended, or the subscription was closed. */
  | { state: "ended"; attempt: 0; reason: string }
  | { state: "refused"; attempt: 0; reason: string; error: HubError };

export interface RequestOptions {
  signal?: AbortSignal | undefined;
}

/** The options of `Hub.publish` and `Hub.end`. */
export interface PublishOptions extends RequestOptions {
  /** The type of the event. */
  type?: string | undefined;
  /** Default: a random key for each call. */
  idempotencyKey?: string | undefined;
}

/** The options of `Hub.events`. */
export interface HistoryOptions extends RequestOptions {
  /** The id of an event of the channel: begin after it. Default: begin with the oldest event. */
  after?: string | undefined;
  /** The most events of a page: 1 to 1,000. Default: 100. */
  limit?: number | undefined;
  /** Parses the data as JSON. The iteration throws a SyntaxError at data that is not JSON. Default: false. */
  parse?: boolean | undefined;
}

/** The answer to a publish. docs/api.md explains the members. */
export interface Receipt {
  id: string;
  events: number;
  subscribers: number;
  dropped: number;
}

/** The answer to a publish to several channels, in the order of the call. */
export interface SeveralReceipts {
  channels: (Receipt & { channel: string; replayed: boolean })[];
}

export interface DeleteReceipt {
  id: string;
  subscribers: number;
  dropped: number;
}

/** The counters of a channel. docs/api.md explains the members. */
export interface Stats {
  channel: string;
  epoch: string;
  seq: number;
  subscribers: number;
  feeds: number;
  busy: number;
  published: number;
  dropped: number;
  connected: number;
  awake_since: number;
  uptime_seconds: number;
  ended: boolean;
  history: { oldest: string | null; events: number; bytes: number; rows_written: number } | null;
}

/** A page of the history. docs/api.md explains the members. */
export interface HistoryPage<T = string> {
  events: { id: string; event: string; data: T }[];
  gap: Omit<Missing, "channel"> | null;
  next: string;
  ended: boolean;
}
