// Temporary failures: most clients get a status, and a browser's EventSource gets a stream with hub.error.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startHub } from "../support/hub.mjs";
import { subscribe } from "../support/subscriber.mjs";

const stream = { headers: { Accept: "text/event-stream" } };

/** Checks that `response` is a stream with one hub.error, whose problem has this status. */
async function assertErrorStream(response, status, detail) {
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  const text = await response.text();
  const [, retry, data] = text.match(/^retry: (\d+)\nevent: hub\.error\ndata: (.+)\n\n$/);
  assert.ok(Number(retry) >= 5_000 && Number(retry) <= 15_000, retry);
  const problem = JSON.parse(data);
  assert.equal(problem.status, status);
  assert.match(problem.detail, detail);
}

test("a full channel is answered with 503, or with hub.error if the client accepts a stream", async () => {
  const hub = await startHub({ MAX_SUBSCRIBERS: "2" });
  const channel = hub.channel("full");
  const first = await subscribe(channel);
  await subscribe(channel);
  const refused = await hub.fetch(channel.path);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("content-type"), "application/problem+json");
  assert.ok(Number(refused.headers.get("retry-after")) > 0);
  assert.match((await refused.json()).detail, /MAX_SUBSCRIBERS/);
  await assertErrorStream(await hub.fetch(channel.path, stream), 503, /MAX_SUBSCRIBERS/);
  // Permanent failures always have their status.
  assert.equal((await hub.fetch("/channels/%2F", stream)).status, 400);
  assert.equal((await hub.fetch("/nothing", stream)).status, 404);

  await channel.publish("x");
  await first.untilEvents(1);
  const other = await subscribe(hub.channel("other"));
  assert.equal(other.status, 200, "each channel has its own limit");
});

test("the Worker repeats a failed call to an object once, unless that could publish twice", async () => {
  const hub = await startHub(
    {},
    {
      config: {
        name: "failing",
        main: "tests/fixtures/failing-channel.mjs",
        compatibility_date: "2026-11-17",
        rules: [{ type: "CompiledWasm", globs: ["**/*.wasm"] }],
        durable_objects: { bindings: [{ name: "CHANNEL", class_name: "Channel" }] },
        migrations: [{ tag: "v1", new_sqlite_classes: ["Channel"] }],
      },
    },
  );
  const publish = (id, headers) => hub.fetch(`/channels/${id}/broadcast`, { method: "POST", body: "x", headers });
  const keyed = { "Idempotency-Key": "k" };

  const second = await publish("1-replaced", keyed);
  assert.deepEqual(await second.json(), { calls: 2, body: "data: x\n\n" }, "the body is sent again");
  assert.equal((await publish("1-broken-off")).status, 503, "without a key, the Worker must not repeat a publish");
  assert.equal((await (await publish("1-broken-off")).json()).calls, 2);
  assert.deepEqual((await (await hub.fetch("/channels/1-lost")).json()).calls, 2);

  const failed = await publish("2-replaced", keyed);
  assert.equal(failed.status, 503);
  assert.match((await failed.json()).detail, /could not be reached/);
  await assertErrorStream(await hub.fetch("/channels/2-gone", stream), 503, /could not be reached/);

  // The Worker does not repeat a call to an overloaded object, so the next request is its second call.
  assert.equal((await publish("1-overloaded", keyed)).status, 503);
  assert.equal((await (await publish("1-overloaded")).json()).calls, 2);
});
