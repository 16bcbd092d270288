// A proxy in front of a hub, whose first answers a publisher does not get: it loses them after the hub has published, or
// it answers 503 in place of the hub.
import { once } from "node:events";
import { createServer } from "node:http";
import { after } from "node:test";
import { portOf } from "./port.mjs";

/**
 * Starts the proxy on a free port, and stops it after the test or file that has started it.
 * @param {{ origin: string }} hub
 * @param {"lost" | "busy"} failure what happens to the first `count` requests
 * @param {number} count
 */
export async function startFailing(hub, failure, count = 1) {
  const proxy = { origin: "", requests: 0, failures: 0 };
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    proxy.requests += 1;
    const fails = proxy.failures < count;
    if (fails) proxy.failures += 1;
    if (fails && failure === "busy") {
      response.writeHead(503).end("busy\n");
      return;
    }
    const answer = await forward(hub, request, Buffer.concat(chunks).toString());
    const text = await answer.text();
    if (fails) response.destroy();
    else response.writeHead(answer.status, { "Content-Type": answer.headers.get("Content-Type") ?? "" }).end(text);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  proxy.origin = `http://127.0.0.1:${portOf(server)}`;
  return proxy;
}

/**
 * Sends a publish to the hub, with the headers that matter.
 * @param {{ origin: string }} hub
 * @param {import("node:http").IncomingMessage} request
 * @param {string} body
 */
function forward(hub, { url, method, headers: all }, body) {
  const { authorization = "", "idempotency-key": key = "", "content-type": type = "" } = all;
  return fetch(hub.origin + url, {
    method,
    headers: { authorization, "idempotency-key": String(key), "content-type": type },
    body,
  });
}
