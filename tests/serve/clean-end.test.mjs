// SIGTERM on `npm run serve` ends streams properly, and nothing that was acknowledged is lost.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { EventSource } from "eventsource";
import { askAdmin } from "../../cli/serve/admin.mjs";
import { openBrowser } from "../support/browser.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { freePort } from "../support/port.mjs";
import { rawConnection, rawRequest } from "../support/raw.mjs";
import { serve } from "../support/serve.mjs";
import { resume, subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";

const RETRY_MS = { least: 2_000, most: 4_000 };

/** Sends SIGTERM to the script, as a service manager does. */
const terminate = (hub) => process.kill(hub.script, "SIGTERM");

/** Opens a stream whose bytes the test sees. */
async function openRaw(hub, path, headers = "") {
  const connection = await rawConnection(hub.origin);
  connection.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
  await eventually(() => connection.received().includes("retry:"));
  return connection;
}

/** Returns the time that the last bytes of a stream set, after a check that they are one line and then the end. */
function lastRetry(text) {
  const [, retry] = text.match(/\nretry: (\d+)\n\r\n0\r\n\r\n$/) ?? [];
  assert.ok(retry, `the stream ends with ${JSON.stringify(text.slice(-100))}`);
  return Number(retry);
}

test("after SIGTERM curl and a raw connection see the complete end of their streams, with a time to reconnect", {
  timeout: 30_000,
}, async () => {
  const hub = await serve();
  const curl = promisify(execFile)("curl", ["-sSN", `${hub.origin}/channels/foo`]);
  const raw = await openRaw(hub, "/channels/foo");
  const channel = hub.channel("foo");
  await eventually(async () => (await channel.stats()).subscribers === 2);
  await channel.publish("bar");
  await eventually(() => raw.received().includes("bar"));
  terminate(hub);
  const text = await raw.untilClosed();
  const retry = lastRetry(text);
  assert.ok(retry >= RETRY_MS.least && retry <= RETRY_MS.most, `retry: ${retry}`);
  // A rejection would say that curl has failed.
  const { stdout } = await curl;
  assert.match(stdout, /data: bar\nid: \S+\n\nretry: \d+\n$/);
  assert.equal(await hub.exitStatus(), 0);
});

test("Chromium and the npm package eventsource receive every event once across a stop and a start, and no message without data", {
  timeout: 60_000,
}, async () => {
  const variables = { PORT: String(await freePort()), STATE_DIR: temporaryFolder() };
  const before = await serve(variables);
  const { url } = before.channel("foo");
  const browser = await openBrowser();
  const page = await browser.newPage();
  await page.evaluate((url) => {
    const received = [];
    window.received = received;
    window.opened = 0;
    const source = new EventSource(url);
    source.onopen = () => {
      window.opened++;
    };
    source.onmessage = ({ data }) => received.push(data);
  }, url);
  const received = [];
  let opened = 0;
  const source = new EventSource(url);
  after(() => source.close());
  source.onopen = () => {
    opened++;
  };
  source.onmessage = ({ data }) => received.push(data);
  await eventually(async () => (await before.channel("foo").stats()).subscribers === 2);
  const all = Array.from({ length: 20 }, (_, n) => `event ${n}`);
  for (const data of all.slice(0, 10)) await before.channel("foo").publish(data);
  await before.stop();
  const hub = await serve(variables);
  for (const data of all.slice(10)) await hub.channel("foo").publish(data);
  await eventually(() => received.length >= all.length, 15_000);
  await page.waitForFunction((count) => window.received.length >= count, all.length);
  assert.deepEqual(received, all);
  assert.deepEqual(await page.evaluate(() => window.received), all);
  assert.deepEqual([await page.evaluate(() => window.opened), opened], [2, 2]);
  await hub.stop();
});

test("during a stop, a publish in flight is acknowledged and delivered, and new requests are told to try again", {
  timeout: 30_000,
}, async () => {
  const hub = await serve();
  const stream = await openRaw(hub, "/channels/foo");
  const publisher = await rawConnection(hub.origin);
  publisher.send(
    "POST /channels/foo/broadcast HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nsl",
  );
  await sleep(100);
  terminate(hub);
  await eventually(async () => (await hub.fetch("/healthz")).status === 503);
  const [refusedStream, ...refused] = await Promise.all([
    hub.fetch("/channels/foo", { headers: { Accept: "text/event-stream" } }),
    hub.fetch("/channels/foo"),
    hub.fetch("/channels/new"),
    hub.fetch("/channels/foo/broadcast", { method: "POST", body: "late" }),
    hub.fetch("/channels/foo", { method: "DELETE" }),
  ]);
  // The hub waits one second for the rest of this publish.
  publisher.send("ow");
  for (const response of refused) {
    const { type } = await response.json();
    assert.deepEqual([response.status, type], [503, "urn:sse-broadcaster:problem:stopping"]);
    assert.equal(response.headers.get("retry-after"), "5");
  }
  assert.equal(refusedStream.status, 200);
  assert.match(await refusedStream.text(), /^retry: \d+\nevent: hub\.error\ndata: \{.*:stopping".*\}\n\n$/);
  assert.match(await publisher.untilClosed(), /^HTTP\/1\.1 200 /);
  const text = await stream.untilClosed();
  assert.match(text, /data: slow\nid: \S+\n\n/);
  assert.ok(!text.includes("late"));
  lastRetry(text);
  assert.equal(await hub.exitStatus(), 0);
});

test("a publish that takes longer than the streams stay open is stored, and they get it when they resume", {
  timeout: 30_000,
}, async () => {
  const variables = { PORT: String(await freePort()), STATE_DIR: temporaryFolder() };
  const before = await serve(variables);
  const stream = await subscribe(before.channel("foo"));
  const publisher = await rawConnection(before.origin);
  publisher.send(
    "POST /channels/foo/broadcast HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nsl",
  );
  await sleep(100);
  terminate(before);
  await stream.untilEnded();
  assert.ok(stream.response.complete, "the response is complete");
  publisher.send("ow");
  assert.match(await publisher.untilClosed(), /^HTTP\/1\.1 200 /);
  assert.equal(await before.exitStatus(), 0);
  const hub = await serve(variables);
  const resumed = await resume(hub.channel("foo"), stream.lastEventId);
  await resumed.until(() => resumed.text.includes("data: slow\n"));
  resumed.close();
  await hub.stop();
});

test("a stream whose client does not read delays neither the end of other streams nor the stop", {
  timeout: 30_000,
}, async () => {
  const hub = await serve({ MAX_EVENT_BYTES: "1000000", MAX_BATCH_BYTES: "1000000", LOG_LEVEL: "error" });
  const channel = hub.channel("foo");
  const stuck = await subscribe(channel, { paused: true });
  const reader = await subscribe(channel);
  const event = "x".repeat(1_000_000);
  // More than the buffers of the kernel take, so that the first stream stops in the middle of an event.
  for (let i = 0; i < 12; i++) await reader.untilId((await channel.publish(event)).id);
  const sentAt = performance.now();
  terminate(hub);
  await reader.untilEnded();
  assert.ok(reader.response.complete, "the response is complete");
  assert.match(reader.text.slice(-100), /\nretry: \d+\n$/);
  assert.equal(await hub.exitStatus(), 0);
  const ms = performance.now() - sentAt;
  assert.ok(ms < 15_000, `it took ${ms} ms`);
  stuck.close();
});

/** Returns the inodes of the sockets that a process has open. */
function socketsOf(pid) {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).match(/^socket:\[(\d+)\]$/)?.[1] ?? [];
    } catch {
      return [];
    }
  });
}

