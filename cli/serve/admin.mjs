// Requests to the admin socket of a workerd that `npm run serve` has started; see src/admin.mjs.
import { once } from "node:events";
import { request } from "node:http";
import { text } from "node:stream/consumers";

/**
 * Sends a request to the admin socket at a path of the file system. Returns the status and the body of the response.
 * @param {string} socketPath
 * @param {string} method
 * @param {string} path
 * @param {AbortSignal} [signal]
 */
export async function askAdmin(socketPath, method, path, signal) {
  const sent = request({ socketPath, method, path, signal, agent: false }).end();
  const [response] = await once(sent, "response");
  return { status: response.statusCode, body: await text(response) };
}
