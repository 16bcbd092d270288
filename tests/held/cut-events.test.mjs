// The object of a channel is aborted while a client has got a part of a large event. The new object cannot send the
// rest of the event, so the stream ends, and its client resumes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { abort, startAbortable } from "../support/abortable.mjs";
import { ReconnectingSubscriber, ReconnectingToSeveral } from "../support/reconnecting.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";

/** More than the buffers of the kernel between workerd and a client hold. */
const EVENTS = 30;
/** The sizes of the events. With one of them, a stream that is not read might stop between two events. */
const SIZES = [1_000_000, 910_000, 830_000];

const SLOW = { query: "?catch_up=1", paused: true };

/** The kinds of streams: how each is started, and the form of its last ids and of its data. */
const KINDS = {
  "one channel": {
    start: (hub, id) => ReconnectingSubscriber.start(hub.channel(id), SLOW),
    last: (_, last) => last,
    data: (received) => received,
  },
  "two channels": {
    start: (hub, id) => ReconnectingToSeveral.start(hub, [id, `${id}-other`], SLOW),
    last: (id, last) => ({ [id]: last }),
    data: (received, id) => received[id],
  },
};

/**
 * Publishes large events, aborts the object before a slow client has read them, and checks that the client gets all.
 * Returns how many streams the client has had.
 */
async function abortWhileSlow(hub, { start, last, data }, id, bytes) {
  const channel = hub.channel(id);
  const fast = await subscribe(channel);
  const slow = await start(hub, id);
  const events = Array.from({ length: EVENTS }, (_, n) => `${n} `.padEnd(bytes, "x"));
  let newest;
  for (const text of events) {
    newest = (await channel.publish(text)).id;
    await fast.untilId(newest);
  }
  await abort(hub, id);
  slow.stream.unpause();
  await eventually(() => slow.hasReceived(last(id, newest)), 30_000, "the slow client has all events");
  newest = (await channel.publish("last")).id;
  await fast.untilId(newest);
  await eventually(() => slow.hasReceived(last(id, newest)), 30_000, "the slow client has the last event");
  assert.equal(fast.ended, false);
  for (const { response } of slow.streams.slice(0, -1)) assert.ok(response.complete, "the connection was cut");
  const received = data(slow.check(last(id, newest)), id);
  assert.equal(received.length, EVENTS + 1);
  assert.ok(received.every((text, n) => text === [...events, "last"][n]));
  slow.stop();
  fast.close();
  return slow.streams.length;
}

for (const [kind, rules] of Object.entries(KINDS)) {
  test(`an abort in the middle of a large event ends a stream of ${kind} that has got a part of it, which resumes`, {
    timeout: 120_000,
  }, async () => {
    const hub = await startAbortable({
      BUFFER_BYTES: String(4 << 20),
      MAX_EVENT_BYTES: "1000000",
      HISTORY_BYTES: String(64 << 20),
      STALL_SECONDS: "0",
    });
    for (const bytes of SIZES) {
      const streams = await abortWhileSlow(hub, rules, `size-${bytes}`, bytes);
      assert.ok(streams <= 2, `${streams} streams`);
      if (streams === 2) return;
    }
    assert.fail("no event was cut");
  });
}
