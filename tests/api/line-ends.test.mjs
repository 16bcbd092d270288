// Every JSON body ends with one line end, so that a terminal shows its prompt on a line of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ LOG_LEVEL: "error", MAX_SUBSCRIBERS: "1" });
const path = "/channels/foo";
const post = { method: "POST", body: "x", headers: { "Idempotency-Key": "a" } };

for (const [name, status, request, init] of /** @type {[string, number, string, RequestInit?][]} */ ([
  ["a receipt", 200, `${path}/broadcast`, post],
  ["a repeated receipt", 200, `${path}/broadcast`, post],
  ["the receipt of an end", 200, `${path}/end`, { method: "POST" }],
  ["a page of the history", 200, `${path}/events`],
  ["the counters", 200, `${path}/stats`],
  ["the receipt of a DELETE", 200, path, { method: "DELETE" }],
  ["a problem of the path", 400, "/channels/%2F"],
  ["a problem of the query", 400, `${path}?history=x`],
  ["a problem of a body", 415, `${path}/broadcast`, { ...post, headers: { "Content-Encoding": "gzip" } }],
  ["a problem of a method", 405, path, { method: "POST" }],
])) {
  test(`${name} (${status}) is one line with a line end`, async () => {
    const response = await fetch(hub.origin + request, init);
    const text = await response.text();
    assert.equal(response.status, status, text);
    assert.match(response.headers.get("content-type") ?? "", /^application\/(problem\+)?json$/);
    assert.match(text, /^\{[^\n]+\}\n$/);
    JSON.parse(text);
  });
}

test("a problem of the object is one line with a line end, and one line of a stream", async () => {
  const open = await fetch(`${hub.origin}/channels/full`);
  const refused = await fetch(`${hub.origin}/channels/full`);
  assert.equal(refused.status, 503);
  assert.match(await refused.text(), /^\{[^\n]+\}\n$/);
  const stream = await fetch(`${hub.origin}/channels/full`, { headers: { Accept: "text/event-stream" } });
  assert.equal(stream.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.match(await stream.text(), /^retry: \d+\nevent: hub\.error\ndata: \{[^\n]+\}\n\n$/);
  await open.body?.cancel();
});
