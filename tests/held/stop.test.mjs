// SIGTERM of `npm run serve` ends the streams that the Worker holds, also those of objects that sleep.
import assert from "node:assert/strict";
import { test } from "node:test";
import { serve } from "../support/serve.mjs";
import { subscribeToSeveral } from "../support/several.mjs";
import { resume, subscribe } from "../support/subscriber.mjs";
import { sleep } from "../support/wait.mjs";

test("after SIGTERM streams that the Worker holds end completely, with a time to reconnect, and resume after a start", {
  timeout: 90_000,
}, async () => {
  const settings = { HOLD_STREAMS: "worker", LOG_LEVEL: "error" };
  const hub = await serve(settings);
  const asleep = await subscribe(hub.channel("asleep"));
  await hub.channel("asleep").publish("before");
  // The object sleeps ten seconds after its last event.
  await sleep(12_500);
  const awake = await subscribe(hub.channel("awake"));
  const several = await subscribeToSeveral(hub, ["awake", "other", "asleep-too"]);
  const { id } = await hub.channel("awake").publish("last");
  await Promise.all([awake.untilId(id), several.untilIds({ awake: id })]);
  const streams = [asleep, awake, several];
  process.kill(hub.script, "SIGTERM");
  await Promise.all(streams.map((stream) => stream.untilEnded()));
  for (const stream of streams) {
    assert.ok(stream.response.complete, "the connection was cut");
    assert.ok(stream.retry >= 2_000 && stream.retry <= 4_000, `retry: ${stream.retry}`);
    // A heartbeat may come before it.
    assert.match(stream.text.slice(-100), new RegExp(`\n\n(:\n)?retry: ${stream.retry}\n$`));
  }
  assert.equal(await hub.exitStatus(), 0);

  const again = await serve({ ...settings, PORT: new URL(hub.origin).port });
  await again.channel("asleep").publish("after");
  const late = await resume(again.channel("asleep"), asleep.lastEventId);
  await late.untilEvents(1);
  assert.deepEqual(
    late.account().events.map(({ data }) => data),
    ["after"],
  );
  await again.stop();
});
