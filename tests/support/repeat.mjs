// Connections that send one request again and again, from a child process.
import { once } from "node:events";
import { connect } from "node:net";
import { isChild, receiveTask, startChild } from "./child.mjs";

/**
 * @typedef {object} Repetition
 * @property {string} text the request, in which `%N` stands for the number of the connection
 * @property {number} connections
 * @property {number} ms how long the connections send
 * @property {boolean} [reads] whether a connection reads the answers and waits for them; otherwise it sends requests as
 *   fast as the server takes them
 */

/**
 * Sends requests to `port` of this machine. Resolves when all connections are closed.
 * @param {number} port
 * @param {Repetition} repetition
 */
export async function repeatRequest(port, { text, connections, ms, reads = true }) {
  const { child } = startChild(import.meta.url, { port, text, connections, ms, reads });
  await once(child, "exit");
}

/** One connection, which is opened again when it ends. */
function client(repetition, number) {
  const text = repetition.text.replaceAll("%N", String(number));
  const socket = connect(repetition.port, "127.0.0.1");
  const send = () => socket.writable && socket.write(text);
  socket.on("connect", send);
  if (repetition.reads) socket.on("data", (data) => data.includes("HTTP/1.1 ") && send());
  else socket.pause().on("drain", send);
  socket.on("error", () => {});
  socket.on("close", () => setTimeout(() => client(repetition, number), 50));
}

if (isChild(import.meta.url)) {
  const repetition = await receiveTask();
  setTimeout(() => process.exit(), repetition.ms);
  for (let number = 0; number < repetition.connections; number++) client(repetition, number);
}
