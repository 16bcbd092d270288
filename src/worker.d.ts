// The types of "sse-broadcaster/worker".
import { DurableObject } from "cloudflare:workers";
import { type DeleteReceipt, HubError, type Receipt, type SeveralReceipts, type Stats } from "../build/client/index.js";

export { type DeleteReceipt, HubError, type Receipt, type SeveralReceipts, type Stats };

/**
 * The Durable Object of a channel. Your Worker exports it, binds it as CHANNEL, and names it in a migration under
 * `new_sqlite_classes`. You call none of its methods.
 */
export class Channel extends DurableObject {}

/** The bindings of your Worker that the hub reads: the objects, and the settings of docs/settings.md as variables. */
export interface HubBindings {
  CHANNEL: { idFromName(name: string): unknown };
}

/** The part of the context of an invocation that the hub uses. */
export interface HubContext {
  waitUntil(promise: Promise<unknown>): void;
}

export interface PublishOptions {
  /** The type of the event: up to 64 characters. */
  type?: string;
  /** Repeats with the same key publish once; each channel remembers the key for IDEMPOTENCY_SECONDS. */
  idempotencyKey?: string;
}

export interface MountedHub {
  /**
   * Answers a request of a client to `/channels/…` or `/healthz`, as docs/api.md describes it, and any other request with
   * 404. Clients need tokens, as with every hub (docs/access.md). `context` is the context of your handler.
   */
  fetch(request: Request, env: HubBindings, context?: HubContext): Promise<Response>;
  /**
   * Publishes an event, without a token. `data` is a string, or a value that is sent as JSON. Throws `HubError`.
   */
  publish(env: HubBindings, channel: string, data: unknown, options?: PublishOptions): Promise<Receipt>;
  /** Publishes the same event to several channels. */
  publish(
    env: HubBindings,
    channels: readonly string[],
    data: unknown,
    options?: PublishOptions,
  ): Promise<SeveralReceipts>;
  /** Publishes `data`, if it is given, and ends the channel. Throws `HubError`. */
  end(env: HubBindings, channel: string, data?: unknown, options?: PublishOptions): Promise<Receipt>;
  /** Deletes everything that is stored for the channel, and ends its streams. Throws `HubError`. */
  delete(env: HubBindings, channel: string): Promise<DeleteReceipt>;
  /** Reads the counters of the channel. Throws `HubError`. */
  stats(env: HubBindings, channel: string): Promise<Stats>;
}

/** The hub in your Worker. */
export const hub: MountedHub;