/** Returns the TCP ports on which a process listens. */
function listeningPorts(pid) {
  const own = new Set(socketsOf(pid));
  return ["tcp", "tcp6"].flatMap((file) => {
    const [, ...lines] = readFileSync(`/proc/${pid}/net/${file}`, "utf8").trim().split("\n");
    const sockets = lines.map((line) => line.trim().split(/\s+/));
    const listening = sockets.filter(([, , , state, , , , , , inode]) => state === "0A" && own.has(inode));
    return listening.map(([, address]) => Number.parseInt(address.split(":")[1], 16));
  });
}

/** Returns the path of the admin socket of a workerd. */
function adminSocketOf(pid) {
  const config = readFileSync(`/proc/${pid}/cmdline`, "utf8")
    .split("\0")
    .find((word) => word.endsWith("config.capnp"));
  return join(dirname(dirname(config)), "admin");
}

test("no request to the port of the hub reaches the admin endpoints, and only this user can reach their socket", {
  timeout: 30_000,
}, async () => {
  const hub = await serve();
  const stream = await openRaw(hub, "/channels/foo");
  for (const path of ["/stop", "/settings", "/admin/stop", "//stop", "/channels/foo/streams"]) {
    for (const method of ["POST", "GET", "PUT", "DELETE", "PATCH", "PURGE"]) {
      for (const host of ["admin", "Admin", "localhost", "hub"]) {
        const head = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
        assert.match(await rawRequest(hub.origin, head), /^HTTP\/1\.1 40[45] /, head);
      }
    }
  }
  assert.equal((await hub.channel("foo").stats()).subscribers, 1, "the stream is still open");
  assert.deepEqual(listeningPorts(hub.workerd), [Number(new URL(hub.origin).port)]);
  const socket = adminSocketOf(hub.workerd);
  assert.ok(statSync(socket).isSocket());
  assert.equal(statSync(dirname(socket)).mode & 0o777, 0o700);
  // systemd-tmpfiles keeps an old socket only if it finds its absolute path here.
  assert.ok(readFileSync("/proc/net/unix", "utf8").includes(` ${socket}\n`));
  assert.equal((await askAdmin(socket, "GET", "/settings")).status, 204);
  for (const [method, path] of [
    ["GET", "/stop"],
    ["POST", "/settings"],
    ["GET", "/"],
    ["GET", "/channels/foo"],
  ]) {
    assert.equal((await askAdmin(socket, method, path)).status, 404, `${method} ${path}`);
  }
  await hub.stop();
  lastRetry(await stream.untilClosed());
});

test("the hub logs why it could not end the streams properly", { timeout: 30_000 }, async () => {
  const hub = await serve();
  rmSync(adminSocketOf(hub.workerd));
  await hub.stop();
  assert.match(hub.output, /the streams could not be ended properly: connect ENOENT/);
});

test("streams end properly if the folder of temporary files has a path that is too long for a socket", {
  timeout: 30_000,
}, async () => {
  const TMPDIR = join(temporaryFolder(), "x".repeat(120));
  mkdirSync(TMPDIR);
  const hub = await serve({ TMPDIR });
  const stream = await openRaw(hub, "/channels/foo");
  await hub.stop();
  lastRetry(await stream.untilClosed());
});
