// The rows that the hub writes, which the platform bills.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseId, resume } from "../support/subscriber.mjs";
import { editStorage, startWorkerd } from "../support/workerd.mjs";

const MEBIBYTE = 1_048_576;

test("publishes that arrive during a commit are stored together as one row", async () => {
  const PUBLISHES = 100;
  const hub = await startWorkerd({ LOG_LEVEL: "error" });
  const channel = hub.channel("groups");
  const { id } = await channel.publish("first");
  const counts = [];
  // In a slow round, the publishes arrive one by one.
  for (let round = 1; round <= 5 && !counts.some((rows) => rows < 0.6 * PUBLISHES); round++) {
    const before = (await channel.stats()).history.rows_written;
    await Promise.all(Array.from({ length: PUBLISHES }, (_, n) => channel.publish(String(n))));
    const { seq, history } = await channel.stats();
    assert.deepEqual([seq, history.events], [parseId(id).seq + round * PUBLISHES, round * PUBLISHES + 1]);
    counts.push(history.rows_written - before);
  }
  assert.ok(counts.at(-1) > 0 && counts.at(-1) < 0.6 * PUBLISHES, `${counts} rows`);
  console.log(`# ${PUBLISHES} publishes at once wrote ${counts.at(-1)} rows`);
});

test("a batch larger than 1 MiB is stored in rows of at most 1 MiB", async () => {
  const limit = String(4 * MEBIBYTE);
  const hub = await startWorkerd({ BUFFER_BYTES: limit, MAX_BATCH_BYTES: limit, LOG_LEVEL: "error" });
  const channel = hub.channel("split");
  // The batch has 3 MiB, and 1 MiB is not a multiple of the length of an event.
  const batch = Array.from({ length: 64 }, (_, n) => `${n} `.padEnd(49_000, "x"));
  const { id } = await channel.publishBatch(batch);
  await hub.restart();
  const stream = await resume(channel, `${parseId(id).epoch}-0`);
  await stream.untilId(id);
  assert.deepEqual(
    stream.account().events.map(({ data }) => data),
    batch,
  );
  const found = editStorage(hub, (database) => {
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE name LIKE 'history%'").all();
    const all = tables.map(({ name }) => `SELECT length(wire) AS bytes FROM ${name}`).join(" UNION ALL ");
    return database.prepare(`SELECT count(*) AS rows, max(bytes) AS largest FROM (${all})`).get();
  });
  const [rows, largest] = [Number(found.rows), Number(found.largest)];
  assert.ok(rows >= 3 && largest <= MEBIBYTE, `${rows} rows, the largest of ${largest} bytes`);
});
