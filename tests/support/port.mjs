import { once } from "node:events";
import { createServer } from "node:net";

// Linux gives the ports from 32768 on to connections and to servers that ask for no particular port, so `freePort`
// returns lower ones. They are above 10080, the highest port that browsers refuse.
const FIRST_PORT = 11_000;
const LAST_PORT = 32_767;
/** A test file is a process, and begins at a port that depends on its pid, so that files side by side rarely meet. */
let next = FIRST_PORT + (process.pid % 400) * 50;

/** Returns a port that no program uses, and that nothing takes by chance before the test uses it. */
export async function freePort() {
  for (;;) {
    const port = next;
    next = port < LAST_PORT ? port + 1 : FIRST_PORT;
    if (await isFree(port)) return port;
  }
}

async function isFree(port) {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}

/**
 * Returns the port of a server that listens on an IP address.
 * @param {import("node:net").Server} server
 */
export function portOf(server) {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}
