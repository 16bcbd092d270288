// The documented scripts in Firefox. If the hub cannot be reached, the EventSource of Firefox gives up, and that of
// Chromium tries again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openFirefox } from "../support/firefox.mjs";
import { startLine } from "../support/line.mjs";
import { namedBlock } from "../support/markdown.mjs";
import { missingTool } from "../support/snippets.mjs";
import { Issuer, startTokenSite } from "../support/token-site.mjs";
import { authorized, FULL_ACCESS, mint, SECRET } from "../support/tokens.mjs";
import { eventually, sleep, untilSubscribers } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const skip = missingTool("firefox-esr", "firefox-esr");
const firefox = skip ? undefined : await openFirefox();
const options = { skip, timeout: 90_000 };

/** The headers of a proxy's answer while the hub is away, after which browsers try again. */
const AGAIN = { "Content-Type": "text/event-stream", "Access-Control-Allow-Origin": "*" };

test(
  "the script of the README gets every event once in Firefox while a proxy answers for a hub that is away",
  options,
  async () => {
    const hub = await startWorkerd({ HEARTBEAT_SECONDS: "1" });
    const line = await startLine(hub);
    const channel = hub.channel("foo");
    const page = await firefox.newPage(`${await startWebsite()}/empty`);
    // The script writes to the console.
    await page.evaluate("console.log = (...values) => (window.lines ??= []).push(values.join(' '))");
    await page.evaluate(namedBlock("subscribe in a page").replace("http://127.0.0.1:8080", line.origin));
    await untilSubscribers(channel, 1);
    // Some heartbeats.
    await sleep(3_000);
    await line.answerWith(200, AGAIN, "retry: 1000\n\n");
    await hub.kill();
    await eventually(() => line.requests.length >= 3, 20_000, "the line has answered two requests for the hub");
    await hub.start();
    const sent = [];
    const publish = async (data) => sent.push(`${(await channel.publish(data)).id} ${data}`);
    for (const data of ["1", "2", "3"]) await publish(data);
    await line.mend();
    await untilSubscribers(channel, 1);
    await publish("Grüße, 日本 🎉");
    await eventually(async () => (await page.evaluate("window.lines"))?.length === sent.length);
    assert.deepEqual(await page.evaluate("window.lines"), sent);
  },
);

test(
  "the documented script for renewing tokens misses no event in Firefox while the line is cut",
  options,
  async () => {
    const issuer = new Issuer(6);
    const site = await startTokenSite(issuer.issue);
    const settings = { JWT_SECRET: SECRET, ALLOWED_ORIGINS: site.origin, HEARTBEAT_SECONDS: "1" };
    const hub = await startTokenHub(settings);
    const line = await startLine(hub);
    site.hub = line.origin;
    const channel = authorized(hub.channel("foo"), await mint({ ...FULL_ACCESS, exp: Date.now() / 1_000 + 600 }));
    const page = await firefox.newPage(site.origin);
    await untilSubscribers(channel, 1);
    line.cut();
    await untilSubscribers(channel, 0);
    for (const data of ["1", "2", "3"]) await channel.publish(data);
    await sleep(issuer.remaining);
    await line.mend();
    await untilSubscribers(channel, 1);
    await channel.publish("4");
    await eventually(async () => (await page.evaluate("shown")).length >= 4);
    assert.deepEqual(await page.evaluate("shown"), ["1", "2", "3", "4"]);
  },
);
