// A stream ends when its token expires, with the notice hub.expired, and the client can resume it with a new token.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { subscribeToSeveral } from "../support/several.mjs";
import { parseId, subscribe } from "../support/subscriber.mjs";
import { authorized, bearer, mint, now, PLACES, SECRET } from "../support/tokens.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startTokenHub } from "../support/workerd.mjs";

const SETTINGS = { JWT_SECRET: SECRET };
/** The documented bound. */
const WITHIN_MS = 1_000;

const hub = await startTokenHub({ ...SETTINGS, HEARTBEAT_SECONDS: "1", HISTORY_EVENTS: "100000" });
const publisher = await mint({ publish: ["*"], exp: now() + 3_600 });

/** Returns a channel of `hub` whose requests carry a publisher's token. */
const channelOf = (hub, id) => authorized(hub.channel(id), publisher);

/** Returns the header with a subscriber's token that expires at `exp`. */
const until = async (exp) => bearer(await mint({ subscribe: ["*"], exp }));

/** Waits for the end of a stream, and checks that it came within a second after `exp`. */
async function assertEndsWith(subscriber, exp) {
  await subscriber.untilEnded();
  assertInTime(exp);
  assertExpired(subscriber);
}

/** Checks that a token that expires at `exp` has expired less than a second ago. */
function assertInTime(exp) {
  const late = Date.now() - exp * 1_000;
  assert.ok(late >= 0 && late < WITHIN_MS, `it ended ${late} ms after its token`);
}

/** Checks that a stream has ended completely and with hub.expired. Returns what `account` returns. */
function assertExpired(subscriber) {
  assert.ok(subscriber.response.complete, "the connection was cut");
  const { id } = subscriber.events.at(-1);
  const notice = `event: hub.expired\ndata: {"channel":"${subscriber.channelId}","id":"${id}"}\nid: ${id}\n\n`;
  assert.ok(subscriber.text.endsWith(notice), subscriber.text.slice(-200));
  return subscriber.account();
}

