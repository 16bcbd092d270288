// A website of another origin than the hub's: the console is at /, an empty page is at /empty.
import { once } from "node:events";
import { createServer } from "node:http";
import { after } from "node:test";
import { portOf } from "./port.mjs";
import { read } from "./sources.mjs";

const HTML = { "Content-Type": "text/html; charset=utf-8" };

/** Starts a website on a free port, and stops it after the test or file that has started it. Returns its origin. */
export async function startWebsite() {
  const page = read("public", "index.html");
  const server = createServer((request, response) => {
    response.writeHead(200, HTML).end(request.url === "/empty" ? "" : page);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${portOf(server)}`;
}
