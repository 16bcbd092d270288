// Compares the notices, log lines and configurations that the documentation shows with those of the hub.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeRoom } from "../../cli/serve/open-files.mjs";
import { explainEnd } from "../../cli/serve/supervisor.mjs";
import { namedBlock } from "../support/markdown.mjs";
import { read } from "../support/sources.mjs";
import { EPOCH, parseId, resume, subscribe } from "../support/subscriber.mjs";
import { authorized, bearer, mint, SECRET } from "../support/tokens.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

/** Replaces the epoch in a block by that of a real id. */
const withEpoch = (block, id) => block.replace(new RegExp(`${EPOCH}(?=-\\d)`, "g"), parseId(id).epoch);

test("the hub.gap notice of docs/delivery.md is sent for events 8 to 19 that are gone", {
  timeout: 30_000,
}, async () => {
  const limits = { HISTORY_EVENTS: "5", BUFFER_EVENTS: "5" };
  const hub = await startWorkerd(limits);
  const channel = hub.channel("foo");
  let id = "";
  for (let n = 1; n <= 24; n++) ({ id } = await channel.publish(String(n)));
  await hub.restart(limits);
  const stream = await resume(channel, id.replace(/\d+$/, "7"));
  await stream.untilEvents(6);
  assert.ok(stream.text.includes(`\n\n${withEpoch(namedBlock("gap notice"), id)}\n`), stream.text);
  stream.close();
});

test("the hub.expired notice of docs/access.md ends a stream after event 4", { timeout: 30_000 }, async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
  const channel = authorized(hub.channel("foo"), await mint());
  let id = "";
  for (let n = 1; n <= 4; n++) ({ id } = await channel.publish(String(n)));
  const token = await mint({ subscribe: ["foo"], exp: Math.floor(Date.now() / 1_000) + 5 });
  const stream = await subscribe(channel, { headers: bearer(token) });
  await stream.until(() => stream.ended, "the end of the stream");
  assert.ok(stream.text.endsWith(`\n\n${withEpoch(namedBlock("expired notice"), id)}\n`), stream.text);
});

test("the log lines of docs/self-hosting.md are those that the hub writes", () => {
  assert.equal(namedBlock("open files"), `sse-broadcaster: ${describeRoom(65_536)}\n`);
  const ended = `workerd ended by itself (status 1): ${explainEnd("status 1", "Too many open files")}`;
  const lines = [`${ended}. Starting it again at once`, "serving again"];
  assert.equal(namedBlock("workerd ends by itself"), lines.map((line) => `sse-broadcaster: ${line}\n`).join(""));
});

test("the files of examples/proxies open fewer connections to the hub than it allows", () => {
  const connections = Number(namedBlock("open files").match(/enough for (\d+)/)?.[1]);
  const limits = { "nginx.conf": /max_conns=(\d+)/g, "haproxy.cfg": /server hub .* maxconn (\d+)/g };
  for (const [file, limit] of Object.entries({ ...limits, "varnish.vcl": /\.max_connections = (\d+)/g })) {
    const found = [...read(`examples/proxies/${file}`).matchAll(limit)].map(([, number]) => Number(number));
    const allowed = found.reduce((sum, number) => sum + number, 0);
    assert.ok(allowed > 0 && allowed < connections, file);
  }
});
