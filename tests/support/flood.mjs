// A flood of requests, from a process of its own, so that the one that measures is not slowed down by it. Run by
// itself, this file is that process.
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { atExit } from "./cleanup.mjs";

const file = fileURLToPath(import.meta.url);

/**
 * Sends `requests` (as text, over and over) to `port` of this machine over so many connections, each of them as fast as
 * it gets answers. Returns { answers, stop }, both of which return how many answers of each status there were until
 * then.
 */
export async function startFlood(port, requests, connections) {
  const child = fork(file, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const kill = () => child.kill("SIGKILL");
  after(kill);
  atExit(kill);
  child.send({ port, requests, connections });
  await once(child, "message");
  const ask = async (what) => {
    child.send(what);
    return (await once(child, "message"))[0];
  };
  return { answers: () => ask("answers"), stop: () => ask("stop").finally(kill) };
}

/** One connection, opened anew where it ends. It asks again as soon as it has been answered. */
class Client {
  constructor({ port, requests }, first, answers) {
    Object.assign(this, { port, requests, next: first, answers, text: "" });
  }

  open() {
    this.socket = connect(this.port, "127.0.0.1").setNoDelay().setEncoding("latin1");
    this.socket.on("connect", () => this.ask());
    this.socket.on("data", (data) => this.read(data));
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.text = "";
      this.answers.closed = (this.answers.closed ?? 0) + 1;
      setTimeout(() => this.open(), 10);
    });
  }

  ask() {
    this.socket.write(this.requests[this.next++ % this.requests.length]);
  }

  read(data) {
    this.text += data;
    const end = this.text.indexOf("\r\n\r\n");
    if (end < 0) return;
    const [, status] = this.text.match(/^HTTP\/1\.1 (\d+) /);
    const [, length] = this.text.match(/^Content-Length: (\d+)\r$/im);
    if (this.text.length < end + 4 + Number(length)) return;
    this.text = "";
    this.answers[status] = (this.answers[status] ?? 0) + 1;
    this.ask();
  }
}

if (process.argv[1] === file) {
  const [flood] = await once(process, "message");
  const answers = {};
  for (let n = 0; n < flood.connections; n++) {
    new Client(flood, Math.floor((n * flood.requests.length) / flood.connections), answers).open();
  }
  process.on("message", () => process.send(answers));
  // Who started it has been killed, and cannot stop it any more.
  process.on("disconnect", () => process.exit());
  process.send("started");
}
