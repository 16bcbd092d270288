// Requests that no HTTP library sends.
import { once } from "node:events";
import { connect } from "node:net";
import { after } from "node:test";

const sockets = new Set();

after(() => {
  for (const socket of sockets) socket.destroy();
});

/**
 * Opens a connection to a hub, on which a test sends bytes.
 * @param {string} origin
 */
export async function rawConnection(origin) {
  const { hostname, port } = new URL(origin);
  const socket = connect(Number(port), hostname);
  sockets.add(socket);
  // A broken connection shows in what was received.
  socket.on("error", () => {});
  await once(socket, "connect");
  let text = "";
  socket.setEncoding("latin1").on("data", (data) => {
    text += data;
  });
  return {
    socket,
    send: (/** @type {string | Uint8Array} */ data) => socket.write(data),
    /** Waits until the server closes the connection, and returns everything that it has sent. */
    async untilClosed() {
      if (!socket.closed) await once(socket, "close");
      return text;
    },
    /** Returns everything that the server has sent. */
    received: () => text,
  };
}

/**
 * Sends the bytes of `request`, and returns everything that the server sends until it closes the connection.
 * @param {string} origin
 * @param {string | Uint8Array} request
 */
export async function rawRequest(origin, request) {
  const connection = await rawConnection(origin);
  connection.send(request);
  return connection.untilClosed();
}
