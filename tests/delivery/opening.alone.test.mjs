// Channels that were not in use are opened few at a time, so that a client that asks for one new channel after the other
// delays nobody else. On bare workerd, as `npm run serve` sets it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const QUIET = { LOG_LEVEL: "error" };
const TOO_MANY = "urn:sse-broadcaster:problem:too-many-open-channels";

/** Reads from one new channel after the other over `connections`, for `ms`. Returns how many answers of each status came. */
async function openChannels(hub, connections, ms, path) {
  const statuses = {};
  const end = Date.now() + ms;
  let number = 0;
  const client = async () => {
    while (Date.now() < end) {
      const response = await fetch(`${hub.origin}/channels/fresh-${number++}${path}`);
      if (response.status === 200 && path === "") await response.body.cancel();
      else await response.text();
      statuses[response.status] = (statuses[response.status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, client));
  return statuses;
}

for (const [what, path] of Object.entries({ "reads of new channels": "/events", "streams of new channels": "" })) {
  test(`${what} over 64 connections delay no publish to another channel`, { timeout: 60_000 }, async () => {
    const hub = await startWorkerd({ ...QUIET, MAX_OPEN_CHANNELS: "2000" });
    const channel = hub.channel("in-use");
    const subscriber = await subscribe(channel);
    const opening = openChannels(hub, 64, 6_000, path);
    let statuses;
    opening.then((found) => (statuses = found));
    const times = [];
    while (!statuses) {
      const started = performance.now();
      await channel.publish("tick");
      times.push(performance.now() - started);
      await sleep(20);
    }
    times.sort((a, b) => a - b);
    const p99 = times[Math.floor(times.length * 0.99)];
    console.log(`# ${what}: ${JSON.stringify(statuses)}; ${times.length} other publishes, p99 ${Math.round(p99)} ms`);
    assert.ok(p99 < 500, `${p99} ms`);
    await subscriber.untilEvents(times.length);
  });
}

test("beyond MAX_OPEN_CHANNELS new channels are refused, and those in use go on", { timeout: 60_000 }, async () => {
  const hub = await startWorkerd({ ...QUIET, MAX_OPEN_CHANNELS: "3" });
  const subscribers = [];
  for (const id of ["a", "b", "c"]) subscribers.push(await subscribe(hub.channel(id)));
  const refused = await fetch(hub.channel("d").url, { headers: { Accept: "application/json" } });
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("retry-after"), "5");
  assert.equal((await refused.json()).type, TOO_MANY);
  // Longer than an object without streams counts as open.
  await sleep(9_500);
  for (const { channel } of subscribers) assert.equal((await channel.publish("x")).subscribers, 1);
  subscribers[0].close();
  await eventually(async () => (await fetch(`${hub.channel("d").url}/events`)).status === 200, 30_000);
});
