// Readers of streams, as a proxy sees them: with HTTP/2 and with HTTP/1.1.
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { after } from "node:test";
import { createParser } from "eventsource-parser";
import { eventually } from "./wait.mjs";

export const PROTOCOLS = ["HTTP/2", "HTTP/1.1"];
const ACCEPT = { accept: "text/event-stream" };

/**
 * Sends a GET, and resolves when the headers of the answer are there.
 * @param {string} protocol
 * @param {string} url
 * @param {Record<string, string>} headers
 */
async function request(protocol, url, headers) {
  if (protocol === "HTTP/1.1") {
    const { get } = url.startsWith("https:") ? https : http;
    const sent = get(url, { agent: false, headers });
    const [response] = await once(sent, "response");
    return {
      status: response.statusCode,
      type: response.headers["content-type"],
      response,
      close: () => sent.destroy(),
    };
  }
  const { origin, pathname, search } = new URL(url);
  const session = http2.connect(origin);
  session.on("error", () => {});
  const stream = session.request({ ":path": pathname + search, ...headers });
  const [received] = await once(stream, "response");
  const close = () => {
    stream.close();
    session.destroy();
  };
  return { status: received[":status"], type: received["content-type"], response: stream, close };
}

/**
 * Opens a stream and waits for its first bytes.
 * @param {string} protocol
 * @param {string} url
 * @param {Record<string, string>} [headers]
 */
export async function openStream(protocol, url, headers = {}) {
  const { status, type, response, close } = await request(protocol, url, { ...ACCEPT, ...headers });
  after(close);
  const stream = {
    status,
    type,
    text: "",
    ended: false,
    close,
    /** @type {any[]} */ events: [],
    onEvent: (_event) => {},
  };
  const parser = createParser({
    onEvent: (event) => {
      // Events of the hub itself are no data of the tests.
      if (event.event?.startsWith("hub.")) return;
      stream.events.push(event.data);
      stream.onEvent(event.data);
    },
  });
  response.setEncoding("utf8").on("data", (text) => {
    stream.text += text;
    parser.feed(text);
  });
  const end = () => {
    stream.ended = true;
  };
  response.on("end", end).on("error", end).on("close", end);
  await eventually(() => stream.text !== "" || stream.ended, 10_000, "the first bytes of the stream");
  return stream;
}

/** Returns a promise of the time at which the next event arrives at an open stream. */
export function nextArrival(stream) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no event arrived within 10 s")), 10_000);
    stream.onEvent = () => {
      clearTimeout(timer);
      resolve(performance.now());
    };
  });
}
