// The view History: the stored events of a channel, page by page.
import { byId, count, fieldOf, make, setText } from "./dom.ts";
import { connect } from "./hub.ts";
import { makeRow } from "./log/row.ts";
import { reasonOf } from "./receipts.ts";
import type { Target } from "./target.ts";
import { tokenFor } from "./token.ts";
import { Transport } from "./transport.ts";

const PAGE_EVENTS = 50;
const LIMIT_MS = 15_000;

const form = byId<HTMLFormElement>("history-form");
const of = fieldOf<HTMLSelectElement>(form, "of");
const after = fieldOf(form, "after");
const next = byId<HTMLButtonElement>("next-page");
const previous = byId<HTMLButtonElement>("previous-page");
const state = byId("history-state");
const rows = byId("page-rows");

let target: Target | undefined;
/** The ids after which the pages up to the current one begin. An empty id stands for the oldest event. */
let positions: string[] = [];
/** The id after which the next page begins. */
let following = "";
/** Aborts the last read. */
let reading = new AbortController();

/** Offers the channels of a subscription in the view. */
export function setHistoryTarget(current: Target | undefined) {
  reading.abort();
  target = current;
  of.replaceChildren(...(current?.channels ?? []).map((channel) => make("option", "", channel)));
  rows.replaceChildren();
  setText(state, "");
  next.disabled = previous.disabled = true;
}

/** Reads the page after the last of these positions, and shows it. */
async function read(wanted: string[]) {
  if (!target) return setText(state, "subscribe to a channel first");
  const { server } = target;
  // The answer to an earlier read may arrive later.
  reading.abort();
  reading = new AbortController();
  const { signal: replaced } = reading;
  setText(state, "reading …");
  try {
    const hub = connect(server, { token: tokenFor(server), fetch: new Transport().fetch });
    const signal = AbortSignal.any([replaced, AbortSignal.timeout(LIMIT_MS)]);
    const options = { after: wanted.at(-1) || undefined, limit: PAGE_EVENTS, signal };
    for await (const page of hub.events(of.value, options)) {
      positions = wanted;
      following = page.next;
      next.disabled = page.ended || page.events.length === 0;
      previous.disabled = positions.length < 2;
      const entries = page.events.map(({ id, event = "message", data }) => ({
        kind: "event" as const,
        id,
        type: event,
        data,
      }));
      rows.replaceChildren(...entries.map((entry) => makeRow({ ...entry, channel: "" })));
      byId("page").scrollTop = 0;
      return setText(state, describe(page));
    }
    setText(state, "no page");
  } catch (error) {
    if (!replaced.aborted) setText(state, `not read: ${reasonOf(error, LIMIT_MS)}`);
  }
}

function describe({ events, gap, ended }: { events: unknown[]; gap: { count: number | null } | null; ended: boolean }) {
  const lost =
    gap?.count === null ? "Events are" : `${count(gap?.count ?? 0, "event")} ${gap?.count === 1 ? "is" : "are"}`;
  const sentences = [
    events.length > 0 ? `Page ${positions.length}: ${count(events.length, "event")}.` : "No event follows.",
    gap ? `${lost} not stored any more before this page.` : "",
    ended ? "The channel has ended." : "",
  ];
  return sentences.filter(Boolean).join(" ");
}

/** Shows the events as they arrive, or the history. */
function show(view: "live" | "history") {
  const isLive = view === "live";
  byId("live").hidden = byId("live-tools").hidden = !isLive;
  byId("history").hidden = form.hidden = isLive;
  byId("show-live").ariaPressed = String(isLive);
  byId("show-history").ariaPressed = String(!isLive);
  if (!isLive && rows.children.length === 0) read([after.value.trim()]);
}

export function startHistory() {
  byId("show-live").addEventListener("click", () => show("live"));
  byId("show-history").addEventListener("click", () => show("history"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    read([after.value.trim()]);
  });
  of.addEventListener("change", () => read([after.value.trim()]));
  next.addEventListener("click", () => read([...positions, following]));
  previous.addEventListener("click", () => read(positions.slice(0, -1)));
}
