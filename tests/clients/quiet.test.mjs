// Clients of other projects on a channel that is quiet for 30 seconds, with a heartbeat every second.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import { IN_NODE, IN_PAGES, subscribeInPage, subscribeInPython } from "../support/clients.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const QUIET_SECONDS = 30;
const IN_PYTHON = ["httpx-sse", "sseclient", "sseclient-py", "aiosseclient"];
/** JSON, because many handlers parse every message. It is not ASCII, because some clients guess the encoding. */
const DATA = JSON.stringify({ text: "Grüße, 日本 🎉" });

const hub = await startWorkerd({ HEARTBEAT_SECONDS: "1" }, { withLog: true });
const channel = hub.channel("quiet");
const browser = await openBrowser();
const site = await startWebsite();

/** @type {[name: string, client: import("../support/clients.mjs").Client][]} */
const clients = [];
for (const [name, start] of Object.entries(IN_NODE)) clients.push([`${name} in Node`, await start(channel.url)]);
for (const name of IN_PYTHON) clients.push([`${name} in Python`, subscribeInPython(name, channel.url)]);
for (const name of IN_PAGES) {
  clients.push([`${name} in Chromium`, await subscribeInPage(browser, site, name, channel.url)]);
}
const witness = await subscribe(channel);
/** The number of streams that the channel has opened. */
const connected = () => hub.log.match(/listener connected: id=quiet /g)?.length ?? 0;
await eventually(() => connected() > clients.length, 20_000, "all clients are connected");
const position = witness.startId;
const sent = quietThenPublish();

/** Publishes an event after the quiet time. Returns its id. */
async function quietThenPublish() {
  await sleep(QUIET_SECONDS * 1_000);
  const { id } = await channel.publish(DATA);
  await witness.untilId(id);
  return id;
}

test("the heartbeats of a quiet stream are single lines without an event", { timeout: 60_000 }, async () => {
  await sent;
  // A busy machine may delay heartbeats. tests/delivery/liveness.alone.test.mjs checks the times between them.
  assert.ok(witness.comments.length >= QUIET_SECONDS / 2, `${witness.comments.length} heartbeats`);
  assert.deepEqual(new Set(witness.comments), new Set([""]));
  const [, ...blocks] = witness.text.split("\n\n");
  assert.equal(blocks.length, 2, "the heartbeats are in the block of the event");
});

describe("clients on a quiet channel", { concurrency: true }, () => {
  for (const [name, client] of clients) {
    test(`${name} hands on hub.open, no empty message in ${QUIET_SECONDS} s of heartbeats, and then the event once`, {
      timeout: 90_000,
    }, async () => {
      const id = await sent;
      await eventually(async () => (await client.received()).some(([, , received]) => received === id));
      // An event that arrives twice does so at once.
      await sleep(1_000);
      const [first, ...rest] = await client.received();
      const [type, data, openId] = first;
      assert.deepEqual([type, JSON.parse(data), openId], ["hub.open", { channel: "quiet", id: position }, position]);
      assert.deepEqual(
        rest.map(([type, ...others]) => [type || "message", ...others]),
        [["message", DATA, id]],
      );
    });
  }
});

test("no client has reconnected on a quiet channel", { timeout: 60_000 }, async () => {
  await sent;
  const { subscribers } = await channel.stats();
  assert.deepEqual([connected(), subscribers], [clients.length + 1, clients.length + 1]);
});
