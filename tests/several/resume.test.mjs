// A client that resumes a stream of several channels gets the events that it has missed, and notices of those that are
// not stored any more.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cases } from "../support/cases.mjs";
import { parseCombinedId, resumeSeveral, subscribeToSeveral } from "../support/several.mjs";
import { parseId, resume } from "../support/subscriber.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const QUIET = { LOG_LEVEL: "error" };
const hub = await startWorkerd(QUIET);
const short = await startWorkerd({ ...QUIET, HISTORY_EVENTS: "10" });

/** Publishes `data` to each of these channels. Returns the ids of the events, by channel. */
async function publishTo(to, ids, data) {
  const entries = [];
  for (const id of ids) entries.push([id, (await to.channel(id).publish(`${id} ${data}`)).id]);
  return Object.fromEntries(entries);
}

/**
 * Opens a stream of the channels, has it receive an event of each, and closes it. Then publishes another event to each.
 * Returns the id that a client would resume with.
 */
async function leaveEarly(to, ids) {
  const stream = await subscribeToSeveral(to, ids);
  await stream.untilIds(await publishTo(to, ids, "seen"));
  stream.close();
  await publishTo(to, ids, "missed");
  return stream.lastEventId;
}

/** Publishes to each channel of `stream`, waits for these events, and returns the data of all events by channel. */
async function receiveAll(to, stream, ids) {
  await stream.untilIds(await publishTo(to, ids, "live"));
  return stream.complete();
}

/** A query with an id, which comes before `history`. */
const queryOf = (name, id) => `?history=1&${name}=${encodeURIComponent(id)}`;

/** What a stream gets that has resumed after the event "seen". */
const missedAndLive = (ids) => Object.fromEntries(ids.map((id) => [id, [`${id} missed`, `${id} live`]]));

for (const [place, open] of cases([
  ["the header Last-Event-ID", (ids, id) => resumeSeveral(hub, ids, id)],
  ["the query last_event_id", (ids, id) => subscribeToSeveral(hub, ids, { query: queryOf("last_event_id", id) })],
  ["the query lastEventId", (ids, id) => subscribeToSeveral(hub, ids, { query: queryOf("lastEventId", id) })],
  ["the query lastEventID", (ids, id) => subscribeToSeveral(hub, ids, { query: queryOf("lastEventID", id) })],
  [
    "the query last_event_id without percent-encoding",
    (ids, id) => subscribeToSeveral(hub, ids, { query: `?last_event_id=${id}` }),
  ],
])) {
  test(`a stream of three channels resumes each of them exactly with its last id in ${place}`, async () => {
    const ids = ["a", "b", "c"].map((name) => `place-${place.replaceAll(/\W/g, "-")}-${name}`);
    const id = await leaveEarly(hub, ids);
    const stream = await open(ids, id);
    assert.deepEqual(await receiveAll(hub, stream, ids), missedAndLive(ids));
  });
}

test("every id of a stream of several channels, also that of hub.open, resumes each channel at the position of the stream", {
  timeout: 60_000,
}, async () => {
  const ids = ["every-a", "every-b", "every-c"];
  const stream = await subscribeToSeveral(hub, ids);
  let last;
  for (const round of [1, 2]) last = await publishTo(hub, ids, round);
  await stream.untilIds(last);
  const all = stream.events;
  for (const [n, { id }] of all.entries()) {
    const late = await resumeSeveral(hub, ids, id);
    await late.untilIds(last);
    // The stream has passed on these events at this id.
    const passed = all.slice(0, n + 1).filter(({ event }) => event === undefined);
    const received = late.complete();
    for (const channel of ids) {
      const before = passed.filter((event) => parseCombinedId(event.id).channel === channel).length;
      assert.deepEqual(received[channel], [`${channel} 1`, `${channel} 2`].slice(before), `${channel} after ${id}`);
    }
    late.close();
  }
});

test("a channel that is new in the list starts live, one that has left is forgotten, and the order does not matter", async () => {
  const ids = ["list-a", "list-b", "list-c"];
  const id = await leaveEarly(hub, ids);
  await hub.channel("list-new").publish("before");
  const changed = ["list-new", "list-c", "list-a"];
  const stream = await resumeSeveral(hub, changed, id);
  assert.deepEqual(await receiveAll(hub, stream, changed), {
    ...missedAndLive(["list-c", "list-a"]),
    "list-new": ["list-new live"],
  });
  // A channel that has left and comes back is new.
  await hub.channel("list-b").publish("between");
  stream.close();
  const again = await resumeSeveral(hub, ids, stream.lastEventId);
  assert.deepEqual(await receiveAll(hub, again, ids), Object.fromEntries(ids.map((name) => [name, [`${name} live`]])));
});

