// A stream ends with its token: in time, with hub.expired as its last words, and so that it can be gone on with.
import assert from "node:assert/strict";
import { test } from "node:test";
import { listen, parseId } from "../support/listener.mjs";
import { PLACES, SECRET, authorized, bearer, mint, now } from "../support/tokens.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startClosed } from "../support/workerd.mjs";

const SETTINGS = { JWT_SECRET: SECRET };
/** What is promised. */
const WITHIN_MS = 1_000;

const hub = await startClosed({ ...SETTINGS, HEARTBEAT_SECONDS: "1", HISTORY_EVENTS: "100000" });
const publisher = await mint({ publish: ["*"], exp: now() + 3_600 });

/** A channel of `hub` whose publisher has a token for an hour. */
const channelOf = (hub, id) => authorized(hub.channel(id), publisher);

/** The header of a token to listen until `exp`. */
const until = async (exp) => bearer(await mint({ subscribe: ["*"], exp }));

/** Waits for the end of a stream whose token is valid until `exp`, and checks that it came in time. */
async function assertEndsWith(listener, exp) {
  await listener.until(() => listener.ended, "the end of the stream");
  const late = Date.now() - exp * 1_000;
  assert.ok(late >= 0 && late < WITHIN_MS, `it ended ${late} ms after its token`);
  assertExpired(listener);
}

/** Checks the last words of a stream, and that it was not cut off. Returns the account. */
function assertExpired(listener) {
  assert.ok(listener.response.complete, "it was cut off");
  const { id } = listener.events.at(-1);
  const words = `event: hub.expired\ndata: {"id":"${id}"}\nid: ${id}\n\n`;
  assert.ok(listener.text.endsWith(words), listener.text.slice(-200));
  return listener.account();
}

for (const [place, request] of Object.entries(PLACES)) {
  test(`a stream whose token came by ${place} ends within a second of it`, async () => {
    const channel = channelOf(hub, `simple-${place}`);
    const exp = now() + 3;
    const listener = await listen(channel, request(await mint({ subscribe: [channel.id], exp })));
    const quiet = await listen(hub.channel(`quiet-${place}`), { headers: await until(exp) });
    const other = await listen(channel, { headers: await until(exp + 60) });
    await channel.publish("one");
    const { id } = await channel.publish("two");
    await Promise.all([assertEndsWith(listener, exp), assertEndsWith(quiet, exp)]);
    assert.deepEqual(
      listener.events.map(({ event, data }) => event ?? data),
      ["one", "two", "hub.expired"],
    );
    assert.equal(listener.lastEventId, id);
    assert.equal(quiet.lastEventId, quiet.joinedAfter);
    assert.equal((await channel.stats()).subscribers, 1);
    await channel.publish("three");
    await other.untilEvents(3);
    assert.ok(!other.ended);
  });
}

test("a token may end between two seconds", async () => {
  const exp = Date.now() / 1_000 + 2.5;
  const listener = await listen(hub.channel("fraction"), { headers: await until(exp) });
  await assertEndsWith(listener, exp);
});

test("200 streams that expire at once all end in time, while events go on", { timeout: 60_000 }, async () => {
  const channel = channelOf(hub, "crowd");
  const other = await listen(channel, { headers: await until(now() + 60) });
  const exp = now() + 6;
  const headers = await until(exp);
  const listeners = await Promise.all(Array.from({ length: 200 }, () => listen(channel, { headers })));
  assert.ok(Date.now() < (exp - 1) * 1_000, "this machine is too slow for this test");
  assert.equal((await channel.stats()).subscribers, 201);
  let published = 0;
  const ends = Promise.all(listeners.map((listener) => assertEndsWith(listener, exp)));
  while (Date.now() < (exp + 1) * 1_000) {
    await channel.publish(String(published++));
    await sleep(20);
  }
  await ends;
  const lasts = listeners.map((listener) => listener.account()).map(({ last, events }) => [last, events.length]);
  for (const [last, events] of lasts) assert.deepEqual([last > 0 && last < published, events], [true, last]);
  assert.equal((await channel.stats()).subscribers, 1);
  await other.untilEvents(published);
});

test("tokens that are valid for ever, nearly, overflow no timer", { timeout: 60_000 }, async () => {
  const channel = channelOf(hub, "far");
  const day = 86_400;
  const milliseconds = [2 ** 31, 2 ** 31 + 1_000, 2 ** 32, 2 ** 32 + 1_000, 2 ** 63, 2 ** 64];
  const exps = [
    ...milliseconds.map((ms) => now() + Math.ceil(ms / 1_000)),
    ...[2 ** 31, 2 ** 32, 253_402_300_799, Number.MAX_SAFE_INTEGER, 2 ** 63, 1e18, 1e19, 1e20, 1e300],
    ...[Number.MAX_VALUE, now() + 24 * day, now() + 25 * day, now() + 50 * day],
  ];
  const listeners = [];
  for (const exp of exps) listeners.push([exp, await listen(channel, { headers: await until(exp) })]);
  // A timer that overflows fires at once.
  await sleep(2_500);
  await channel.publish("still there");
  for (const [exp, listener] of listeners) {
    await listener.untilEvents(1);
    assert.deepEqual([listener.events[0].data, listener.ended], ["still there", false], `exp ${exp}`);
    await listener.until(() => listener.comments.length > 1, `a heartbeat of exp ${exp}`);
  }
  assert.equal((await channel.stats()).subscribers, exps.length);
});

