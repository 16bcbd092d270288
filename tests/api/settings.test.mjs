// Settings: an invalid one fails every request, and valid ones take effect.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startHub } from "../support/hub.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { startWorkerd } from "../support/workerd.mjs";

test("with an invalid setting every request is answered with 500 that names it", async () => {
  const hub = await startWorkerd({ HEARTBEAT_SECONDS: "301" });
  for (const [path, method] of [
    ["/", "GET"],
    ["/healthz", "GET"],
    ["/channels/foo", "GET"],
    ["/channels/foo/broadcast", "POST"],
    ["/channels/foo/stats", "GET"],
    ["/nothing", "GET"],
  ]) {
    const response = await fetch(hub.origin + path, { method });
    assert.equal(response.status, 500);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    const { detail } = await response.json();
    assert.match(detail, /HEARTBEAT_SECONDS is "301": it has to be a whole number from 1 to 300/);
  }
});

test("a MAX_BATCH_EVENTS larger than BUFFER_EVENTS is an invalid setting", async () => {
  const hub = await startWorkerd({ BUFFER_EVENTS: "10", MAX_BATCH_EVENTS: "11" });
  assert.match(
    (await (await fetch(`${hub.origin}/healthz`)).json()).detail,
    /MAX_BATCH_EVENTS is "11": .* from 1 to 10/,
  );
});

test("a limit can be set as a number or as text in wrangler.toml, and the hub applies it", async () => {
  const hub = await startHub({ BUFFER_EVENTS: 2, MAX_EVENT_BYTES: "5", MAX_BATCH_BYTES: 100 });
  const channel = hub.channel("small");
  await channel.publish("12345");
  await assert.rejects(channel.publish("123456"), /413 .*larger than 5 bytes/);
  await assert.rejects(channel.publishBatch(["1", "2", "3"]), /413 .*3 events; at most 2/);
  await assert.rejects(channel.publishBatch(["1", "123456"]), /413 .*Event 2/);
  const headers = { "Content-Type": "text/event-stream" };
  await assert.rejects(channel.publish(`: ${"x".repeat(100)}`, { headers }), /413 .*larger than 100 bytes/);
});

test("with FLUSH_MAX_MS=0 subscribers miss no event", async () => {
  const hub = await startWorkerd({ FLUSH_MAX_MS: "0", LOG_LEVEL: "error" });
  const channel = hub.channel("unpaced");
  const subscribers = await Promise.all(Array.from({ length: 50 }, () => subscribe(channel)));
  for (let i = 0; i < 100; i++) await channel.publish(String(i));
  await Promise.all(subscribers.map((subscriber) => subscriber.untilEvents(100)));
  for (const subscriber of subscribers) assert.equal(subscriber.account().dropped, 0);
});
