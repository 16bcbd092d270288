// What a subscription buffers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createInbox, MAX_WAITING } from "../../client/src/inbox.ts";

/** Takes `count` events, and adds them to the log. */
async function take(inbox, count, log) {
  for (let n = 0; n < count; n++) log.push((await inbox.next()).value);
  return log;
}

test("events and notices are given in their order, and the position is the id of the last one that was given", async () => {
  const inbox = createInbox("0", undefined);
  const log = [];
  inbox.put("1", "a");
  inbox.put("2", undefined, () => log.push("notice"));
  inbox.put("3", "b");
  inbox.put("4");
  assert.equal(inbox.position(), "0");
  await take(inbox, 1, log);
  assert.equal(inbox.position(), "1");
  await take(inbox, 1, log);
  assert.deepEqual(log, ["a", "notice", "b"]);
  assert.equal(inbox.position(), "4");
});

test("a notice is given at once if no event waits", () => {
  const inbox = createInbox("0", undefined);
  let called = 0;
  inbox.put("1", undefined, () => called++);
  assert.deepEqual([called, inbox.position()], [1, "1"]);
});

test("with onEvent, nothing waits", () => {
  const log = [];
  const inbox = createInbox("0", (event) => log.push(event));
  for (let n = 0; n < 5_000; n++) inbox.put(`${n}`, { n });
  assert.deepEqual([log.length, inbox.isFull(), inbox.position()], [5_000, false, "4999"]);
});

test("there is no room while 1,000 events wait", async () => {
  const inbox = createInbox("0", undefined);
  for (let n = 0; n < MAX_WAITING; n++) {
    assert.ok(!inbox.isFull());
    inbox.put(`${n}`, { n });
  }
  assert.ok(inbox.isFull());
  let hasRoom = false;
  const room = inbox.room().then(() => {
    hasRoom = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(!hasRoom);
  await inbox.next();
  await room;
  assert.ok(!inbox.isFull());
});

test("an iteration that waits gets the next event, and ends or fails after the events", async () => {
  const inbox = createInbox("0", undefined);
  const [first, second, third] = [inbox.next(), inbox.next(), inbox.next()];
  inbox.put("1", "a");
  inbox.put("2", "b");
  inbox.stop(undefined);
  assert.deepEqual(
    [await first, await second],
    [
      { done: false, value: "a" },
      { done: false, value: "b" },
    ],
  );
  assert.deepEqual(
    [await third, await inbox.next()],
    [
      { done: true, value: undefined },
      { done: true, value: undefined },
    ],
  );
  const refused = createInbox("0", undefined);
  refused.put("1", "a");
  refused.stop(new Error("refused"));
  assert.equal((await refused.next()).value, "a");
  await assert.rejects(refused.next(), /refused/);
});

test("room is no longer waited for after the end", async () => {
  const inbox = createInbox("0", undefined);
  for (let n = 0; n < MAX_WAITING; n++) inbox.put(`${n}`, { n });
  const room = inbox.room();
  inbox.stop(undefined);
  await room;
});