describe("streams that expire", { concurrency: true }, () => {
  for (const [place, request] of Object.entries(PLACES)) {
    test(`a stream with its token in the ${place} ends within a second after exp`, async () => {
      const channel = channelOf(hub, `simple-${place}`);
      const exp = now() + 3;
      const subscriber = await subscribe(channel, request(await mint({ subscribe: [channel.id], exp })));
      const quiet = await subscribe(hub.channel(`quiet-${place}`), { headers: await until(exp) });
      const other = await subscribe(channel, { headers: await until(exp + 60) });
      await channel.publish("one");
      const { id } = await channel.publish("two");
      await Promise.all([assertEndsWith(subscriber, exp), assertEndsWith(quiet, exp)]);
      assert.deepEqual(
        subscriber.events.map(({ event, data }) => event ?? data),
        ["one", "two", "hub.expired"],
      );
      assert.equal(subscriber.lastEventId, id);
      assert.equal(quiet.lastEventId, quiet.startId);
      assert.equal((await channel.stats()).subscribers, 1);
      await channel.publish("three");
      await other.untilEvents(3);
      assert.ok(!other.ended);
    });
  }

  test("a stream of several channels ends within a second after exp", async () => {
    const exp = now() + 3;
    const stream = await subscribeToSeveral(hub, ["several-a", "several-b"], { headers: await until(exp) });
    await stream.untilEnded();
    assertInTime(exp);
    assert.ok(stream.response.complete, "the connection was cut");
  });

  test("a stream ends in time if exp has a fraction of a second", async () => {
    const exp = Date.now() / 1_000 + 2.5;
    const subscriber = await subscribe(hub.channel("fraction"), { headers: await until(exp) });
    await assertEndsWith(subscriber, exp);
  });

  test("an exp far in the future overflows no timer and does not end the stream", { timeout: 60_000 }, async () => {
    const channel = channelOf(hub, "far");
    const day = 86_400;
    const milliseconds = [2 ** 31, 2 ** 31 + 1_000, 2 ** 32, 2 ** 32 + 1_000, 2 ** 63, 2 ** 64];
    const exps = [
      ...milliseconds.map((ms) => now() + Math.ceil(ms / 1_000)),
      ...[2 ** 31, 2 ** 32, 253_402_300_799, Number.MAX_SAFE_INTEGER, 2 ** 63, 1e18, 1e19, 1e20, 1e300],
      ...[Number.MAX_VALUE, now() + 24 * day, now() + 25 * day, now() + 50 * day],
    ];
    const subscribers = [];
    for (const exp of exps) subscribers.push([exp, await subscribe(channel, { headers: await until(exp) })]);
    // A timer that overflows fires at once.
    await sleep(2_500);
    await channel.publish("still there");
    for (const [exp, subscriber] of subscribers) {
      await subscriber.untilEvents(1);
      assert.deepEqual([subscriber.events[0].data, subscriber.ended], ["still there", false], `exp ${exp}`);
      await subscriber.until(() => subscriber.comments.length > 1, `a heartbeat of exp ${exp}`);
    }
    assert.equal((await channel.stats()).subscribers, exps.length);
  });

  test("a client that resumes with a new token misses no event and receives none twice", {
    timeout: 60_000,
  }, async () => {
    const channel = channelOf(hub, "again");
    const total = { published: 0, id: "" };
    let open = true;
    const publishing = (async () => {
      while (open) ({ id: total.id } = await channel.publish(String(total.published++)));
    })();
    const read = async (query) => {
      let first;
      let id;
      const data = [];
      for (let round = 0; round < 4; round++) {
        // The last stream stays open until all events are there.
        const exp = round < 3 ? now() + 2 : now() + 60;
        const from = id ? `&last_event_id=${id}` : "";
        const subscriber = await subscribe(channel, { headers: await until(exp), query: `?${query}${from}` });
        assert.equal(subscriber.status, 200);
        first ??= parseId(subscriber.startId).seq;
        assert.equal(subscriber.startId, id ?? subscriber.startId);
        if (round < 3) {
          await assertEndsWith(subscriber, exp);
        } else {
          open = false;
          await publishing;
          await subscriber.untilId(total.id);
        }
        const { events, ...missing } = subscriber.account();
        assert.deepEqual([missing.dropped, missing.gap, missing.unknown], [0, 0, 0]);
        data.push(...events.map((event) => event.data));
        id = subscriber.lastEventId;
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

  test("the exp of a token does not end a stream that needs no token", { timeout: 30_000 }, async () => {
    for (const ACCESS of ["publish-token", "open"]) {
      const free = await startTokenHub({ ...SETTINGS, ACCESS });
      const channel = channelOf(free, "free");
      const exp = now() + 1;
      const subscribers = [];
      for (const request of Object.values(PLACES)) {
        subscribers.push(await subscribe(channel, request(await mint({ subscribe: ["*"], exp }))));
      }
      await sleep(2_500);
      await channel.publish("still there");
      for (const subscriber of subscribers) {
        await subscriber.untilEvents(1);
        assert.ok(!subscriber.ended);
        assert.equal(subscriber.events[0].data, "still there");
      }
    }
  });
});

test("200 streams whose tokens expire at once end in time while events are published", {
  timeout: 60_000,
}, async () => {
  const channel = channelOf(hub, "crowd");
  const other = await subscribe(channel, { headers: await until(now() + 60) });
  const exp = now() + 5;
  const headers = await until(exp);
  const subscribers = await Promise.all(Array.from({ length: 200 }, () => subscribe(channel, { headers })));
  assert.ok(Date.now() < (exp - 1) * 1_000, "this machine is too slow for this test");
  assert.equal((await channel.stats()).subscribers, 201);
  let published = 0;
  const ends = Promise.all(subscribers.map((subscriber) => assertEndsWith(subscriber, exp)));
  while (Date.now() < (exp + 1) * 1_000) {
    await channel.publish(String(published++));
    await sleep(20);
  }
  await ends;
  const lasts = subscribers.map((subscriber) => subscriber.account()).map(({ last, events }) => [last, events.length]);
  for (const [last, events] of lasts) assert.deepEqual([last > 0 && last < published, events], [true, last]);
  assert.equal((await channel.stats()).subscribers, 1);
  await other.untilEvents(published);
});

// The buffers of the kernel between workerd and a client hold up to about 14 MB. Each of these floods is much larger.
const FLOODS = {
  "small events": { bytes: 50_000, count: 600, batch: 10, settings: {} },
  "events larger than a chunk": {
    bytes: 900_000,
    count: 36,
    batch: 2,
    settings: { BUFFER_BYTES: "4194304", MAX_BATCH_BYTES: "2097152", MAX_EVENT_BYTES: "1000000" },
  },
};

describe("streams that have backed up", { concurrency: true }, () => {
  for (const [name, { bytes, count, batch, settings }] of Object.entries(FLOODS)) {
    test(`a stream that has backed up ends in time and after a whole event (${name})`, {
      timeout: 120_000,
    }, async () => {
      const large = await startTokenHub({ ...SETTINGS, HISTORY_BYTES: "67108864", ...settings });
      const channel = channelOf(large, "backed-up");
      const flood = async () => {
        for (let i = 0; i < count; i += batch) {
          await channel.publishBatch(Array.from({ length: batch }, (_, n) => `${i + n} `.padEnd(bytes, "x")));
        }
      };
      const exp = now() + 12;
      const headers = await until(exp);
      const open = (query) => subscribe(channel, { headers, query, paused: true });
      const streams = [await open(""), await open("?catch_up=1")];
      const { epoch } = await channel.stats();
      await flood();
      streams.push(await open(`?last_event_id=${epoch}-0`), await open(`?last_event_id=${epoch}-0&catch_up=1`));
      assert.ok(Date.now() < (exp - 1) * 1_000, "this machine is too slow for this test");
      assert.equal((await channel.stats()).subscribers, 4);
      await sleep(exp * 1_000 - Date.now());
      await eventually(async () => (await channel.stats()).subscribers === 0, WITHIN_MS, "all streams have ended");
      const { id } = await channel.publish("too late");
      for (const [i, stream] of streams.entries()) {
        stream.unpause();
        await stream.until(() => stream.ended, `the end of stream ${i}`);
        const before = assertExpired(stream);
        assert.ok(before.last <= count, "the stream has an event that was published after its end");
        for (const { data } of before.events) assert.equal(data.length, bytes, `an event of stream ${i}`);
        assert.equal(before.events.length + before.dropped, before.last);
        if (i > 0) assert.equal(before.dropped, 0);

        const query = `?last_event_id=${stream.lastEventId}`;
        const next = await subscribe(channel, { headers: await until(now() + 60), query });
        assert.equal(next.startId, stream.lastEventId);
        await next.untilId(id);
        const { events, ...missing } = next.account();
        assert.deepEqual(missing, { dropped: 0, gap: 0, unknown: 0, last: count + 1 });
        assert.equal(before.last + events.length, count + 1);
        next.close();
      }
    });
  }
});
