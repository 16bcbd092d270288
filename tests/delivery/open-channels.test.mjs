// MAX_OPEN_CHANNELS: the limit of channels whose objects are open at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

test("beyond MAX_OPEN_CHANNELS a new channel is refused until another one has no stream", {
  timeout: 90_000,
}, async () => {
  const hub = await startWorkerd({ LOG_LEVEL: "error", MAX_OPEN_CHANNELS: "3" });
  const subscribers = [];
  for (const id of ["a", "b", "c"]) subscribers.push(await subscribe(hub.channel(id)));
  const refused = await fetch(hub.channel("d").url, { headers: { Accept: "application/json" } });
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("retry-after"), "5");
  assert.equal((await refused.json()).type, "urn:sse-broadcaster:problem:too-many-open-channels");
  // An object without streams would no longer count after this time.
  await sleep(9_500);
  for (const { channel } of subscribers) assert.equal((await channel.publish("x")).subscribers, 1);
  subscribers[0].close();
  await eventually(async () => (await fetch(`${hub.channel("d").url}/events`)).status === 200, 30_000);
});
