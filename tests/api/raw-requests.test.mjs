// Requests that only a raw socket can make: bodies that lie about their length, break off or dawdle. On bare workerd,
// because wrangler's proxies would wait for the rest of such a body.
import assert from "node:assert/strict";
import { test } from "node:test";
import { listen } from "../support/listener.mjs";
import { rawConnection, rawRequest } from "../support/raw.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd();
const channel = hub.channel("victim");
const witness = await listen(channel);

test("a method that nobody knows opens no stream", async () => {
  const { connected } = await channel.stats();
  const answer = await rawRequest(hub.origin, "FROB /channels/victim HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert.match(answer, /^HTTP\/1\.1 (405|501) /);
  assert.equal((await channel.stats()).connected, connected);
});

test("a body that declares too much is refused before it is read", async () => {
  const connection = await rawConnection(hub.origin);
  connection.send("POST /channels/victim/broadcast HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");
  await eventually(() => connection.received().includes("MAX_EVENT_BYTES"));
  assert.match(connection.received(), /^HTTP\/1\.1 413 /);
  connection.socket.destroy();
});

test("a body that declares nothing is refused while it is read", async () => {
  const connection = await rawConnection(hub.origin);
  connection.send("POST /channels/victim/broadcast HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const chunk = `2000\r\n${"x".repeat(8192)}\r\n`;
  let sent = 0;
  while (!connection.socket.destroyed && sent < 100e6) {
    connection.send(chunk);
    sent += 8192;
    await sleep(0);
  }
  assert.ok(sent < 50e6, `${sent} bytes were read`);
  assert.equal((await channel.stats()).published, 0);
});

test("a body shorter than its Content-Length publishes nothing", async () => {
  const connection = await rawConnection(hub.origin);
  connection.send("POST /channels/victim/broadcast HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  await sleep(200);
  connection.socket.destroy();
});

test("a chunked body that breaks off publishes nothing", async () => {
  const connection = await rawConnection(hub.origin);
  connection.send(
    "POST /channels/victim/broadcast HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
  );
  await sleep(200);
  connection.socket.destroy();
});

test("a body longer than its Content-Length does not leak into an event", async () => {
  const other = hub.channel("other");
  const listener = await listen(other);
  const answer = await rawRequest(
    hub.origin,
    "POST /channels/other/broadcast HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabcdef",
  );
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.equal((await other.stats()).published, 1);
  await listener.untilEvents(1);
  assert.deepEqual(
    listener.events.map((event) => event.data),
    ["abc"],
  );
});

test("a Content-Length that is no length is refused", async () => {
  for (const length of ["-1", "abc", "1e3"]) {
    const answer = await rawRequest(
      hub.origin,
      `POST /channels/victim/broadcast HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\nx`,
    );
    assert.match(answer, /^HTTP\/1\.1 400 /);
  }
});

test("slow bodies hold nothing but themselves", async () => {
  const slow = await Promise.all(Array.from({ length: 20 }, () => rawConnection(hub.origin)));
  for (const connection of slow) {
    connection.send(
      "POST /channels/slow/broadcast HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nsl",
    );
  }
  const target = hub.channel("slow");
  const listener = await listen(target);
  await target.publish("quick");
  await listener.untilEvents(1);
  for (const connection of slow) connection.send("ow");
  await listener.untilEvents(21);
  for (const connection of slow) assert.match(await connection.rest(), /^HTTP\/1\.1 200 /);
  assert.deepEqual(new Set(listener.events.map((event) => event.data)), new Set(["quick", "slow"]));
});

test("the channel has published nothing of all this, and its stream is undisturbed", async () => {
  const stats = await channel.stats();
  assert.deepEqual([stats.published, stats.subscribers, stats.connected], [0, 1, 1]);
  await channel.publish("x");
  await witness.untilEvents(1);
});
