// Channels that were only read from leave no file: workerd makes one for each object, and the hub removes it again.
import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sweepEmpty, undoSweep } from "../../scripts/sweep.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const QUIET = { LOG_LEVEL: "error" };

function databases(hub) {
  return readdirSync(join(hub.stateDir, "channel")).filter((name) => /^[0-9a-f]{64}\.sqlite/.test(name));
}

const sweep = (hub) => sweepEmpty(join(hub.stateDir, "channel"), { settleMs: 200, unusedMs: 0 });

test("a channel that was only read from leaves no file once its object is gone", { timeout: 60_000 }, async () => {
  const hub = await startWorkerd(QUIET);
  const kept = hub.channel("kept");
  await kept.publish("stays");
  const subscriber = await subscribe(hub.channel("listened-to"));
  for (let number = 0; number < 50; number++) await hub.channel(`read-${number}`).history();
  // workerd lets an object go after ten seconds without a request.
  await eventually(() => databases(hub).filter((name) => name.endsWith("-wal")).length <= 1, 30_000);
  assert.equal(await sweep(hub), 50);
  await hub.channel("listened-to").publish("works");
  await subscriber.untilEvents(1);
  await hub.channel("read-7").publish("is used after all");
  await hub.restart();
  const dataOf = async (id) => (await hub.channel(id).history()).events.map(({ data }) => data);
  assert.deepEqual(await dataOf("kept"), ["stays"]);
  assert.deepEqual(await dataOf("listened-to"), ["works"]);
  assert.deepEqual(await dataOf("read-7"), ["is used after all"]);
});

test("sweeps lose nothing of channels that are used at the same time", { timeout: 60_000 }, async () => {
  const hub = await startWorkerd(QUIET);
  const acknowledged = [];
  let ends = false;
  const sweeping = (async () => {
    while (!ends) {
      await sweep(hub);
      await sleep(1);
    }
  })();
  // Each channel's first use may fall into a sweep.
  for (let number = 0; number < 400; number++) {
    const channel = hub.channel(`used-${number}`);
    await channel.history();
    if (number % 3) await sleep(number % 7);
    await channel.publish(`event ${number}`);
    acknowledged.push([channel, `event ${number}`]);
  }
  ends = true;
  await sweeping;
  await hub.restart();
  for (const [channel, data] of acknowledged) {
    assert.deepEqual(
      (await channel.history()).events.map((event) => event.data),
      [data],
    );
  }
});

test("a database that was set aside when the hub was killed gets its name back", async () => {
  const hub = await startWorkerd(QUIET);
  await hub.channel("any").publish("x");
  await hub.kill();
  const folder = join(hub.stateDir, "channel");
  const aside = join(folder, `${"a".repeat(64)}.sqlite.removing`);
  writeFileSync(aside, "");
  undoSweep(folder);
  assert.ok(databases(hub).includes(`${"a".repeat(64)}.sqlite`));
});
