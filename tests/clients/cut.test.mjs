// A connection that breaks in the middle of an event.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import { IN_NODE, subscribeInPage, subscribeInPython } from "../support/clients.mjs";
import { startLine } from "../support/line.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const browser = await openBrowser();
const site = await startWebsite();
const hub = await startWorkerd({ HEARTBEAT_SECONDS: "1" });
const LONG = `${"a".repeat(1_000)} cut here ${"b".repeat(1_000)}`;
/** The events. One of the clients parses every message as JSON. */
const [BEFORE, CUT, AFTER] = ["before", LONG, "after"].map((text) => JSON.stringify(text));

const inPage = (name) => (url) => subscribeInPage(browser, site, name, url);
const CLIENTS = {
  EventSource: inPage("EventSource"),
  "@microsoft/fetch-event-source": inPage("@microsoft/fetch-event-source"),
  "event-source-polyfill": inPage("event-source-polyfill"),
  "reconnecting-eventsource": inPage("reconnecting-eventsource"),
  eventsource: IN_NODE.eventsource,
  "extended-eventsource": IN_NODE["extended-eventsource"],
  sseclient: (url) => subscribeInPython("sseclient", url),
};

describe("a connection that breaks in the middle of an event", { concurrency: true }, () => {
  for (const [name, start] of Object.entries(CLIENTS)) {
    test(`${name} gets the whole event once after it has reconnected`, { timeout: 60_000 }, async () => {
      const channel = hub.channel(name.replaceAll(/[@/]/g, "-"));
      const line = await startLine(hub);
      const client = await start(`${line.origin}${channel.path}`);
      const messages = async () => (await client.received()).filter(([type]) => (type || "message") === "message");
      await eventually(async () => (await channel.stats()).subscribers === 1, 20_000);
      await channel.publish(BEFORE);
      await eventually(async () => (await messages()).length === 1);
      line.cutAfter("cut here");
      await channel.publish(CUT);
      await eventually(async () => (await channel.stats()).connected === 2, 20_000);
      await channel.publish(AFTER);
      await eventually(async () => (await messages()).length >= 3);
      await sleep(500);
      assert.deepEqual(
        (await messages()).map(([, data]) => data),
        [BEFORE, CUT, AFTER],
      );
    });
  }
});
