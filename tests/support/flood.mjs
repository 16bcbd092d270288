// A flood of requests over many connections from a child process, which counts the answers.
import { once } from "node:events";
import { connect } from "node:net";
import { isChild, receiveTask, startChild } from "./child.mjs";

/**
 * Sends `requests`, again and again, to `port` of this machine. Each connection sends its next request when it has the
 * answer. Both `answers` and `stop` return the number of answers of each status so far.
 * @param {number} port
 * @param {string[]} requests
 * @param {number} connections
 */
export async function startFlood(port, requests, connections) {
  const { child, kill } = startChild(import.meta.url, { port, requests, connections });
  await once(child, "message");
  const count = async () => {
    child.send("count");
    return (await once(child, "message"))[0];
  };
  return { answers: count, stop: () => count().finally(kill) };
}

/** One connection, which is opened again when it ends. */
class Client {
  /**
   * @param {{ port: number, requests: string[] }} flood
   * @param {number} first the index of its first request
   * @param {Record<string, number>} answers
   */
  constructor({ port, requests }, first, answers) {
    this.port = port;
    this.requests = requests;
    this.next = first;
    this.answers = answers;
    this.text = "";
  }

  open() {
    this.socket = connect(this.port, "127.0.0.1").setNoDelay().setEncoding("latin1");
    this.socket.on("connect", () => this.send());
    this.socket.on("data", (data) => this.receive(data));
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.text = "";
      this.answers.closed = (this.answers.closed ?? 0) + 1;
      setTimeout(() => this.open(), 10);
    });
  }

  send() {
    this.socket.write(this.requests[this.next++ % this.requests.length]);
  }

  receive(data) {
    this.text += data;
    const end = this.text.indexOf("\r\n\r\n");
    if (end < 0) return;
    const [, status] = this.text.match(/^HTTP\/1\.1 (\d+) /);
    const [, length] = this.text.match(/^Content-Length: (\d+)\r$/im);
    if (this.text.length < end + 4 + Number(length)) return;
    this.text = "";
    this.answers[status] = (this.answers[status] ?? 0) + 1;
    this.send();
  }
}

if (isChild(import.meta.url)) {
  const flood = await receiveTask();
  const answers = {};
  for (let n = 0; n < flood.connections; n++) {
    new Client(flood, Math.floor((n * flood.requests.length) / flood.connections), answers).open();
  }
  process.on("message", () => process.send(answers));
  process.send("started");
}
