// Requests that no HTTP library would send.
import { once } from "node:events";
import { connect } from "node:net";
import { after } from "node:test";

const sockets = new Set();

after(() => {
  for (const socket of sockets) socket.destroy();
});

/** Opens a raw connection to the hub. */
export async function rawConnection(origin) {
  const { hostname, port } = new URL(origin);
  const socket = connect(Number(port), hostname);
  sockets.add(socket);
  // Its end shows in what was received.
  socket.on("error", () => {});
  await once(socket, "connect");
  let text = "";
  socket.setEncoding("latin1").on("data", (data) => (text += data));
  return {
    socket,
    send: (data) => socket.write(data),
    /** All that came until the other side closed. */
    async rest() {
      if (!socket.closed) await once(socket, "close");
      return text;
    },
    /** All that came so far. */
    received: () => text,
  };
}

/** Sends `request` as it is, and returns all that comes back until the server closes the connection. */
export async function rawRequest(origin, request) {
  const connection = await rawConnection(origin);
  connection.send(request);
  return connection.rest();
}
