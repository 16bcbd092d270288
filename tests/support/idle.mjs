import { once } from "node:events";
import { connect } from "node:net";

/** Opens `count` connections that send nothing but `text`, and returns them once they are open or refused. */
export async function idleConnections({ origin }, count, text = "") {
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(new URL(origin).port, "127.0.0.1").setEncoding("latin1");
    socket.received = "";
    socket.on("data", (data) => (socket.received += data));
    if (text) socket.write(text);
    return socket;
  });
  const opened = (socket) => Promise.race([once(socket, "connect"), once(socket, "close")]).catch(() => {});
  await Promise.all(sockets.map(opened));
  for (const socket of sockets) socket.on("error", () => {});
  return sockets;
}
