// The places of a request that say where a stream starts, and which of several counts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/subscriber.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ LOG_LEVEL: "error" });
const channel = hub.channel("foo");
/** @type {string[]} the ids of the events 1 to 5, by their data; the first is unused */
const ids = [""];
for (let n = 1; n <= 5; n++) ids.push((await channel.publish(String(n))).id);

/**
 * Opens a stream, publishes one more event, and checks that the stream has all events after the one with the data
 * `expected`, and no notice. In `query` and `header`, `{n}` stands for the id of event n.
 * @param {string} query
 * @param {number} expected
 * @param {string} [header]
 */
async function assertStartsAfter(query, expected, header) {
  const withIds = (/** @type {string} */ text) => text.replace(/\{(\d)\}/g, (_, n) => ids[Number(n)]);
  const headers = header === undefined ? undefined : { "Last-Event-ID": withIds(header) };
  const stream = await subscribe(channel, { query: withIds(query), headers });
  const { id } = await channel.publish(String(ids.length));
  ids.push(id);
  await stream.until(() => stream.events.some((event) => event.id === id), `the newest event with ${query}`);
  const wanted = ids.map((_, n) => String(n)).slice(expected + 1);
  const found = stream.events.filter(({ event }) => event === undefined).map(({ data }) => data);
  assert.deepEqual(found, wanted, `${query} ${header}`);
  assert.ok(!stream.text.includes("hub.gap"), query);
  stream.close();
}

test("a stream resumes after the id that a library has appended to the URL", async () => {
  for (const name of ["lastEventId", "lastEventID"]) {
    await assertStartsAfter(`?${name}={2}`, 2);
    await assertStartsAfter(`?last_event_id={1}&${name}={3}`, 3);
    await assertStartsAfter(`?${name}={3}&last_event_id={1}`, 3);
    await assertStartsAfter(`?history=1&${name}={2}`, 2);
    await assertStartsAfter(`?${name}={1}&${name}={4}`, 4);
    await assertStartsAfter(`?last_event_id={2}&${name}=`, 2);
  }
  await assertStartsAfter("?lastEventId={1}&lastEventID={4}", 4);
  await assertStartsAfter("?lastEventID={1}&lastEventId={4}", 4);
  await assertStartsAfter("?last_event_id={1}&last_event_id={4}", 4);
});

test("the header Last-Event-ID wins over every id in the query unless it is empty", async () => {
  await assertStartsAfter("?last_event_id={1}&lastEventId={2}&lastEventID={3}&history=9", 4, "{4}");
  await assertStartsAfter("?last_event_id={1}&lastEventId={2}", 2, "");
});

test("an id in the query that the hub never gave starts the stream with hub.gap", async () => {
  for (const name of ["lastEventId", "lastEventID", "last_event_id"]) {
    const stream = await subscribe(channel, { query: `?${name}=17` });
    await stream.until(() => stream.events.some(({ event }) => event === "hub.gap"), `hub.gap with ${name}`);
    await stream.until(() => stream.events.some(({ id }) => id === ids.at(-1)), `all events with ${name}`);
    stream.close();
  }
});

test("an empty parameter counts as if it was not given", async () => {
  const newest = () => ids.length - 1;
  const queries = [
    "?history=",
    "?history",
    "?catch_up=",
    "?last_event_id=&lastEventId=&lastEventID=&history=&catch_up=",
  ];
  for (const query of queries) await assertStartsAfter(query, newest());
  await assertStartsAfter("?last_event_id=&history=2", newest() - 2);
  const page = await channel.history("?after=&limit=");
  assert.deepEqual(page, await channel.history());
  assert.equal((await fetch(`${channel.url}/events?limit=1&limit=`)).status, 400, "a parameter is given once");
});
