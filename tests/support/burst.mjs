// Many publishes at once, from a process of its own, so that the one that measures is not slowed down by them. Run by
// itself, this file is that process.
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { atExit } from "./cleanup.mjs";

const file = fileURLToPath(import.meta.url);

/**
 * Sends `count` publishes to `path` on `port` of this machine, evenly over `seconds` (0: all at once), each on a
 * connection of its own. The body has `bytes` bytes. With `unfinished` it is chunked, and its end never comes: the
 * connection stays open until the hub closes it. Returns { done, stop }: `done` resolves to the number of answers of each
 * status ("none" where there was no answer), `stop` closes all that is open.
 */
export async function startBurst(port, path, { count, seconds = 0, bytes, unfinished = false }) {
  const child = fork(file, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const stop = () => child.kill("SIGKILL");
  after(stop);
  atExit(stop);
  child.send({ port, path, count, seconds, bytes, unfinished });
  await once(child, "message");
  return { done: once(child, "message").then(([answers]) => answers), stop };
}

/** A body whose events each fit `MAX_EVENT_BYTES`. */
function batchOf(bytes) {
  const event = `data: ${"x".repeat(Math.min(60_000, bytes) - 8)}\n\n`;
  return event.repeat(Math.max(1, Math.floor(bytes / event.length)));
}

function head({ path, unfinished }, body) {
  const length = unfinished ? "Transfer-Encoding: chunked" : `Content-Length: ${body.length}`;
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/event-stream\r\n${length}\r\n\r\n`;
}

/** Publishes once. Returns the status of the answer. */
function publish(burst, body) {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(burst.port, "127.0.0.1").setEncoding("latin1");
    socket.on("connect", () => {
      socket.write(head(burst, body));
      socket.write(burst.unfinished ? `${body.length.toString(16)}\r\n${body}\r\n` : body);
    });
    socket.on("data", (data) => (text += data));
    socket.on("error", () => {});
    socket.on("close", () => resolve(text.match(/^HTTP\/1\.1 (\d+) /)?.[1] ?? "none"));
  });
}

if (process.argv[1] === file) {
  const [burst] = await once(process, "message");
  // Who started it has been killed, and cannot stop it any more.
  process.on("disconnect", () => process.exit());
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
