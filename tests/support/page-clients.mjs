// Clients that run in a page. esbuild bundles this file into a script, which sets `window.subscribe`.
import { fetchEventSource } from "@microsoft/fetch-event-source";
import { EventSourcePolyfill } from "event-source-polyfill";
import { EventSource as ExtendedEventSource } from "extended-eventsource";
import * as reconnecting from "reconnecting-eventsource";
import { EVENT_TYPES } from "./event-types.mjs";

// TypeScript treats this package as a CommonJS module, and does not find its default export.
const ReconnectingEventSource = /** @type {any} */ (reconnecting).default;

window.received = [];
window.opened = 0;

/** Notes every message and notice of a source that has the interface of EventSource. */
function listen(source) {
  source.addEventListener("open", () => {
    window.opened++;
  });
  for (const type of EVENT_TYPES) {
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
        // Many handlers parse every message. The client treats an exception as a lost connection, and reconnects.
        JSON.parse(data);
        window.received.push([event, data, id]);
      },
    }),
};

/** Subscribes with the client of this name. `window.received` gets the type, the data and the id of each message. */
window.subscribe = (name, url) => {
  CLIENTS[name](url);
};
