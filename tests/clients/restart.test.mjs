// Clients of other projects reconnect by themselves after a restart of the hub, and receive every event once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import { IN_NODE, IN_PAGES, subscribeInPage, subscribeInPython } from "../support/clients.mjs";
import { publishWithRetries } from "../support/publisher.mjs";
import { eventually, untilSubscribers } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const EVENTS = 400;
const all = Array.from({ length: EVENTS }, (_, n) => JSON.stringify(`event ${n}`));

const hub = await startWorkerd();
const browser = await openBrowser();
const site = await startWebsite();

/** Starts every client that reconnects by itself. */
async function startClients(channel) {
  /** @type {[name: string, client: import("../support/clients.mjs").Client][]} */
  const clients = [
    ["eventsource", await IN_NODE.eventsource(channel.url)],
    ["sseclient", subscribeInPython("sseclient", channel.url)],
  ];
  for (const name of IN_PAGES) clients.push([name, await subscribeInPage(browser, site, name, channel.url)]);
  return clients;
}

/** Checks that each client has received `expected`, and nothing else but hub.open. */
async function check(clients, expected) {
  for (const [name, client] of clients) {
    const events = async () => (await client.received()).filter(([type]) => type !== "hub.open");
    await eventually(async () => (await events()).length >= expected.length, 20_000, `${name} receives all events`);
    assert.deepEqual(
      (await events()).map(([type, data]) => [type || "message", data]),
      expected.map((data) => ["message", data]),
      name,
    );
  }
}

test("seven clients receive 400 events once across a restart in the middle of them", {
  timeout: 120_000,
}, async () => {
  const channel = hub.channel("busy");
  const clients = await startClients(channel);
  await untilSubscribers(channel, clients.length);
  let restart;
  for (const data of all) {
    if (data === all[EVENTS / 2]) restart = hub.restart();
    await publishWithRetries(channel, data);
  }
  await restart;
  assert.equal((await channel.stats()).seq, EVENTS, "each event has been published once");
  await check(clients, all);
  await untilSubscribers(channel, clients.length);
  for (const [name, { opened }] of clients) {
    if (opened) assert.equal(await opened(), 2, `${name} has opened two streams`);
  }
});

test("seven clients on a channel without events receive what is published after a restart and before they are back", {
  timeout: 120_000,
}, async () => {
  const channel = hub.channel("quiet");
  const clients = await startClients(channel);
  await untilSubscribers(channel, clients.length);
  await hub.kill();
  await hub.start();
  const missed = ["1", "2", "3"];
  for (const data of missed) assert.equal((await channel.publish(data)).subscribers, 0);
  await untilSubscribers(channel, clients.length);
  await channel.publish("4");
  await check(clients, [...missed, "4"]);
});
