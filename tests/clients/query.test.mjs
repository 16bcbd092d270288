// Clients that resume with `lastEventId` in the query, because they cannot send the header Last-Event-ID.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import { subscribeInPage } from "../support/clients.mjs";
import { startLine } from "../support/line.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const browser = await openBrowser();
const site = await startWebsite();

/**
 * How the line behaves while the hub is down. event-source-polyfill gives up at any answer. reconnecting-eventsource
 * makes a new EventSource, which does not know the position, whenever the old one has given up.
 */
const OUTAGES = {
  "event-source-polyfill": (line) => line.cut(),
  "reconnecting-eventsource": async (line) => {
    const asked = line.requests.length;
    await line.answerWith(502);
    await eventually(() => line.requests.length > asked, 30_000, "the client has been refused");
  },
};

/** Checks that a client receives every event once through a restart of the hub, `before` of them before the restart. */
async function check(name, before) {
  const hub = await startWorkerd({ LOG_LEVEL: "error" });
  const line = await startLine(hub);
  const channel = hub.channel("foo");
  const { id: start } = await channel.publish("before the page");
  // The page has a position of its own in the address, and the client appends another one.
  const url = `${line.origin}/channels/foo?last_event_id=${start}`;
  const { received } = await subscribeInPage(browser, site, name, url);
  const events = async () => (await received()).filter(([type]) => type !== "hub.open");
  await eventually(async () => (await channel.stats()).subscribers === 1);
  const sent = [];
  const publish = async (data) => sent.push(["message", data, (await channel.publish(data)).id]);
  for (let n = 1; n <= before; n++) await publish(`before ${n}`);
  await eventually(async () => (await events()).length === before);
  const position = sent.at(-1)?.[2] ?? start;

  await hub.kill();
  await OUTAGES[name](line);
  // The client tries again at least once.
  await sleep(3_000);
  await hub.start();
  for (const data of ["away 1", "away 2", "away 3"]) await publish(data);
  await line.mend();
  await eventually(async () => (await channel.stats()).subscribers === 1, 30_000);
  await publish("after");
  await eventually(async () => (await events()).length >= sent.length);
  await sleep(1_000);
  assert.deepEqual(await events(), sent);
  const [first, ...others] = line.requests.map(({ searchParams }) => searchParams);
  assert.equal(first.get("lastEventId"), null);
  assert.deepEqual([others.at(-1).get("last_event_id"), others.at(-1).get("lastEventId")], [start, position]);
}

describe("clients that resume with the query", { concurrency: true }, () => {
  for (const name of Object.keys(OUTAGES)) {
    test(`${name} receives every event once through a restart of the hub`, { timeout: 90_000 }, () => check(name, 2));

    test(
      `${name} receives every event once through a restart of the hub on a channel that was quiet`,
      {
        timeout: 90_000,
      },
      () => check(name, 0),
    );
  }
});
