// The panel Publish: one event or a batch, to the channels in its own field, on the server of the subscription.
import { byId, fieldOf, setText } from "./dom.ts";
import { connect, HubError } from "./hub.ts";
import { type Result, reasonOf, resultsOf, showFailure, showResult } from "./receipts.ts";
import { channelsOf, isChannelList, RULES, type Target, targetOf } from "./target.ts";
import { tokenFor } from "./token.ts";
import { Transport } from "./transport.ts";

/** The client repeats a publish for this time if the hub or a proxy answers that it may succeed later. */
const LIMIT_MS = 15_000;
/** The advice for the user if the hub has not answered within that time. */
const UNKNOWN =
  ", so it is not known whether it was published. Press Broadcast again: the key is the same, so it is published once";

const HINTS: Record<string, string> = {
  text: "Ctrl or ⌘ with Enter sends it.",
  json: "It has to be JSON. It is sent as it is.",
  batch: "Events as in a stream, with an empty line after each: event: score, data: 7:3. All are published, or none.",
};

const form = byId<HTMLFormElement>("publish");
const to = fieldOf(form, "to");
const type = fieldOf(form, "type");
const format = fieldOf<HTMLSelectElement>(form, "format");
const data = fieldOf<HTMLTextAreaElement>(form, "data");
const key = fieldOf(form, "key");

/** A publish as the user has entered it. */
export interface Draft {
  channels: string[];
  type: string;
  format: string;
  data: string;
  key: string;
}

export function currentDraft(): Draft {
  const channels = isChannelList(to.value) ? channelsOf(to.value) : [];
  return { channels, type: type.value, format: format.value, data: data.value, key: key.value.trim() };
}

/** The keys of the publishes that have not succeeded in all of their channels yet, by what the user has entered. */
const unsent = new Map<string, string>();
let target: Target | undefined;

/** Fills in the channels of a subscription for the next publish. `entered` is the text of the field Channel. */
export function setPublishTarget(current: Target | undefined, entered: string) {
  target = current;
  to.value = current?.channels.join(",") ?? entered;
  check();
}

function check() {
  const isList = isChannelList(to.value);
  to.setCustomValidity(isList ? "" : RULES.channel);
  const url = target && isList ? targetOf(target.server, channelsOf(to.value)).url : undefined;
  setText(byId("publish-target"), url ? `POST ${url}/broadcast` : "");
  setText(byId("publish-hint"), HINTS[format.value] ?? "");
  type.disabled = format.value === "batch";
}

/** What happens to a publish. */
export interface PublishObserver {
  /** It was published in a channel. `started` is when the request was sent, as of `performance.now()`. */
  published(server: string, channel: string, result: Result, started: number): void;
}

/** Sends the draft, and shows a receipt or a failure for each channel. */
async function publish(observer: PublishObserver) {
  const draft = currentDraft();
  const { server = "" } = target ?? {};
  const single = draft.channels.length === 1 ? (draft.channels[0] ?? "") : "";
  setText(byId("publish-state"), "sending …");
  try {
    if (!target) throw new Error("subscribe to a channel first");
    if (draft.format === "json") checkJson(draft.data);
    const started = performance.now();
    const results = await send(server, draft);
    for (const result of results) {
      showResult(result);
      observer.published(server, result.channel, result, started);
    }
    unsent.delete(textOf(server, draft));
    if (data.value === draft.data) data.value = "";
  } catch (error) {
    const results = resultsOf(error);
    for (const result of results) showResult(result);
    if (results.length === 0) showFailure(single, reasonOf(error, LIMIT_MS, UNKNOWN));
  } finally {
    setText(byId("publish-state"), "");
  }
}

function checkJson(text: string) {
  try {
    JSON.parse(text);
  } catch (error) {
    throw new Error(`the message is not JSON: ${(error as Error).message}`);
  }
}

async function send(server: string, draft: Draft): Promise<Result[]> {
  const { channels } = draft;
  const idempotencyKey = draft.key || keyFor(textOf(server, draft));
  const signal = AbortSignal.timeout(LIMIT_MS);
  const { fetch } = new Transport();
  if (draft.format === "batch") return sendBatch(server, draft, idempotencyKey, signal);
  const hub = connect(server, { token: tokenFor(server), fetch });
  const options = { type: draft.type || undefined, idempotencyKey, signal };
  const receipt = await hub.publish(channels, draft.data, options);
  return "channels" in receipt ? receipt.channels : [{ channel: channels[0] ?? "", ...receipt }];
}

/** Sends several events in one request. The client publishes one event at a time. */
async function sendBatch(server: string, draft: Draft, key: string, signal: AbortSignal): Promise<Result[]> {
  const token = tokenFor(server);
  const { url, channels } = targetOf(server, draft.channels);
  const headers = {
    "Content-Type": "text/event-stream",
    "Idempotency-Key": key,
    ...(token ? { Authorization: `Bearer ${token}` } : {}),
  };
  // The hub publishes an event only after the empty line that ends it.
  const body = `${draft.data.trimEnd()}\n\n`;
  const response = await new Transport().fetch(`${url}/broadcast`, { method: "POST", headers, body, signal });
  // A proxy may answer for the hub with a page.
  const answer = await response.json().catch(() => undefined);
  if (!response.ok || !answer)
    throw new HubError({ detail: `the answer has the status ${response.status}`, ...answer });
  return answer.channels ?? [{ channel: channels[0] ?? "", ...answer }];
}

/**
 * Returns a key for a publish. If it fails and the user sends the same message again, the key is the same, and the hub
 * publishes only what is missing.
 */
function keyFor(text: string): string {
  const key = unsent.get(text) ?? crypto.getRandomValues(new Uint32Array(4)).join("-");
  unsent.set(text, key);
  return key;
}

/** Returns a text that is equal for equal publishes. */
const textOf = (server: string, draft: Draft) => JSON.stringify([server, draft]);

export function startPublish(observer: PublishObserver) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    publish(observer);
  });
  data.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  to.addEventListener("input", check);
  format.addEventListener("change", check);
  check();
}
