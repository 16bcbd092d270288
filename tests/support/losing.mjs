// A proxy in front of a hub that loses answers: the hub has done what the request says, and the client does not know it.
import { once } from "node:events";
import { createServer } from "node:http";
import { after } from "node:test";
import { portOf } from "./port.mjs";

/**
 * Starts the proxy on a free port, and stops it after the test or file that has started it. It loses the first `count`
 * answers.
 * @param {{ origin: string }} hub
 * @param {number} count
 */
export async function startLosing(hub, count) {
  const proxy = { origin: "", lost: 0 };
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { authorization = "", "idempotency-key": key = "", "content-type": type = "" } = request.headers;
    const headers = { authorization, "idempotency-key": String(key), "content-type": type };
    const body = Buffer.concat(chunks);
    const answer = await fetch(hub.origin + request.url, { method: request.method, headers, body });
    const text = await answer.text();
    if (proxy.lost < count) {
      proxy.lost += 1;
      response.destroy();
      return;
    }
    response.writeHead(answer.status, { "Content-Type": answer.headers.get("Content-Type") ?? "" }).end(text);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  proxy.origin = `http://127.0.0.1:${portOf(server)}`;
  return proxy;
}
