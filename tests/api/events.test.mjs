// GET /channels/{id}/events: the history as JSON, page by page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseId, subscribe } from "../support/subscriber.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ LOG_LEVEL: "error" });
const short = await startWorkerd({ HISTORY_EVENTS: "10", LOG_LEVEL: "error" });

const numbers = (first, last) => Array.from({ length: last - first + 1 }, (_, n) => String(first + n));
const dataOf = (page) => page.events.map((event) => event.data);

/** Follows `next` from `after` until a page is empty. Returns the other pages, and the last `next`. */
async function pagesOf(channel, limit, after) {
  const pages = [];
  for (;;) {
    const page = await channel.history(`?limit=${limit}${after === undefined ? "" : `&after=${after}`}`);
    if (page.events.length === 0) return { pages, next: page.next };
    pages.push(page);
    after = page.next;
  }
}

test("a page of the history has its events, the gap and the next id, and HEAD has no body", async () => {
  const channel = hub.channel("form");
  const first = await channel.publish("foo=bar");
  const second = await channel.publish("7:3", { query: "?event=score" });
  const response = await fetch(`${channel.url}/events`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  const text = await response.text();
  const events = [
    { id: first.id, event: "message", data: "foo=bar" },
    { id: second.id, event: "score", data: "7:3" },
  ];
  assert.equal(text, `${JSON.stringify({ events, gap: null, next: second.id, ended: false })}\n`);
  const head = await fetch(`${channel.url}/events`, { method: "HEAD" });
  assert.deepEqual([head.status, await head.text()], [200, ""]);
});

test("the next id of a page leads through the whole history and then to new events", async () => {
  const channel = hub.channel("pages");
  const { id } = await channel.publishBatch(numbers(1, 25));
  const { epoch } = parseId(id);
  const { pages, next } = await pagesOf(channel, 10);
  assert.deepEqual(pages.map(dataOf), [numbers(1, 10), numbers(11, 20), numbers(21, 25)]);
  assert.deepEqual(
    pages.map((page) => page.next),
    [`${epoch}-10`, `${epoch}-20`, id],
  );
  assert.ok(pages.every((page) => page.gap === null));
  assert.equal(next, id, "without new events, next stays the same");
  await channel.publish("26");
  assert.deepEqual(dataOf(await channel.history(`?after=${next}`)), ["26"]);
  assert.deepEqual(dataOf(await channel.history(`?after=${epoch}-24`)), ["25", "26"]);
  assert.deepEqual(dataOf(await channel.history(`?after=${epoch}-0&limit=1`)), ["1"]);
});

test("a page of the history has 100 events unless limit has another number", async () => {
  const channel = hub.channel("limit");
  for (let i = 0; i < 6; i++) await channel.publishBatch(numbers(1 + i * 200, (i + 1) * 200));
  // The history retains 1,000 of the 1,200 events.
  assert.deepEqual(dataOf(await channel.history()), numbers(201, 300));
  assert.deepEqual(dataOf(await channel.history("?limit=1000")), numbers(201, 1200));
  assert.deepEqual(dataOf(await channel.history("?limit=250")), numbers(201, 450));
});

test("an unused channel has an empty page, whose next id leads to the first event", async () => {
  const channel = hub.channel("empty");
  const page = await channel.history();
  assert.deepEqual(page, { events: [], gap: null, next: page.next, ended: false });
  await channel.publish("1");
  const next = await channel.history(`?after=${page.next}`);
  assert.deepEqual([dataOf(next), next.gap], [["1"], null]);
});

test("a page reports the exact range of events that the history no longer has", async () => {
  const channel = short.channel("gap");
  const { epoch } = parseId((await channel.publishBatch(numbers(1, 25))).id);
  const page = await channel.history(`?after=${epoch}-3&limit=4`);
  assert.deepEqual(page.gap, { count: 12, from: `${epoch}-4`, to: `${epoch}-15` });
  assert.deepEqual([dataOf(page), page.next], [numbers(16, 19), `${epoch}-19`]);
  assert.equal((await channel.history(`?after=${page.next}`)).gap, null);
  const edge = await channel.history(`?after=${epoch}-15`);
  assert.deepEqual([edge.gap, dataOf(edge)], [null, numbers(16, 25)]);
  const oldest = await channel.history();
  assert.deepEqual([oldest.gap, dataOf(oldest)], [null, numbers(16, 25)]);
});

test("after an unknown id a page has all retained events and a gap of unknown size", async () => {
  const channel = short.channel("unknown");
  const { id } = await channel.publishBatch(numbers(1, 25));
  const { epoch } = parseId(id);
  const gap = { count: null, from: null, to: `${epoch}-15` };
  const malformed = ["garbage", `${epoch}-`, "%00%0a", "%ff", `${epoch}-${"9".repeat(4_000)}`];
  for (const after of [...malformed, "1600000000000-3", "9999999999999-3", `${epoch}-26`]) {
    const page = await channel.history(`?after=${after}`);
    assert.deepEqual([page.gap, dataOf(page), page.next], [gap, numbers(16, 25), id], after);
  }
  const empty = await short.channel("unknown-empty").history("?after=garbage&limit=1");
  assert.deepEqual(empty, {
    events: [],
    gap: { count: null, from: null, to: empty.next },
    next: empty.next,
    ended: false,
  });
});

test("a page has every payload and type exactly as a stream delivers them", async () => {
  const channel = hub.channel("payloads");
  const witness = await subscribe(channel);
  const payloads = [
    "",
    " leading space",
    "a\nb\r\nc\rd",
    "\n\n\r\r\n\n",
    "data: x\n\nid: 99\nevent: hub.end\nretry: 1\n\n",
    'nul \0 quote " slash \\ </script> control \u0001 \u007f',
    "🎉 ünï ∑ \u2028 \u2029 \u0085 \ufeff",
    "\n".repeat(65536),
    "\u0001".repeat(65536),
  ];
  for (const payload of payloads) await channel.publish(payload);
  for (const type of ["score", 'a "b" \\ c', "message", "🎉: x"]) {
    await channel.publish("typed", { query: `?event=${encodeURIComponent(type)}` });
  }
  await witness.untilEvents(payloads.length + 4);
  const { pages } = await pagesOf(channel, 1000);
  const events = pages.flatMap((page) => page.events);
  assert.deepEqual(
    events,
    witness.events.map(({ id, event, data }) => ({ id, event: event ?? "message", data })),
  );
});

test("a page of large events ends early, and only the last page is empty", async () => {
  const channel = hub.channel("large");
  const large = (n) => `${n} `.padEnd(60_000, "x");
  for (let n = 0; n < 60; n++) await channel.publish(large(n));
  const { pages } = await pagesOf(channel, 1000);
  assert.deepEqual(
    pages.flatMap(dataOf),
    Array.from({ length: 60 }, (_, n) => large(n)),
  );
  for (const page of pages) {
    const bytes = JSON.stringify(page).length;
    assert.ok(bytes < 2 * 65_536, `a page has ${bytes} bytes`);
  }
});

test("a page ends at about BUFFER_BYTES and still has events of nearly that size", async () => {
  const narrow = await startWorkerd({ BUFFER_BYTES: "1024", LOG_LEVEL: "error" });
  const channel = narrow.channel("narrow");
  const data = ["a", "b", "c", "d"].map((letter) => letter.repeat(900));
  for (const payload of data) await channel.publish(payload);
  const { pages } = await pagesOf(channel, 1000);
  assert.deepEqual(pages.flatMap(dataOf), data);
  assert.ok(
    pages.every((page) => page.events.length <= 2),
    "a page has about BUFFER_BYTES",
  );
});

test("pages that are read during publishes have every event once, or report it in a gap", {
  timeout: 60_000,
}, async () => {
  const channel = hub.channel("busy");
  let open = true;
  let published = 0;
  const publishers = Array.from({ length: 4 }, async () => {
    while (open) {
      const { events } = await channel.publishBatch(numbers(1, 20));
      published += events;
    }
  });
  let { next: after } = await channel.history("?limit=1");
  let { seq } = parseId(after);
  const read = async () => {
    const page = await channel.history(`?after=${after}&limit=30`);
    if (page.gap) {
      assert.deepEqual([page.gap.count, parseId(page.gap.from).seq], [parseId(page.gap.to).seq - seq, seq + 1]);
      seq = parseId(page.gap.to).seq;
    }
    for (const { id } of page.events) assert.equal(parseId(id).seq, ++seq);
    assert.equal(parseId(page.next).seq, seq);
    after = page.next;
    return page.events.length;
  };
  for (let i = 0; i < 100; i++) await read();
  open = false;
  await Promise.all(publishers);
  while (await read());
  assert.equal(seq, published);
});
