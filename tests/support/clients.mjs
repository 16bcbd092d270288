// Clients of other projects, in Chromium, in Node and in Python. Each one notes the type, the data and the id of every
// message that it hands to its user.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { after } from "node:test";
import { buildSync } from "esbuild";
import { EventSource } from "eventsource";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { EventSource as ExtendedEventSource } from "extended-eventsource";
import { stream } from "fetch-event-stream";
import { root } from "../../scripts/install.mjs";
import { EVENT_TYPES } from "./event-types.mjs";
import { pythonEnvironment, pythonPath } from "./python.mjs";

/** @typedef {[type: string | undefined, data: string | undefined, id: string | undefined]} Message */
/** @typedef {{ received: () => Promise<Message[]>, opened?: () => Promise<number> }} Client */

const support = join(root, "tests", "support");

/** The script of a page that has all clients for browsers. */
const script = buildSync({
  entryPoints: [join(support, "page-clients.mjs")],
  bundle: true,
  format: "iife",
  write: false,
}).outputFiles[0].text;

/** The names of the clients for browsers. */
export const IN_PAGES = [
  "EventSource",
  "@microsoft/fetch-event-source",
  "event-source-polyfill",
  "extended-eventsource",
  "reconnecting-eventsource",
];

/**
 * Opens a page of `site`, and subscribes with the client of this name. Each page is in a context of its own, so that
 * pages do not share the connections that a browser opens to a host.
 * @param {any} browser
 * @param {string} site
 * @param {string} name
 * @param {string} url
 */
export async function subscribeInPage(browser, site, name, url) {
  const page = await browser.newPage();
  await page.goto(`${site}/empty`);
  await page.addScriptTag({ content: script });
  await page.evaluate(({ name, url }) => window.subscribe(name, url), { name, url });
  return {
    page,
    received: () => page.evaluate(() => window.received),
    opened: () => page.evaluate(() => window.opened),
  };
}

/** Returns a client that notes messages of a source with the interface of EventSource. */
function listen(source) {
  const received = [];
  let opened = 0;
  after(() => source.close());
  source.addEventListener("open", () => {
    opened++;
  });
  for (const type of EVENT_TYPES) {
    source.addEventListener(type, ({ data, lastEventId }) => received.push([type, data, lastEventId]));
  }
  return { received: async () => received, opened: async () => opened };
}

/** Returns a client that notes the messages of an iterable. */
function iterate(messages) {
  const received = [];
  (async () => {
    for await (const { event, data, id } of messages) received.push([event, data, id]);
  })().catch((error) => received.push(["failed", String(error), undefined]));
  return { received: async () => received };
}

/** @type {Record<string, (url: string) => Client | Promise<Client>>} */
export const IN_NODE = {
  eventsource: (url) => listen(new EventSource(url)),
  "extended-eventsource": (url) => listen(new ExtendedEventSource(url, { disableLogger: true })),
  "eventsource-parser": async (url) => {
    const { body } = await fetch(url, { headers: { Accept: "text/event-stream" } });
    return iterate(body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()));
  },
  "fetch-event-stream": async (url) => iterate(await stream(url)),
};

/**
 * Subscribes with a Python package in a process of its own, which is killed after the test or file that has started it.
 * @param {string} name
 * @param {string} url
 * @returns {Client}
 */
export function subscribeInPython(name, url) {
  const child = spawn(pythonPath(), [join(support, "clients.py"), name, url], {
    env: pythonEnvironment(name),
    stdio: ["ignore", "pipe", "inherit"],
  });
  after(() => child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  return { received: async () => [...output.matchAll(/^received (.*)\n/gm)].map(([, json]) => JSON.parse(json)) };
}
