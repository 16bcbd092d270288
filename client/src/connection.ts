// Keeps one stream open: opens it, reads it, and after its end, opens it again at the same position.
import { createParser } from "eventsource-parser";
import { errorOf, type HubError, isTemporary } from "./problem.ts";
import { type Connected, send } from "./request.ts";
import { childOf, FIRST_WAIT_MS, sleep, waitMs } from "./timing.ts";
import { createWatchdog } from "./watchdog.ts";

/** A parsed block. With the parser's own type, the types of the package would depend on the parser. */
export interface Message {
  id?: string | undefined;
  event?: string | undefined;
  data: string;
}

/** The state of a stream, why, the number of the attempt, and when the next one begins, in milliseconds since 1970. */
export type SetStatus = (
  state: "connecting" | "open" | "reconnecting",
  reason: string,
  attempt?: number,
  more?: { retryAt: number },
) => void;

/** A stream that was open for longer than this, in milliseconds, is opened again at once when its token has expired. */
const LIVED_MS = 2_000;
/** The shortest wait after a stream that has ended, whatever it says, in milliseconds. */
const MIN_RETRY_MS = 100;
/** The longest time until a token is renewed early, in milliseconds. Timers have no more than 31 bits. */
const MAX_RENEWAL_MS = 1e9;

/** Why a stream is opened again if nothing else is known. */
const ENDED = "the stream has ended";

/** The subscription that a connection reads a stream for. */
export interface Reader {
  path: string;
  /** The id after which the stream continues, or "". */
  position(): string;
  receive(message: Message): void;
  setStatus: SetStatus;
  isFull(): boolean;
  /** Resolves when more may be read. */
  room(): Promise<void>;
  /** There is no more to read: all channels have ended, or the hub refuses. */
  finish(error?: HubError): void;
  /** Called with the token before it is sent. */
  use?(token: string | undefined): void;
  /** A heartbeat has arrived. */
  beat?(): void;
}

/** Calls `wake` when the network or the user comes back, until `signal` aborts. */
function onReturn(wake: () => void, signal: AbortSignal) {
  const { document, navigator } = globalThis;
  // Other runtimes than browsers have no such events.
  if (navigator?.onLine !== undefined) addEventListener("online", wake, { signal });
  document?.addEventListener("visibilitychange", () => document.hidden || wake(), { signal });
}

/** Keeps a stream open until it is finished or `signal` aborts. */
export async function keepOpen(hub: Connected, reader: Reader, signal: AbortSignal): Promise<void> {
  const { tokens } = hub;
  const watchdog = createWatchdog();
  let wake: (() => void) | undefined;
  let attempt = 0;
  let failures = 0;
  let retry = FIRST_WAIT_MS;
  let reason = "the subscription begins";
  onReturn(() => {
    wake?.();
    watchdog.check();
  }, signal);

  while (!signal.aborted) {
    reader.setStatus("connecting", reason, ++attempt);
    reason = ENDED;
    const call = childOf(signal);
    /** When the stream was opened, or 0. */
    let openedAt = 0;
    let expired = false;
    /** The wait that the server asks for after a failure, in seconds. */
    let wait: number | undefined;
    let renewal: ReturnType<typeof setTimeout> | undefined;
    const watch = () => watchdog.start(() => call.abort(new Error("the hub is silent")));
    // The time in which a token is fetched does not count: the function for it has a limit of its own.
    const get = () => {
      watchdog.stop();
      return tokens.get().finally(watch);
    };
    try {
      const position = reader.position();
      const request = { headers: position && { "Last-Event-ID": position }, signal: call.signal };
      const response = await send({ ...hub, tokens: { ...tokens, get } }, reader.path, request as object, reader.use);
      const { body, headers, status } = response;
      if (status === 204) return reader.finish();
      if (status !== 200 || !body || !headers.get("Content-Type")?.startsWith("text/event-stream")) {
        const error = await errorOf(response);
        if (isTemporary(error)) throw error;
        return reader.finish(error);
      }
      const parser = createParser({
        onEvent(message) {
          const { event, data } = message;
          watchdog.event();
          if (event === "hub.error") {
            reason = JSON.parse(data).detail;
            wait = 0;
          }
          if (event === "hub.expired") {
            expired = true;
            reason = "the token has expired";
          }
          reader.receive(message);
          if (event !== "hub.open") return;
          // A channel that was not available may be open now.
          wait = undefined;
          reason = ENDED;
          if (openedAt) return;
          openedAt = Date.now();
          // The next stream then does not have to wait for its token.
          renewal = setTimeout(() => tokens.get().catch(() => {}), Math.min(tokens.renewIn(), MAX_RENEWAL_MS));
          reader.setStatus("open", "the stream is open");
        },
        onComment() {
          watchdog.beat();
          reader.beat?.();
        },
        onRetry(ms) {
          retry = ms;
        },
      });
      const decoder = new TextDecoder();
      const chunks = body.getReader();
      for (;;) {
        // In Node, a read after the abort may never resolve.
        call.signal.throwIfAborted();
        const { done, value } = await chunks.read();
        if (done) break;
        watchdog.touch();
        parser.feed(decoder.decode(value, { stream: true }));
        if (!reader.isFull()) continue;
        watchdog.stop();
        await reader.room();
        watch();
      }
    } catch (error) {
      const cause = call.signal.aborted ? call.signal.reason : error;
      // The function for the token may throw anything.
      reason = `${cause?.message ?? cause}`;
      wait = cause?.retryAfter;
    } finally {
      watchdog.stop();
      clearTimeout(renewal);
      call.abort();
    }
    if (signal.aborted) return;

    if (openedAt) attempt = failures = 0;
    else failures++;
    const again = expired && Date.now() - openedAt > LIVED_MS;
    const ms = again ? 0 : waitMs(failures, Math.max(MIN_RETRY_MS, retry, (wait ?? 0) * 1_000));
    reader.setStatus("reconnecting", reason, attempt + 1, { retryAt: Date.now() + ms });
    await sleep(ms, signal, (finish) => {
      // The user cannot shorten a wait that the server asks for.
      wake = wait === undefined ? finish : undefined;
    });
    wake = undefined;
  }
}
