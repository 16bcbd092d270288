// The stored events, page by page.
import type { HistoryOptions, HistoryPage } from "./api.ts";
import { pathOf } from "./channels.ts";
import { ask, type Connected } from "./request.ts";

export async function* readHistory<T>(
  hub: Connected,
  channel: string,
  { after, limit, parse, signal }: HistoryOptions = {},
): AsyncGenerator<HistoryPage<T>, void> {
  for (let isFirst = true; ; isFirst = false) {
    const page = await ask(hub, pathOf(channel, "/events", { after, limit }), { signal });
    const { events, ended, next } = page;
    if (parse) for (const event of events) event.data = JSON.parse(event.data);
    if (isFirst || events.length > 0) yield page;
    if (ended || events.length === 0) return;
    after = next;
  }
}
