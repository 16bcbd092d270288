// The receipts and the failures of the publishes of this page, newest first.
import { byId, count, make, timeOfDay } from "./dom.ts";
import { HubError } from "./hub.ts";

const MAX_SHOWN = 20;

/** The result of a publish in one channel, as the hub sends it. */
export interface Result {
  channel: string;
  id?: string;
  events?: number;
  subscribers?: number;
  dropped?: number;
  replayed?: boolean;
  error?: { detail: string };
}

const list = byId("receipts");

/** Shows the result of a publish in one channel. */
export function showResult(result: Result) {
  const { channel, id = "", events = 1, subscribers = 0, dropped = 0, replayed, error } = result;
  if (error) return showFailure(channel, error.detail);
  const noun = events === 1 ? "" : `${count(events, "event")} `;
  const text = `${noun}to ${count(subscribers, "stream")}, ${dropped} dropped${replayed ? ", by an earlier attempt" : ""}`;
  add(channel, `sent: ${text}`, "", id);
}

export function showFailure(channel: string, text: string) {
  add(channel, `not sent: ${text}`, "failed");
}

function add(channel: string, text: string, className: string, id = "") {
  const item = make("li", className);
  item.append(make("span", "time", timeOfDay(Date.now()).slice(0, 8)), " ");
  if (channel) item.append(make("span", "channel", channel), " ");
  item.append(make("span", "outcome", text));
  if (id) item.append(make("span", "id", id));
  list.prepend(item);
  while (list.children.length > MAX_SHOWN) list.lastElementChild?.remove();
  byId("receipts-title").hidden = false;
}

/** Returns the results of each channel from a refusal of a publish to several, or nothing. */
export function resultsOf(error: unknown): Result[] {
  return error instanceof HubError && Array.isArray(error.channels) ? (error.channels as Result[]) : [];
}

/** Says why a request has failed. Adds `unknown` if there was no answer within `ms` milliseconds. */
export function reasonOf(error: unknown, ms: number, unknown = ""): string {
  const { name, message } = error as Error;
  if (name === "TimeoutError") return `no answer within ${ms / 1_000} s${unknown}`;
  return message || "the request has failed";
}
