// The entry point of the client: makes the object that pages and programs use.
import type { ConnectOptions, Hub } from "./api.ts";
import { pathOf } from "./channels.ts";
import { readHistory } from "./history.ts";
import { publish } from "./publish.ts";
import { ask, type Connected } from "./request.ts";
import { subscribe } from "./subscription.ts";
import { createTokens } from "./token.ts";

/** Returns the URL of a hub without a slash at its end. In a page, the URL may be relative to the page. */
function urlOf(text: string | URL): string {
  const { href } = new URL(text, globalThis.location?.href);
  if (/^https?:\/\/[^@?#]+$/.test(href)) return href.replace(/\/+$/, "");
  throw new TypeError(`url "${text}": expected one such as https://hub.example`);
}

/** Connects to a hub. Opens nothing until the first subscribe or request. Throws a TypeError for a bad URL or option. */
export function connect(
  url: string | URL,
  { token, shareTabs = false, fetch = globalThis.fetch }: ConnectOptions = {},
): Hub {
  const closing = new AbortController();
  const { signal } = closing;
  const hub: Connected = { url: urlOf(url), tokens: createTokens(token), fetch, shareTabs, signal };
  return {
    url: hub.url,
    subscribe: (channels, options) => subscribe(hub, channels, options),
    // biome-ignore lint/suspicious/noExplicitAny: the number of channels decides which type the receipt has.
    publish: (channels: any, data: unknown, options) => publish(hub, channels, "/broadcast", data, options),
    end: (channel, data = "", options) => publish(hub, channel, "/end", data, options),
    delete: async (channel, options) => ask(hub, pathOf(channel), { ...options, method: "DELETE" }),
    stats: async (channel, options) => ask(hub, pathOf(channel, "/stats"), options),
    events: (channel, options) => readHistory(hub, channel, options),
    close: () => closing.abort(),
  };
}
