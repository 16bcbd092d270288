// An iteration that is slower than the publishers: the client buffers a bounded number of events and stops reading, and
// the hub then drops events and says which.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connectTo } from "../support/package-client.mjs";
import { parseId } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const EVENTS = 20_000;
const BATCH = 250;
const batch = Array.from({ length: BATCH }, () => "x".repeat(1_000));

test("a slow iteration makes the hub drop events, and the events and onDropped have no hole together", {
  timeout: 120_000,
}, async () => {
  const hub = await startWorkerd({ HISTORY_EVENTS: "100", HEARTBEAT_SECONDS: "1" });
  const channel = hub.channel("slow");
  let next = 1;
  let missing = 0;
  let calls = 0;
  const subscription = connectTo(hub.origin).subscribe("slow", {
    onDropped({ count, from, to }) {
      // It is called between the events that it is about.
      assert.equal(parseId(from).seq, next);
      next = parseId(to).seq + 1;
      missing += count;
      calls++;
    },
  });
  await eventually(() => subscription.status.state === "open");
  const before = process.memoryUsage().rss;
  for (let n = 0; n < EVENTS; n += BATCH) await channel.publishBatch(batch);
  await eventually(async () => (await channel.stats()).dropped > 0);
  // 20 MB were published.
  const growth = process.memoryUsage().rss - before;
  let got = 0;
  for await (const { id } of subscription) {
    assert.equal(parseId(id).seq, next++);
    got++;
    if (got === 1) await channel.publish("last");
    if (next > EVENTS + 1) break;
  }
  assert.equal(got + missing, EVENTS + 1);
  assert.ok(missing > 0 && calls > 0, `${missing} dropped`);
  assert.ok(got >= 1_000, `${got} were buffered on the way`);
  assert.equal(subscription.status.state, "ended");
  console.log(`${got} events arrived, ${missing} were dropped; the memory grew by ${Math.round(growth / 1e6)} MB`);
});

test("an iteration that takes its time loses nothing with catchUp, and the stream does not count as dead", {
  timeout: 60_000,
}, async () => {
  const hub = await startWorkerd({ HISTORY_EVENTS: "10000", HEARTBEAT_SECONDS: "1" });
  const channel = hub.channel("late");
  const statuses = [];
  const subscription = connectTo(hub.origin).subscribe("late", {
    catchUp: true,
    onStatus: ({ state }) => statuses.push(state),
  });
  await eventually(() => subscription.status.state === "open");
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  for (let n = 0; n < 20; n++) await channel.publishBatch(batch);
  // Longer than two heartbeats.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  let next = 1;
  for await (const { id } of subscription) {
    assert.equal(parseId(id).seq, next++);
    if (next > 20 * BATCH) break;
  }
  assert.deepEqual(statuses, ["connecting", "open", "ended"]);
});
