// Programs that send the same requests as the page. They read the token from the variable TOKEN, so the copied code
// contains no token.
import type { Draft } from "./publish.ts";
import { type Target, targetOf } from "./target.ts";

export interface PageRequest {
  target: Target;
  history: number;
  catchUp: boolean;
  /** Whether the hub gets a token. */
  hasToken: boolean;
  draft: Draft;
}

export type Language = "curl" | "client" | "eventsource" | "python";

/** Where a program of each language runs, and what it needs. */
export const NOTES: Record<Language, string> = {
  curl: "In a shell.",
  client:
    "In a module of a page or in Node 20 or newer. The package is sse-broadcaster; a hub also serves the client as /client.js.",
  eventsource: "In a page, without a library. An EventSource gets only the types that it listens to.",
  python: "Python 3. Subscribing needs pip install httpx-sse; publishing needs no package.",
};

/** Returns a program that subscribes as the page does. */
export function subscribeWith(language: Language, { target, history, catchUp, hasToken }: PageRequest): string {
  const { url, server, channels } = target;
  const parameters = [history > 0 ? `history=${history}` : "", catchUp ? "catch_up=1" : ""].filter(Boolean);
  const query = parameters.length > 0 ? `?${parameters.join("&")}` : "";
  switch (language) {
    case "curl":
      return `curl -N ${hasToken ? '-H "Authorization: Bearer $TOKEN" ' : ""}${shell(url + query)}\n`;
    case "client": {
      const options = [history > 0 && `history: ${history}`, catchUp && "catchUp: true"].filter(Boolean);
      return `import { connect } from "sse-broadcaster";

const hub = connect(${js(server)}${hasToken ? ", { token: TOKEN }" : ""});
const stream = hub.subscribe(${js(channels.length > 1 ? channels : channels[0])}${options.length > 0 ? `, { ${options.join(", ")} }` : ""});
for await (const { channel, id, type, data } of stream) {
  console.log(channel, id, type, data);
}
`;
    }
    case "eventsource": {
      const token = hasToken ? ` + "${query ? "&" : "?"}token=" + TOKEN` : "";
      return `const source = new EventSource(${js(url + query)}${token});
source.addEventListener("message", ({ data, lastEventId }) => console.log(lastEventId, data));
${channels.length > 1 ? "// When all channels have ended, the hub answers 204, and the source closes itself." : 'source.addEventListener("hub.end", () => source.close());'}
`;
    }
    case "python":
      return `import os

import httpx
from httpx_sse import connect_sse

headers = ${hasToken ? `{"Authorization": f"Bearer {os.environ['TOKEN']}"}` : "{}"}
with httpx.Client(timeout=60) as client:  # a heartbeat arrives every 15 seconds
    with connect_sse(client, "GET", ${js(url + query)}, headers=headers) as source:
        for message in source.iter_sse():
${channels.length > 1 ? "" : '            if message.event == "hub.end":\n                break\n'}            print(message.id, message.event, message.data, flush=True)
`;
  }
}

/** Returns a program that publishes the draft of the page. */
export function publishWith(
  language: Language,
  { target, hasToken, draft }: Omit<PageRequest, "history" | "catchUp">,
): string {
  const { url, server, channels } = targetOf(target.server, draft.channels);
  const isBatch = draft.format === "batch";
  const type = isBatch ? "" : draft.type;
  const body = isBatch ? `${draft.data.trimEnd()}\n\n` : draft.data;
  const address = `${url}/broadcast${type ? `?event=${encodeURIComponent(type)}` : ""}`;
  const contentType = { text: "text/plain", json: "application/json", batch: "text/event-stream" }[draft.format] ?? "";
  const headers = { "Content-Type": contentType, ...(draft.key ? { "Idempotency-Key": draft.key } : {}) };
  switch (language) {
    case "curl": {
      const fixed = Object.entries(headers).map(([name, value]) => `-H ${shell(`${name}: ${value}`)}`);
      const all = hasToken ? ['-H "Authorization: Bearer $TOKEN"', ...fixed] : fixed;
      return `curl --fail-with-body ${all.join(" ")} --data-raw ${shell(body)} ${shell(address)}\n`;
    }
    case "client": {
      if (isBatch) return publishWith("eventsource", { target, hasToken, draft });
      const options = [type && `type: ${js(type)}`, draft.key && `idempotencyKey: ${js(draft.key)}`].filter(Boolean);
      return `import { connect } from "sse-broadcaster";

const hub = connect(${js(server)}${hasToken ? ", { token: TOKEN }" : ""});
const receipt = await hub.publish(${js(channels.length > 1 ? channels : channels[0])}, ${js(body)}${options.length > 0 ? `, { ${options.join(", ")} }` : ""});
console.log(receipt);
`;
    }
    case "eventsource": {
      const fixed = Object.entries(headers).map(([name, value]) => `${js(name)}: ${js(value)}`);
      const all = hasToken ? ['Authorization: "Bearer " + TOKEN', ...fixed] : fixed;
      return `const response = await fetch(${js(address)}, {
  method: "POST",
  headers: { ${all.join(", ")} },
  body: ${js(body)},
});
console.log(response.status, await response.json());
`;
    }
    case "python": {
      const fixed = Object.entries(headers).map(([name, value]) => `${js(name)}: ${js(value)}`);
      const all = hasToken ? [`"Authorization": f"Bearer {os.environ['TOKEN']}"`, ...fixed] : fixed;
      return `${hasToken ? "import os\n" : ""}from urllib.request import Request, urlopen

headers = {${all.join(", ")}}
data = ${js(body)}.encode()
with urlopen(Request(${js(address)}, data, headers)) as response:
    print(response.read().decode())
`;
    }
  }
}

/** Quotes a text for a shell. */
function shell(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * Returns a literal of JavaScript and of Python, for a text or a list of texts. JSON.stringify writes single surrogates
 * as escapes, which Python would refuse to encode, so it gets a well-formed text.
 */
function js(value: unknown): string {
  return JSON.stringify(typeof value === "string" ? value.toWellFormed() : value).replaceAll(',"', ', "');
}
