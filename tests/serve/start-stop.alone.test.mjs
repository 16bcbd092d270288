// `npm run serve`: what it serves, its messages about invalid variables, and how it ends.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../scripts/install.mjs";
import { cases } from "../support/cases.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { freePort, portOf } from "../support/port.mjs";
import { rawConnection } from "../support/raw.mjs";
import { ServeProcess, serve } from "../support/serve.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";

const START_MS = 3_000;
const STOP_MS = 10_000;

const folder = temporaryFolder();

/** Starts it with invalid variables. Returns the lines of its own messages. */
async function refused(variables) {
  const serve = new ServeProcess({ PORT: String(await freePort()), ...variables });
  assert.notEqual(await serve.exitStatus(), 0);
  assert.ok(
    serve.lines().every((line) => !line.includes("    at ")),
    serve.output,
  );
  return serve.lines().filter((line) => line.startsWith("sse-broadcaster: "));
}

test("npm run serve starts within 3 s, serves the console and the API, prints the log, and stores on disk", {
  timeout: 30_000,
}, async () => {
  const hub = await serve({ MAX_SUBSCRIBERS: "1", STATE_DIR: join(folder, "made", "state") });
  assert.ok(hub.readyMs < START_MS, `ready after ${hub.readyMs} ms`);
  console.log(`# ready after ${Math.round(hub.readyMs)} ms`);

  const page = await hub.fetch("/?channel=foo");
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-type"), /^text\/html/);
  assert.equal(await page.text(), readFileSync(join(root, "public", "index.html"), "utf8"));
  const head = await hub.fetch("/", { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("content-type")], [200, page.headers.get("content-type")]);
  assert.equal((await hub.fetch("/", { method: "OPTIONS" })).status, 204);
  assert.equal((await hub.fetch("/", { method: "POST" })).status, 405);
  const moved = await hub.fetch("/index.html?channel=foo", { redirect: "manual" });
  assert.deepEqual([moved.status, moved.headers.get("location")], [307, "/?channel=foo"]);
  for (const path of ["/nothing", "/nothing/", "/%", "/..%2fREADME.md", "//x.example/index.html"]) {
    const response = await hub.fetch(path, { redirect: "manual" });
    assert.equal(response.status, 404, path);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
  }

  const channel = hub.channel("foo");
  const subscriber = await subscribe(channel);
  await channel.publish("bar");
  await subscriber.untilEvents(1);
  assert.equal(subscriber.events[0].data, "bar");
  await eventually(() => hub.lines().includes("listener connected: id=foo conn=1"));
  const full = await hub.fetch(channel.path);
  assert.equal(full.status, 503);
  assert.match((await full.json()).detail, /MAX_SUBSCRIBERS/);
  subscriber.close();
  assert.ok(existsSync(join(folder, "made", "state", "channel")));

  await hub.stop();
});

test("npm run serve serves on IPv6", {
  timeout: 30_000,
}, async (t) => {
  const probe = createServer().listen(0, "::1");
  const there = await once(probe, "listening").then(
    () => true,
    () => false,
  );
  probe.close();
  if (!there) return t.skip("this machine has no IPv6");
  const hub = await serve({ HOST: "::1" });
  assert.equal((await hub.fetch("/healthz")).status, 200);
  await hub.stop();
});

for (const [signal, send] of cases([
  ["SIGTERM", ({ child }) => process.kill(child.pid, "SIGTERM")],
  // Ctrl-C in a terminal sends the signal to the whole group.
  ["SIGINT", ({ child }) => process.kill(-child.pid, "SIGINT")],
])) {
  test(`${signal} ends npm run serve within 10 s with 1,000 streams, and a publish in flight succeeds`, {
    timeout: 60_000,
  }, async () => {
    const hub = await serve({ LOG_LEVEL: "error" });
    const channel = hub.channel("full");
    const open = async () => {
      const connection = await rawConnection(hub.origin);
      connection.send(`GET ${channel.path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await once(connection.socket, "data");
      return connection.socket;
    };
    const sockets = [];
    while (sockets.length < 1_000) sockets.push(...(await Promise.all(Array.from({ length: 100 }, open))));
    assert.equal((await channel.stats()).subscribers, 1_000);
    // workerd does not notice their end before it writes to them.
    for (const [n, socket] of sockets.entries()) if (n % 2) socket.destroy();
    const { subscribers } = await channel.stats();
    const publisher = await rawConnection(hub.origin);
    publisher.send("POST /channels/slow/broadcast HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    publisher.send("Content-Length: 4\r\n\r\nsl");
    await sleep(100);
    const sentAt = performance.now();
    send(hub);
    await sleep(200);
    publisher.send("ow");
    assert.match(await publisher.untilClosed(), /^HTTP\/1\.1 200 /, "a request in flight is answered");
    assert.equal(await hub.exitStatus(), 0);
    const ms = performance.now() - sentAt;
    assert.ok(ms < STOP_MS, `it took ${ms} ms`);
    assert.equal(subscribers, 1_000, "workerd has not noticed the closed connections");
    console.log(`# ended ${Math.round(ms)} ms after ${signal}`);
    for (const socket of sockets) socket.destroy();
  });
}

test("an invalid variable is reported in one line", { timeout: 60_000 }, async () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  const busy = createServer().listen(0, "127.0.0.1");
  await once(busy, "listening");
  for (const [variables, line] of cases([
    [{ PORT: "http" }, /PORT is "http": it has to be a whole number from 1 to 65535$/],
    [{ PORT: "65536" }, /PORT is "65536": it has to be/],
    [{ PORT: String(portOf(busy)) }, /PORT is "\d+": another program listens there; .*another port$/],
    [{ HOST: "192.0.2.1" }, /HOST is "192\.0\.2\.1": this machine cannot listen there/],
    [{ STATE_DIR: file }, /STATE_DIR is ".+": that is not a folder; choose another path/],
    [{ STATE_DIR: join(file, "below") }, /STATE_DIR is ".+": that is not a folder; choose another path/],
    [{ STATE_DIR: "/proc/state" }, /STATE_DIR is "\/proc\/state": it cannot be written to/],
  ])) {
    const lines = await refused(variables);
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(lines[0], line);
  }
  busy.close();
});
