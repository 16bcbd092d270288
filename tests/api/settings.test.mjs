// Settings: a bad value fails every request, and names the variable; good ones take effect.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startHub } from "../support/hub.mjs";
import { listen } from "../support/listener.mjs";

test("a bad value fails every request with a problem that names it", async () => {
  const hub = await startHub({ HEARTBEAT_SECONDS: "301" });
  for (const [path, method] of [
    ["/", "GET"],
    ["/healthz", "GET"],
    ["/channels/foo", "GET"],
    ["/channels/foo/broadcast", "POST"],
    ["/channels/foo/stats", "GET"],
    ["/nothing", "GET"],
  ]) {
    const response = await hub.fetch(path, { method });
    assert.equal(response.status, 500);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    const { detail } = await response.json();
    assert.match(detail, /HEARTBEAT_SECONDS is "301": it has to be a whole number from 1 to 300/);
  }
});

test("a batch that cannot fit the buffer is a bad setting", async () => {
  const hub = await startHub({ BUFFER_EVENTS: 10, MAX_BATCH_EVENTS: 11 });
  assert.match((await (await hub.fetch("/healthz")).json()).detail, /MAX_BATCH_EVENTS is "11": .* from 1 to 10/);
});

test("limits may be numbers or text, and are kept", async () => {
  const hub = await startHub({ BUFFER_EVENTS: 2, MAX_EVENT_BYTES: "5", MAX_BATCH_BYTES: 100 });
  const channel = hub.channel("small");
  await channel.publish("12345");
  await assert.rejects(channel.publish("123456"), /413 .*larger than 5 bytes/);
  await assert.rejects(channel.publishBatch(["1", "2", "3"]), /413 .*3 events; at most 2/);
  await assert.rejects(channel.publishBatch(["1", "123456"]), /413 .*Event 2/);
  const headers = { "Content-Type": "text/event-stream" };
  await assert.rejects(channel.publish(`: ${"x".repeat(100)}`, { headers }), /413 .*larger than 100 bytes/);
});

test("FLUSH_MAX_MS=0 loses nothing", async () => {
  const hub = await startHub({ FLUSH_MAX_MS: "0" });
  const channel = hub.channel("unpaced");
  const listeners = await Promise.all(Array.from({ length: 50 }, () => listen(channel)));
  for (let i = 0; i < 100; i++) await channel.publish(String(i));
  await Promise.all(listeners.map((listener) => listener.untilEvents(100)));
  for (const listener of listeners) assert.equal(listener.account().dropped, 0);
});
