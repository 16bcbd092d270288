// kill -9 at any moment: every event with a receipt is stored once and with its id.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cases } from "../support/cases.mjs";
import { serve } from "../support/serve.mjs";
import { parseId, resume, subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const ROUNDS = 30;
const PUBLISHERS = 4;
/** The longest time of a round between its start and the kill. */
const ROUND_MS = 120;

/** The events with a receipt: their data by seq. */
class Ledger {
  constructor(channel) {
    this.channel = channel;
    this.acknowledged = new Map();
    this.sent = 0;
  }

  /** Publishes single events and batches, each with unique data, until the hub does not answer. */
  async publishUntilKilled() {
    for (;;) {
      const number = this.sent++;
      const size = number % 3 === 0 ? 1 : 1 + (number % 30);
      const batch = Array.from({ length: size }, (_, i) => `${number}:${i + 1}/${size}`);
      const publish = size === 1 ? this.channel.publish(batch[0]) : this.channel.publishBatch(batch);
      const receipt = await publish.catch(() => undefined);
      if (!receipt) return;
      const { seq } = parseId(receipt.id);
      for (const [i, data] of batch.entries()) this.acknowledged.set(seq - size + 1 + i, data);
    }
  }

  /** Checks that `events` have every acknowledged event of their range, and each batch completely or not at all. */
  check(events) {
    for (const { id, data } of events) {
      const { seq } = parseId(id);
      const expected = this.acknowledged.get(seq) ?? data;
      assert.equal(data, expected, `event ${seq}`);
      this.acknowledged.delete(seq);
    }
    const batches = events.map(({ data }) => data).filter((data) => data.includes(":"));
    assert.equal(new Set(batches).size, batches.length, "each event is stored once");
    for (let i = 0; i < batches.length; ) {
      const [, number, size] = batches[i].match(/^(\d+):1\/(\d+)$/);
      const whole = Array.from({ length: Number(size) }, (_, n) => `${number}:${n + 1}/${size}`);
      assert.deepEqual(batches.slice(i, i + whole.length), whole);
      i += whole.length;
    }
  }
}

for (const [rule, settings] of cases([
  ["every event with a receipt is stored", { HISTORY_EVENTS: "1000000" }],
  ["a short history reports every event that it no longer has", { HISTORY_EVENTS: "200" }],
])) {
  test(`after ${ROUNDS} rounds of publishing and kill -9, ${rule}`, { timeout: 120_000 }, async () => {
    const hub = await startWorkerd({ ...settings, LOG_LEVEL: "error" });
    const channel = hub.channel("rounds");
    const ledger = new Ledger(channel);
    let { startId: from } = await subscribe(channel);
    let [acknowledged, gaps] = [0, 0];
    for (let round = 0; round < ROUNDS; round++) {
      const live = await resume(channel, from);
      const publishers = Array.from({ length: PUBLISHERS }, () => ledger.publishUntilKilled());
      await sleep(Math.random() * ROUND_MS);
      // One round at least exceeds the short history.
      if (round === 0) await live.untilEvents(300);
      await hub.kill();
      await Promise.all(publishers);
      await live.untilEnded();
      acknowledged += ledger.acknowledged.size;
      await hub.start();

      // Two clients resume: one whose stream the kill has ended, and one without a stream during the round.
      const back = await resume(channel, live.lastEventId);
      const slept = await resume(channel, from);
      const { id } = await channel.publish(`round ${round}`);
      await Promise.all([back.untilId(id), slept.untilId(id)]);
      const before = live.account();
      const rest = back.account();
      assert.deepEqual([before.dropped + before.unknown, rest.gap + rest.dropped + rest.unknown], [0, 0]);
      const all = [...before.events, ...rest.events];
      const { events, gap, unknown, dropped } = slept.account();
      assert.deepEqual(events, all.slice(gap), "the history has the events of the streams");
      assert.deepEqual([unknown, dropped], [0, 0]);
      ledger.check(all);
      assert.equal(ledger.acknowledged.size, 0, "acknowledged events are lost");
      gaps += gap;
      for (const stream of [live, back, slept]) stream.close();
      from = id;
    }
    assert.equal(gaps > 0, settings.HISTORY_EVENTS === "200");
    console.log(`# ${acknowledged} events acknowledged in ${ROUNDS} rounds; ${gaps} reported in gaps`);
  });
}

for (const [name, victim] of cases([
  ["the script", (serve) => serve.script],
  ["npm", (serve) => serve.child.pid],
])) {
  test(`after kill -9 of ${name} npm run serve starts at once, and no acknowledged event is lost`, {
    timeout: 60_000,
  }, async () => {
    const first = await serve({ LOG_LEVEL: "error" });
    const stream = await subscribe(first.channel("served"));
    const ledger = new Ledger(first.channel("served"));
    const publishers = Array.from({ length: PUBLISHERS }, () => ledger.publishUntilKilled());
    await stream.untilEvents(100);
    process.kill(victim(first), "SIGKILL");
    const second = await serve({ PORT: new URL(first.origin).port, LOG_LEVEL: "error" });
    await eventually(() => first.running().length === 0, 5_000, "its other processes end");
    await Promise.all(publishers);
    await stream.untilEnded();

    const channel = second.channel("served");
    const back = await resume(channel, stream.lastEventId);
    const { id } = await channel.publish("back");
    await back.untilId(id);
    assert.equal(back.account().gap, 0);
    ledger.check([...stream.account().events, ...back.account().events]);
    assert.equal(ledger.acknowledged.size, 0, "acknowledged events are lost");
    // This also checks that no temporary file of either process is left.
    await second.stop();
  });
}

test("after a restart with other settings the history follows them, and ids still increase", async () => {
  const hub = await startWorkerd({ LOG_LEVEL: "error" });
  const channel = hub.channel("settings");
  const ids = [];
  const publish = async () => ids.push((await channel.publish(String(ids.length + 1))).id);
  while (ids.length < 20) await publish();
  const { epoch } = parseId(ids[0]);

  await hub.restart({ HISTORY_EVENTS: "10", LOG_LEVEL: "error" });
  await publish();
  const shorter = await resume(channel, `${epoch}-0`);
  await shorter.untilId(ids.at(-1));
  assert.deepEqual([shorter.account().gap, shorter.account().events.length], [11, 10]);

  // Without a history, the hub does not know the last id.
  for (const HISTORY_EVENTS of ["0", "0", "1000"]) {
    await hub.restart({ HISTORY_EVENTS, LOG_LEVEL: "error" });
    await publish();
    const stream = await resume(channel, ids.at(-2));
    await stream.untilId(ids.at(-1));
    const { unknown, events } = stream.account();
    assert.deepEqual([unknown, events.at(-1).data], [1, String(ids.length)]);
  }
  // Epochs sort as text, and the letters of Crockford's base32 sort as in ASCII.
  const order = (a, b) => {
    const [left, right] = [parseId(a), parseId(b)];
    if (left.epoch !== right.epoch) return left.epoch < right.epoch ? -1 : 1;
    return left.seq - right.seq;
  };
  assert.deepEqual(ids, [...ids].sort(order));
});
