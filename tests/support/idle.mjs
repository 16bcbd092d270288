import { once } from "node:events";
import { connect } from "node:net";

/**
 * Opens `count` connections, sends `text` on each, and waits until each is open or refused. Their member `received` has
 * what the server has sent.
 * @param {{ origin: string }} hub
 * @param {number} count
 */
export async function idleConnections({ origin }, count, text = "") {
  const sockets = Array.from({ length: count }, () => {
    const socket = Object.assign(connect(Number(new URL(origin).port), "127.0.0.1"), { received: "" });
    socket.setEncoding("latin1").on("data", (data) => {
      socket.received += data;
    });
    if (text) socket.write(text);
    return socket;
  });
  const opened = (socket) => Promise.race([once(socket, "connect"), once(socket, "close")]).catch(() => {});
  await Promise.all(sockets.map(opened));
  for (const socket of sockets) socket.on("error", () => {});
  return sockets;
}
