// The state of the connection in words. If the user has to do different things in two situations, they have different
// words.
import type { HubError, Status } from "./hub.ts";
import { duration } from "./jwt.ts";
import type { Target } from "./target.ts";
import { REDIRECTED } from "./transport.ts";

/** The kinds of situations. Each has a colour of its own; the page names it in `data-state`. */
export type Kind =
  | "connecting"
  | "open"
  | "reconnecting"
  /** The server has never answered. */
  | "unreachable"
  /** The browser waits for one of the connections that it opens to a server. */
  | "taken"
  | "ended"
  | "refused"
  /** The user has unsubscribed. */
  | "closed"
  /** A field has no valid value. */
  | "invalid";

export interface Situation {
  kind: Kind;
  text: string;
  /** The status of the hub's refusal, or 0. */
  status: number;
}

/** The facts from which a situation follows. */
export interface Knowledge {
  target: Target;
  status: Status;
  /** Whether this is the first attempt. */
  first: boolean;
  /** Whether the server has ever answered. */
  reached: boolean;
  /** Whether the token of the field has expired. */
  expired: boolean;
  /** Whether other streams take all connections of this browser to the server. */
  taken: boolean;
  /** Whether the user has unsubscribed. */
  closed: boolean;
}

/** The client's reason for connecting again after `hub.expired`. */
export const EXPIRED = "the token has expired";
/** The reasons of browsers for a failed connection, and the client's reason for a stream that was cut. */
const BROKEN = /failed to fetch|network ?error|load failed|input stream|the stream has ended/i;

export function describe(knowledge: Knowledge, now = Date.now()): Situation {
  const { target, status, first, reached, expired, taken, closed } = knowledge;
  const { url, server } = target;
  const is = (kind: Kind, text: string, code = 0): Situation => ({ kind, text, status: code });
  if (expired) return is("refused", `${EXPIRED}; to continue here, enter a new token and press Subscribe`, 401);
  if (closed) return is("closed", `unsubscribed from ${url}`);
  switch (status.state) {
    case "open":
      return is("open", `subscribed to ${url}`);
    case "ended":
      return is("ended", `${url} has ended`);
    case "refused":
      return describeRefusal(url, status.error, is);
  }
  if (taken) return is("taken", `waiting for a connection to ${server}: this browser has opened all it allows itself`);
  if (first) return is("connecting", `connecting to ${url} …`);
  const attempt = attemptOf(status, now);
  if (!reached) {
    return is("unreachable", `${server} has never answered${permission(server)}; reconnecting to ${url}${attempt}`);
  }
  const reason = BROKEN.test(status.reason) ? "connection lost" : status.reason;
  return is("reconnecting", `${reason}; reconnecting to ${url}${attempt}`);
}

function describeRefusal(
  url: string,
  error: HubError,
  is: (kind: Kind, text: string, code: number) => Situation,
): Situation {
  const { status, detail, message } = error;
  if (status === REDIRECTED) return is("refused", detail, status);
  return is("refused", `${url} was refused: ${detail || message}`, status);
}

function attemptOf(status: Status, now: number): string {
  if (!status.attempt) return " …";
  const wait = "retryAt" in status ? status.retryAt - now : 0;
  return `, attempt ${status.attempt}${wait > 0 ? ` in ${duration(wait)}` : " …"}`;
}

/** Browsers hide from a page of another origin why a request has failed. */
function permission(server: string): string {
  if (new URL(server).origin === location.origin) return "";
  const pages = location.protocol.startsWith("http") ? `pages of ${location.origin}` : "pages of the file system";
  return `, or ${pages} may not read its answers`;
}
