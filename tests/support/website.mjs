// A web site beside the hub, for pages of other origins: / is the console, /empty a page with nothing in it.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after } from "node:test";
import { root } from "../../scripts/install.mjs";

const HTML = { "Content-Type": "text/html; charset=utf-8" };

/** Starts one on a free port, and returns its origin. It is stopped after the test or file that started it. */
export async function startWebsite() {
  const page = readFileSync(join(root, "public", "index.html"));
  const server = createServer((request, response) => {
    response.writeHead(200, HTML).end(request.url === "/empty" ? "" : page);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${server.address().port}`;
}
