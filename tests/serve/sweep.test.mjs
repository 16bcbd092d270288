// The hub removes the files of channels that were only read. workerd makes a file for each object.
import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sweepEmpty, undoSweep } from "../../cli/serve/sweep.mjs";
import { heldByWorker } from "../support/hub.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const QUIET = { LOG_LEVEL: "error" };

function databases(hub) {
  return readdirSync(join(hub.stateDir, "channel")).filter((name) => /^[0-9a-f]{64}\.sqlite/.test(name));
}

const sweep = (hub) => sweepEmpty(join(hub.stateDir, "channel"), { settleMs: 200, unusedMs: 0 });

test("the file of a channel that was only read is removed after its object has been evicted", {
  timeout: 60_000,
}, async () => {
  const hub = await startWorkerd(QUIET);
  const kept = hub.channel("kept");
  await kept.publish("stays");
  const subscriber = await subscribe(hub.channel("subscribed"));
  for (let number = 0; number < 50; number++) await hub.channel(`read-${number}`).history();
  // workerd evicts an object ten seconds after its last request.
  await eventually(() => databases(hub).filter((name) => name.endsWith("-wal")).length <= 1, 30_000);
  // If the Worker holds the stream, the object of "subscribed" has been evicted, too.
  assert.equal(await sweep(hub), heldByWorker ? 51 : 50);
  await hub.channel("subscribed").publish("works");
  await subscriber.untilEvents(1);
  await hub.channel("read-7").publish("first");
  await hub.restart();
  const dataOf = async (id) => (await hub.channel(id).history()).events.map(({ data }) => data);
  assert.deepEqual(await dataOf("kept"), ["stays"]);
  assert.deepEqual(await dataOf("subscribed"), ["works"]);
  assert.deepEqual(await dataOf("read-7"), ["first"]);
});

/**
 * Repeats a request while the hub answers 503. These tests sweep databases that were created just before, which
 * `npm run serve` never does: an object that is about to open such a database can fail.
 */
async function retryWhile503(request, attempts = 10) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await request();
    } catch (error) {
      if (!error.message.startsWith("503 ") || attempt === attempts) throw error;
      await sleep(50);
    }
  }
}

test("sweeps lose no event of channels that are used at the same time", { timeout: 60_000 }, async () => {
  const hub = await startWorkerd(QUIET);
  const acknowledged = [];
  let ends = false;
  const sweeping = (async () => {
    while (!ends) {
      await sweep(hub);
      await sleep(1);
    }
  })();
  try {
    // The first use of a channel may happen during a sweep.
    for (let number = 0; number < 150; number++) {
      const channel = hub.channel(`used-${number}`);
      await retryWhile503(() => channel.history());
      if (number % 3) await sleep(number % 7);
      const headers = { "Idempotency-Key": `${number}` };
      await retryWhile503(() => channel.publish(`event ${number}`, { headers }));
      acknowledged.push([channel, `event ${number}`]);
    }
  } finally {
    ends = true;
    await sweeping;
  }
  await hub.restart();
  for (const [channel, data] of acknowledged) {
    assert.deepEqual(
      (await channel.history()).events.map((event) => event.data),
      [data],
    );
  }
});

test("a database that a killed hub had renamed for removal gets its name back", async () => {
  const hub = await startWorkerd(QUIET);
  await hub.channel("any").publish("x");
  await hub.kill();
  const folder = join(hub.stateDir, "channel");
  const aside = join(folder, `${"a".repeat(64)}.sqlite.removing`);
  writeFileSync(aside, "");
  undoSweep(folder);
  assert.ok(databases(hub).includes(`${"a".repeat(64)}.sqlite`));
});