test("a client goes from several channels to one with a combined id, and misses nothing", async () => {
  const ids = ["fewer-a", "fewer-b"];
  const id = await leaveEarly(hub, ids);
  const one = await resume(hub.channel("fewer-b"), id);
  const { id: last } = await hub.channel("fewer-b").publish("live");
  await one.untilId(last);
  const { events, gap, unknown } = one.account();
  assert.deepEqual([events.map(({ data }) => data), gap, unknown], [["fewer-b missed", "live"], 0, 0]);
});

test("a client goes from one channel to several with a plain id: that channel continues, and others report a gap", async () => {
  const { id } = await hub.channel("more-a").publish("seen");
  const ids = ["more-a", "more-b"];
  await publishTo(hub, ids, "missed");
  const stream = await resumeSeveral(hub, ids, id);
  await stream.untilIds(await publishTo(hub, ids, "live"));
  const [known, other] = ids.map((name) => stream.part(name).account());
  assert.deepEqual([known.events.length, known.gap, known.unknown], [2, 0, 0]);
  // The id does not say that the channel is new, so the client may have missed events.
  assert.deepEqual([other.events.length, other.unknown], [2, 1]);
});

test("a combined id of a list without the channel of a stream starts that stream live", async () => {
  const id = await leaveEarly(hub, ["none-a", "none-b"]);
  await hub.channel("none-c").publish("before");
  const one = await resume(hub.channel("none-c"), id);
  const last = await hub.channel("none-c").publish("live");
  await one.untilId(last.id);
  assert.deepEqual(
    one.account().events.map(({ data }) => data),
    ["live"],
  );
});

test("a channel that was deleted and published to again reports a gap, and the others resume exactly", async () => {
  const ids = ["deleted-a", "deleted-b", "deleted-c"];
  const id = await leaveEarly(hub, ids);
  await hub.channel("deleted-b").delete();
  await hub.channel("deleted-b").publish("new epoch");
  const stream = await resumeSeveral(hub, ids, id);
  await stream.untilIds(await publishTo(hub, ids, "live"));
  const accounts = stream.accounts();
  assert.equal(accounts.get("deleted-b").unknown, 1);
  const received = Object.fromEntries(
    [...accounts].map(([name, { events }]) => [name, events.map(({ data }) => data)]),
  );
  assert.deepEqual(received, { ...missedAndLive(ids), "deleted-b": ["new epoch", "deleted-b live"] });
  for (const name of ["deleted-a", "deleted-c"]) assert.equal(accounts.get(name).unknown, 0);
});

test("a gap reports the exact range of each channel of which events are gone", async () => {
  const ids = ["gap-a", "gap-b"];
  const id = await leaveEarly(short, ids);
  for (let n = 0; n < 14; n++) await short.channel("gap-a").publish(String(n));
  const stream = await resumeSeveral(short, ids, id);
  await stream.untilIds(await publishTo(short, ids, "live"));
  const [gone, kept] = ids.map((name) => stream.part(name).account());
  // Events 2 to 6 are gone: event 16 is the newest one, and ten are kept.
  assert.deepEqual([gone.gap, gone.events.length, kept.gap, kept.events.length], [5, 11, 0, 2]);
  const { epoch } = parseId(stream.part("gap-a").startId);
  const data = { channel: "gap-a", count: 5, from: `${epoch}-2`, to: `${epoch}-6` };
  const notice = stream.events.find(({ event }) => event === "hub.gap");
  assert.deepEqual(JSON.parse(notice.data), data);
  assert.equal(parseCombinedId(notice.id).id, data.to);
});

test("a damaged id reports a gap of unknown size in every channel, and loses nothing without a notice", {
  timeout: 60_000,
}, async () => {
  const ids = ["damaged-a", "damaged-b"];
  const id = await leaveEarly(hub, ids);
  const { channel, id: plain, positions } = parseCombinedId(id);
  const other = (character) => (character === "A" ? "B" : "A");
  const replaced = [...positions].map(
    (character, n) => `${channel}/${plain};${positions.slice(0, n)}${other(character)}${positions.slice(n + 1)}`,
  );
  const damaged = [
    ...replaced.filter((_, n) => n % 5 === 0 || n + 1 === positions.length),
    id.slice(0, -1),
    `${id}A`,
    id.toLowerCase(),
    id.replace(";", ","),
    id.split(";")[0],
    `${id.split(";")[0]};`,
    id.replace(/^[^/]+/, "damaged-b,x"),
    id.replace(plain, plain.replace(/-\d+$/, "-99")),
    id.slice(id.indexOf("/")),
    "garbage",
    `${id};${positions}`,
  ];
  for (const text of damaged) {
    const stream = await resumeSeveral(hub, ids, text);
    await stream.until(() => ids.every((name) => stream.part(name).events.length === 3), `3 events after ${text}`);
    for (const name of ids) {
      const { events, unknown } = stream.part(name).account();
      assert.deepEqual([events.map(({ data }) => data), unknown], [[`${name} seen`, `${name} missed`], 1], text);
    }
    stream.close();
  }
});
