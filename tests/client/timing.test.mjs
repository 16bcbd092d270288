// When the client sends a request again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { childOf, retryAfter, sleep, waitMs } from "../../client/src/timing.ts";

const LONGEST = 40_000;

test("the client's wait doubles with each failure up to 40 s, and is up to half longer at random", () => {
  for (const failures of [1, 2, 3, 4, 5, 6, 7, 20, 2_000]) {
    const doubled = Math.min(LONGEST, 1_000 * 2 ** (failures - 1));
    const waits = Array.from({ length: 200 }, () => waitMs(failures, 0));
    assert.ok(Math.min(...waits) >= doubled, `${failures}`);
    assert.ok(Math.max(...waits) <= doubled * 1.5, `${failures}`);
    assert.ok(Math.max(...waits) > doubled * 1.2, "the random part differs");
  }
});

test("the client waits at least as long as the server asks for, but not longer than an hour and a half minute", () => {
  assert.ok(waitMs(1, 7_000) >= 7_000);
  assert.ok(waitMs(1, 7_000) <= 7_500);
  assert.ok(waitMs(20, 10 ** 12) <= 3_600_000 + LONGEST / 2);
});

test("without a failure, the client waits as long as the server asks for", () => {
  assert.equal(waitMs(0, 3_000), 3_000);
  assert.equal(waitMs(0, 10 ** 12), 3_600_000);
});

test("the client reads Retry-After as seconds and as a date, and ignores other values and the past", () => {
  assert.equal(retryAfter("7"), 7);
  assert.equal(retryAfter("0.5"), 0.5);
  const date = retryAfter(new Date(Date.now() + 30_000).toUTCString());
  assert.ok(date > 28 && date <= 30, `${date}`);
  for (const value of [null, "", "0", "-1", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"]) {
    assert.equal(retryAfter(value), undefined, `${value}`);
  }
});

test("a wait of the client ends with its signal, and when it is woken", async () => {
  const start = performance.now();
  const stop = new AbortController();
  const waits = [sleep(60_000, stop.signal), sleep(60_000, undefined, (wake) => setTimeout(wake, 10))];
  setTimeout(() => stop.abort(), 10);
  await Promise.all([...waits, sleep(60_000, AbortSignal.abort(), () => {})]);
  assert.ok(performance.now() - start < 10_000);
});

test("a child of a signal aborts with its reason, and not the other way round", () => {
  const parent = new AbortController();
  const [child, other] = [childOf(parent.signal), childOf(parent.signal)];
  other.abort();
  assert.ok(!parent.signal.aborted);
  parent.abort("reason");
  assert.equal(child.signal.reason, "reason");
  assert.equal(childOf(parent.signal).signal.reason, "reason");
  assert.ok(!childOf(undefined).signal.aborted);
});
