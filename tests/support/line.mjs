// A TCP line between clients and a hub, which a test can cut.
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { after } from "node:test";
import { freePort } from "./port.mjs";

const REQUEST_LINE = /^(?:GET|HEAD|POST|OPTIONS) (\S+) HTTP\/1\.1\r$/gm;

/**
 * Starts a line to the hub on a free port, and stops it after the test or file that has started it.
 * @param {{ origin: string }} hub
 */
export async function startLine(hub) {
  const line = new Line(hub.origin, await freePort());
  await line.mend();
  after(() => line.cut());
  return line;
}

class Line {
  /** @type {import("node:net").Server | undefined} */
  #server;
  /** @type {Set<import("node:net").Socket>} */
  #sockets = new Set();
  #port;
  #upstream;
  /** @type {string | undefined} */
  #answer;
  #last = "";
  #frozen = false;
  /** @type {URL[]} the addresses of all requests, in order */
  requests = [];

  constructor(upstream, port) {
    this.#upstream = new URL(upstream);
    this.#port = port;
  }

  get origin() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Breaks all connections, and refuses new ones. */
  cut() {
    this.#frozen = false;
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Passes nothing on any more, without breaking a connection, until the line is cut. */
  freeze() {
    this.#frozen = true;
  }

  /** Accepts connections, on the same port as before. */
  async mend() {
    this.#answer = undefined;
    if (this.#server?.listening) return;
    this.#server = createServer((socket) => this.#accept(socket)).listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** Breaks all connections, and then answers every request itself, as a proxy does that cannot reach its server. */
  async answerWith(status, headers = {}, body = "") {
    await this.mend();
    const all = { ...headers, "Content-Length": body.length, Connection: "close" };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#answer = `HTTP/1.1 ${status} Answer\r\n${lines.join("")}\r\n${body}`;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Breaks the connection on which the server sends this text next, directly after the text. */
  cutAfter(text) {
    this.#last = text;
  }

  /**
   * Returns how many bytes of `data` go through the line.
   * @param {Buffer} data
   */
  #endOf(data) {
    const at = this.#last ? data.indexOf(this.#last) : -1;
    if (at === -1) return data.length;
    const end = at + this.#last.length;
    this.#last = "";
    return end;
  }

  /** @param {import("node:net").Socket} socket */
  #accept(socket) {
    this.#keep(socket);
    socket.on("data", (data) => {
      for (const [, path] of data.toString("latin1").matchAll(REQUEST_LINE)) {
        this.requests.push(new URL(path, this.origin));
      }
    });
    if (this.#answer) {
      const answer = this.#answer;
      socket.once("data", () => socket.end(answer));
      return;
    }
    const upstream = connect(Number(this.#upstream.port), this.#upstream.hostname);
    this.#keep(upstream);
    socket.pipe(upstream);
    upstream.on("data", (data) => {
      if (this.#frozen) return;
      const end = this.#endOf(data);
      socket.write(data.subarray(0, end));
      if (end < data.length) socket.end();
    });
    socket.on("close", () => upstream.destroy());
    upstream.on("close", () => socket.destroy());
  }

  /** @param {import("node:net").Socket} socket */
  #keep(socket) {
    this.#sockets.add(socket);
    // A broken connection is closed, too.
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