test("who comes back with last_event_id misses nothing, and gets nothing twice", { timeout: 60_000 }, async () => {
  const channel = channelOf(hub, "again");
  const total = { published: 0 };
  let open = true;
  const publishing = (async () => {
    while (open) ({ id: total.id } = await channel.publish(String(total.published++)));
  })();
  const read = async (query) => {
    let first;
    let id;
    const data = [];
    for (let round = 0; round < 4; round++) {
      // The last one stays until it has all of it.
      const exp = round < 3 ? now() + 2 : now() + 60;
      const from = id ? `&last_event_id=${id}` : "";
      const listener = await listen(channel, { headers: await until(exp), query: `?${query}${from}` });
      assert.equal(listener.status, 200);
      first ??= parseId(listener.joinedAfter).seq;
      assert.equal(listener.joinedAfter, id ?? listener.joinedAfter, "where it starts");
      if (round < 3) {
        await assertEndsWith(listener, exp);
      } else {
        open = false;
        await publishing;
        await listener.untilId(total.id);
      }
      const { events, ...told } = listener.account();
      assert.deepEqual([told.dropped, told.gap, told.unknown], [0, 0, 0]);
      data.push(...events.map((event) => event.data));
      id = listener.lastEventId;
    }
    assert.ok(data.length > 100, `only ${data.length} events`);
    assert.deepEqual(
      data,
      Array.from({ length: total.published - first }, (_, n) => String(first + n)),
    );
  };
  try {
    await Promise.all([publishing, ...["", "catch_up=1", "", "catch_up=1"].map(read)]);
  } finally {
    open = false;
  }
});

test("where no token is looked at, none ends a stream", { timeout: 30_000 }, async () => {
  for (const ACCESS of ["publish-token", "open"]) {
    const free = await startClosed({ ...SETTINGS, ACCESS });
    const channel = channelOf(free, "free");
    const exp = now() + 1;
    const listeners = [];
    for (const request of Object.values(PLACES)) {
      listeners.push(await listen(channel, request(await mint({ subscribe: ["*"], exp }))));
    }
    await sleep(2_500);
    await channel.publish("still there");
    for (const listener of listeners) {
      await listener.untilEvents(1);
      assert.ok(!listener.ended);
      assert.equal(listener.events[0].data, "still there");
    }
  }
});

// The kernel's buffers between workerd and a reader hold up to about 14 MB; each of these is well beyond.
const FLOODS = {
  "small events": { bytes: 50_000, count: 600, batch: 10, settings: {} },
  "events that are written in pieces": {
    bytes: 900_000,
    count: 36,
    batch: 2,
    settings: { BUFFER_BYTES: "4194304", MAX_BATCH_BYTES: "2097152", MAX_EVENT_BYTES: "1000000" },
  },
};

for (const [name, { bytes, count, batch, settings }] of Object.entries(FLOODS)) {
  test(`a stream that has backed up ends in time, and with whole events: ${name}`, { timeout: 120_000 }, async () => {
    const large = await startClosed({ ...SETTINGS, HISTORY_BYTES: "67108864", ...settings });
    const channel = channelOf(large, "backed-up");
    const flood = async () => {
      for (let i = 0; i < count; i += batch) {
        await channel.publishBatch(Array.from({ length: batch }, (_, n) => `${i + n} `.padEnd(bytes, "x")));
      }
    };
    const exp = now() + 10;
    const headers = await until(exp);
    const open = (query) => listen(channel, { headers, query, paused: true });
    const streams = [await open(""), await open("?catch_up=1")];
    const { epoch } = await channel.stats();
    await flood();
    streams.push(await open(`?last_event_id=${epoch}-0`), await open(`?last_event_id=${epoch}-0&catch_up=1`));
    assert.ok(Date.now() < (exp - 1) * 1_000, "this machine is too slow for this test");
    assert.equal((await channel.stats()).subscribers, 4);
    await sleep(exp * 1_000 - Date.now());
    await eventually(async () => (await channel.stats()).subscribers === 0, WITHIN_MS, "all of them have ended");
    const { id } = await channel.publish("too late");
    for (const [i, stream] of streams.entries()) {
      stream.resume();
      await stream.until(() => stream.ended, `the end of stream ${i}`);
      const before = assertExpired(stream);
      assert.ok(before.last <= count, "it got an event from after its time");
      for (const { data } of before.events) assert.equal(data.length, bytes, `an event of stream ${i}`);
      assert.equal(before.events.length + before.dropped, before.last);
      if (i > 0) assert.equal(before.dropped, 0);

      const query = `?last_event_id=${stream.lastEventId}`;
      const next = await listen(channel, { headers: await until(now() + 60), query });
      assert.equal(next.joinedAfter, stream.lastEventId);
      await next.untilId(id);
      const { events, ...told } = next.account();
      assert.deepEqual(told, { dropped: 0, gap: 0, unknown: 0, last: count + 1 });
      assert.equal(before.last + events.length, count + 1);
      next.leave();
    }
  });
}
