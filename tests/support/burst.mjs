// Many publishes, each on a connection of its own, from a child process.
import { once } from "node:events";
import { connect } from "node:net";
import { isChild, receiveTask, startChild } from "./child.mjs";

/**
 * @typedef {object} Burst
 * @property {number} count the number of publishes
 * @property {number} [seconds] the time over which they are spread; by default they start at once
 * @property {number} bytes the length of a body
 * @property {boolean} [unfinished] whether the bodies are chunked and never end
 */

/**
 * Sends publishes to `path` on `port` of this machine. `done` resolves to the number of answers of each status, and
 * "none" counts connections without an answer. `stop` closes all connections.
 * @param {number} port
 * @param {string} path
 * @param {Burst} burst
 */
export async function startBurst(port, path, { count, seconds = 0, bytes, unfinished = false }) {
  const { child, kill } = startChild(import.meta.url, { port, path, count, seconds, bytes, unfinished });
  await once(child, "message");
  return { done: once(child, "message").then(([answers]) => answers), stop: kill };
}

/** Returns a batch of `bytes`, whose events each fit MAX_EVENT_BYTES. */
function batchOf(bytes) {
  const event = `data: ${"x".repeat(Math.min(60_000, bytes) - 8)}\n\n`;
  return event.repeat(Math.max(1, Math.floor(bytes / event.length)));
}

function head({ path, unfinished }, body) {
  const length = unfinished ? "Transfer-Encoding: chunked" : `Content-Length: ${body.length}`;
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/event-stream\r\n${length}\r\n\r\n`;
}

/** Publishes once, and returns the status of the answer. */
function publish(burst, body) {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(burst.port, "127.0.0.1").setEncoding("latin1");
    socket.on("connect", () => {
      socket.write(head(burst, body));
      socket.write(burst.unfinished ? `${body.length.toString(16)}\r\n${body}\r\n` : body);
    });
    socket.on("data", (data) => {
      text += data;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text.match(/^HTTP\/1\.1 (\d+) /)?.[1] ?? "none"));
  });
}

if (isChild(import.meta.url)) {
  const burst = await receiveTask();
  const body = batchOf(burst.bytes);
  process.send("started");
  const answers = {};
  const all = Array.from({ length: burst.count }, async (_, number) => {
    await new Promise((resolve) => setTimeout(resolve, (number * burst.seconds * 1_000) / burst.count));
    const status = await publish(burst, body);
    answers[status] = (answers[status] ?? 0) + 1;
  });
  await Promise.all(all);
  process.send(answers);
}
