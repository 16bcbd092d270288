// What examples/proxies/nginx.conf limits, without TLS.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { Channel } from "../support/hub.mjs";
import { idleConnections } from "../support/idle.mjs";
import { missingProxy, PROXIES, startProxy } from "../support/proxies.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const IDLE = 1_100;
/** The limit of requests and streams of each address in the file. */
const ALLOWED = 100;
const skip = missingProxy(PROXIES.nginx);

const edit = (text) => text.replace(/ ssl http2;/, ";").replace(/^ *ssl_certificate.*\n/gm, "");
const hub = skip ? undefined : await startWorkerd({ LOG_LEVEL: "error" });
const proxy = skip ? undefined : await startProxy(PROXIES.nginx, hub, { edit, scheme: "http" });
const openFiles = () => readdirSync(`/proc/${hub.pid}/fd`).length;

describe("idle connections", { concurrency: true, skip }, () => {
  for (const [name, text] of [
    ["that send nothing", ""],
    ["with unfinished headers", "GET /channels/foo HTTP/1.1\r\nHost: x\r\n"],
    ["with unfinished bodies", "POST /channels/foo/broadcast HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\nhalf"],
  ]) {
    test(`nginx passes no connections ${name} to the hub, and closes them`, { timeout: 60_000 }, async () => {
      const before = openFiles();
      const sockets = await idleConnections(proxy, IDLE, text);
      await sleep(1_000);
      const more = openFiles() - before;
      assert.ok(more <= 8, `the hub has ${more} more files open`);
      await eventually(() => sockets.every((socket) => socket.closed), 20_000, "nginx closes them");
    });
  }
});

test(`nginx passes ${ALLOWED} streams of one address to the hub, and tells a browser to retry`, {
  skip,
  timeout: 60_000,
}, async () => {
  assert.equal((await new Channel(proxy, "foo").publish("x")).events, 1);
  const text = "GET /channels/many HTTP/1.1\r\nHost: x\r\n\r\n";
  const sockets = await idleConnections(proxy, IDLE, text);
  const answered = (status) => sockets.filter((socket) => socket.received.startsWith(`HTTP/1.1 ${status} `)).length;
  await eventually(() => answered(200) + answered(429) === IDLE, 20_000, "each request is answered");
  assert.equal(answered(200), ALLOWED);
  const { subscribers } = await hub.channel("many").stats();
  assert.equal(subscribers, ALLOWED);
  // A browser's EventSource does not reconnect after a status other than 200.
  const browser = await fetch(`${proxy.origin}/channels/many`, { headers: { Accept: "text/event-stream" } });
  assert.equal(browser.status, 200);
  assert.match(await browser.text(), /^retry: 5000\nevent: hub.error\ndata: \{.*"status":429,.*\}\n\n$/);
  assert.equal(browser.headers.get("content-type"), "text/event-stream; charset=utf-8");
  for (const socket of sockets) socket.destroy();
});
