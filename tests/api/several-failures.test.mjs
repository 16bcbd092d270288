// POST /channels/foo,bar/broadcast: some of the channels fail, and a repeat publishes what is missing.
import assert from "node:assert/strict";
import { statSync, truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { assertProblem, idsOf, post, results, stored } from "../support/publish-several.mjs";
import { parseId, subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { databases, startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ LOG_LEVEL: "error" });

test("a key that one channel knows for another publish fails there with 422, and the others publish", async () => {
  await post(hub, "u-bar", "other", { key: "k" });
  const answer = await post(hub, "u-foo,u-bar,u-baz", "x", { key: "k" });
  assertProblem(answer, 422, "idempotency-key-reused", /^1 of 3 channels failed; .* Channel u-bar: /);
  assert.equal(answer.body.channel, "u-bar");
  const [foo, bar, baz] = results(answer);
  assert.deepEqual([parseId(foo.id).seq, parseId(baz.id).seq], [1, 1]);
  assert.deepEqual(Object.keys(bar), ["channel", "error"]);
  assert.deepEqual([bar.error.status, answer.retryAfter], [422, null]);
  assert.deepEqual(await stored(hub, "u-bar"), ["other"]);
});

test("a channel over PUBLISH_PER_SECOND fails alone, and a repeat with the key completes what is missing", async () => {
  const limited = await startWorkerd({ PUBLISH_PER_SECOND: "1", LOG_LEVEL: "error" });
  let answer;
  let names;
  // On a machine that stalls, the second publish may come a second after the first one.
  for (let tries = 0; tries < 20 && answer?.status !== 429; tries++) {
    names = ["foo", "bar", "baz"].map((name) => `${name}-${tries}`);
    await limited.channel(names[1]).publish("before");
    answer = await post(limited, names.join(","), "x", { key: "k" });
  }
  const detail = /^1 of 3 channels failed; .*PUBLISH_PER_SECOND.*with the same Idempotency-Key/;
  assertProblem(answer, 429, "too-many-publishes", detail);
  assert.deepEqual([answer.retryAfter, answer.body.channel], ["1", names[1]]);
  assert.deepEqual(idsOf(answer), names);
  const { error } = results(answer)[1];
  assert.deepEqual(Object.keys(error), ["type", "title", "status", "detail"]);
  assert.deepEqual([error.type, error.title, error.status], [answer.body.type, answer.body.title, 429]);
  assert.match(error.detail, /^The channel takes 1 publishes a second/);

  let repeat = answer;
  await eventually(async () => {
    await sleep(1_100);
    repeat = await post(limited, names.join(","), "x", { key: "k" });
    return repeat.status === 200;
  }, 20_000);
  assert.deepEqual(
    results(repeat).map(({ id }) => id),
    [results(answer)[0].id, results(repeat)[1].id, results(answer)[2].id],
  );
  assert.deepEqual([results(repeat)[0].replayed, results(repeat)[2].replayed], [true, true]);
  await sleep(1_100);
  assert.deepEqual(await stored(limited, names[0]), ["x"]);
  assert.deepEqual(await stored(limited, names[1]), ["before", "x"]);
  assert.deepEqual(await stored(limited, names[2]), ["x"]);
});

test("a channel whose database is broken fails alone, and a repeat completes it once the channel is repaired", async () => {
  const other = await startWorkerd({ LOG_LEVEL: "error" });
  await other.channel("bar").publish("before");
  const [file] = databases(other);
  await other.kill();
  for (const end of ["-wal", "-shm"]) truncateSync(`${file}${end}`, 0);
  writeFileSync(file, "garbage ".repeat(statSync(file).size / 8 || 512));
  await other.start();
  const stream = await subscribe(other.channel("baz"));

  const answer = await post(other, "foo,bar,baz", "x", { key: "k" });
  assertProblem(answer, 503, "storage-failed", /^1 of 3 channels failed; .* Channel bar: /);
  assert.deepEqual([answer.body.channel, answer.retryAfter], ["bar", "5"]);
  assert.deepEqual(idsOf(answer), ["foo", "bar", "baz"]);
  assert.deepEqual(
    results(answer).map(({ events, error }) => events ?? error.status),
    [1, 503, 1],
  );
  await stream.untilEvents(1);

  await other.channel("bar").delete();
  const repeat = await post(other, "foo,bar,baz", "x", { key: "k" });
  assert.equal(repeat.status, 200, repeat.text);
  assert.deepEqual(
    results(repeat).map(({ replayed }) => replayed),
    [true, false, true],
  );
  for (const id of ["foo", "bar", "baz"]) assert.deepEqual(await stored(other, id), ["x"]);
});

test("large publishes to many channels fit into the memory of the hub, however small MEMORY_BYTES is", {
  timeout: 60_000,
}, async () => {
  const BUFFER_BYTES = 1 << 20;
  const MEMORY_BYTES = 8 * BUFFER_BYTES + 65_536;
  const small = await startWorkerd({ BUFFER_BYTES, MEMORY_BYTES, LOG_LEVEL: "error" });
  const batch = `data: ${"x".repeat(60_000)}\n\n`.repeat(16);
  const names = Array.from({ length: 8 }, (_, n) => `large-${n}`);
  const list = names.join(",");
  const send = (key) => post(small, list, batch, { key, type: "text/event-stream" });
  const alone = await send("alone");
  assert.deepEqual([alone.status, idsOf(alone)], [200, names]);

  // Requests that come at once may be refused, but only before anything is published.
  const answers = await Promise.all(["a", "b", "c", "d"].map(send));
  assert.ok(answers.some(({ status }) => status === 200));
  for (const answer of answers.filter(({ status }) => status !== 200)) {
    assertProblem(answer, 503, "memory-full", /Nothing was published/);
    assert.equal(answer.body.channels, undefined, answer.text);
  }
});
