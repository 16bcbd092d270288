// Channels without any publish: reading stores nothing, and the id that a reader gets stays valid.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { parseId, resume, subscribe } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";
import { startWorkerd, untilCleared } from "../support/workerd.mjs";

const QUIET = { LOG_LEVEL: "error" };

/** Returns the rows of all tables of the hub's objects and of the runtime's alarms. */
function storedRows(hub) {
  const folder = join(hub.stateDir, "channel");
  const files = readdirSync(folder).filter((name) => name.endsWith(".sqlite"));
  return files.flatMap((file) => {
    const database = new DatabaseSync(join(folder, file), { readOnly: true });
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    const rows = tables.flatMap(({ name }) => database.prepare(`SELECT '${name}' AS found FROM "${name}"`).all());
    database.close();
    return rows;
  });
}

const getJson = async (hub, path) => {
  const response = await fetch(hub.origin + path);
  return response.json();
};

test("reading a channel without a publish stores no row and sets no alarm", async () => {
  const hub = await startWorkerd(QUIET);
  for (let number = 0; number < 20; number++) {
    const id = `unpublished-${number}`;
    await getJson(hub, `/channels/${id}/events`);
    await getJson(hub, `/channels/${id}/events?after=x`);
    await getJson(hub, `/channels/${id}/stats`);
    await subscribe(hub.channel(id), { query: "?history=10&catch_up=1" });
  }
  await hub.kill();
  assert.deepEqual(storedRows(hub), []);
  await hub.start();
  await hub.channel("unpublished-0").publish("first");
  await hub.kill();
  const tables = new Set(storedRows(hub).map(({ found }) => found));
  assert.deepEqual([...tables].sort(), ["_cf_ALARM", "_cf_METADATA", "channel", "history_even"]);
});

test("a reader that knows a channel from before its first event gets all events after restarts", async () => {
  const hub = await startWorkerd(QUIET);
  const channel = hub.channel("waiting");
  const waiting = await subscribe(channel);
  const { next } = await channel.history();
  assert.equal(next, waiting.startId);
  await hub.restart();
  const again = await resume(channel, waiting.startId);
  assert.deepEqual([again.events, parseId(again.startId).seq], [[], 0]);
  await hub.restart();
  const page = await channel.history(`?after=${next}`);
  assert.deepEqual([page.events, page.gap], [[], null]);
  for (const data of ["one", "two", "three"]) await channel.publish(data);
  for (const id of [waiting.startId, again.startId, page.next]) {
    const resumed = await resume(channel, id);
    await resumed.untilEvents(3);
    const { events, gap, unknown } = resumed.account();
    assert.deepEqual([events.map(({ data }) => data), gap, unknown], [["one", "two", "three"], 0, 0]);
    const { events: polled, gap: missed } = await channel.history(`?after=${id}`);
    assert.deepEqual([polled.map(({ data }) => data), missed], [["one", "two", "three"], null]);
  }
  await hub.restart();
  const late = await resume(channel, waiting.startId);
  await late.untilEvents(3);
  assert.equal(late.account().unknown, 0);
});

test("a reader that knows a channel from before its first event is told of events that are gone", async () => {
  const hub = await startWorkerd({ ...QUIET, HISTORY_SECONDS: "2", IDEMPOTENCY_SECONDS: "1" });
  const ended = hub.channel("ended");
  const quiet = hub.channel("quiet");
  const readers = [];
  for (const channel of [ended, quiet]) {
    readers.push({ channel, id: (await channel.history()).next });
    await channel.publish("missed");
  }
  await ended.delete();
  await hub.restart();
  await eventually(async () => (await quiet.stats()).history.events === 0);
  await untilCleared(hub, quiet, readers[1].id);
  for (const { channel, id } of readers) {
    await channel.publish("later");
    const reader = await resume(channel, id);
    await reader.untilEvents(2);
    const { events, unknown } = reader.account();
    assert.deepEqual([events.map(({ data }) => data), unknown], [["later"], 1]);
  }
});
