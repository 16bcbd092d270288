// Clients that run in a page. esbuild bundles this file into a script, which sets `window.subscribe`.
import { fetchEventSource } from "@microsoft/fetch-event-source";
import { EventSourcePolyfill } from "event-source-polyfill";
import { EventSource as ExtendedEventSource } from "extended-eventsource";
import * as reconnecting from "reconnecting-eventsource";

const TYPES = ["message", "hub.open", "hub.gap", "hub.dropped", "hub.end", "hub.expired", "hub.error"];

// TypeScript takes this module for one of CommonJS.
const ReconnectingEventSource = /** @type {any} */ (reconnecting).default;

window.received = [];
window.opened = 0;

/** Notes every message and notice of a source that has the interface of EventSource. */
function listen(source) {
  source.addEventListener("open", () => {
    window.opened++;
  });
  for (const type of TYPES) {
    source.addEventListener(type, ({ data, lastEventId }) => window.received.push([type, data, lastEventId]));
  }
}

const CLIENTS = {
  EventSource: (url) => listen(new EventSource(url)),
  "event-source-polyfill": (url) => listen(new EventSourcePolyfill(url)),
  "reconnecting-eventsource": (url) => listen(new ReconnectingEventSource(url)),
  "extended-eventsource": (url) => listen(new ExtendedEventSource(url, { disableLogger: true })),
  "@microsoft/fetch-event-source": (url) =>
    fetchEventSource(url, {
      async onopen() {
        window.opened++;
      },
      onmessage({ event, data, id }) {
        // Many handlers parse every message. The client takes an exception for a lost connection, and reconnects.
        JSON.parse(data);
        window.received.push([event, data, id]);
      },
    }),
};

/** Subscribes with the client of this name. `window.received` gets the type, the data and the id of each message. */
window.subscribe = (name, url) => {
  CLIENTS[name](url);
};
