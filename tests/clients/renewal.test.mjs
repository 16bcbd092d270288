// The script of docs/access.md as it stands there: a page that gets a new token whenever the old one has expired.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import { startLine } from "../support/line.mjs";
import { Issuer, startTokenSite } from "../support/token-site.mjs";
import { authorized, FULL_ACCESS, mint, OTHER_SECRET, SECRET, secretKey } from "../support/tokens.mjs";
import { eventually, sleep, untilSubscribers } from "../support/wait.mjs";
import { startTokenHub } from "../support/workerd.mjs";

const browser = await openBrowser();
/** The tests run side by side, each one with a hub and a page. */
const twoMinutes = { timeout: 120_000 };

/**
 * Opens the page of a token site whose script listens to the hub at `origin`. `shown` returns what it has shown, and
 * `warnings` is what it has written to its console.
 */
async function openPage(site, origin) {
  site.hub = origin;
  const page = await browser.newPage();
  const warnings = [];
  page.on("console", (message) => warnings.push(message.text()));
  await page.goto(site.origin);
  // `position` is a variable of the documented script.
  return { warnings, shown: () => page.evaluate(() => window.shown), position: () => page.evaluate("position") };
}

/** Starts a hub, and a page that listens to its channel foo through a line. */
async function start({ tokenSeconds = 60, settings = {}, issue = undefined } = {}) {
  const issuer = new Issuer(tokenSeconds);
  const site = await startTokenSite(issue ?? issuer.issue);
  const usual = { JWT_SECRET: SECRET, ALLOWED_ORIGINS: site.origin, HEARTBEAT_SECONDS: "1" };
  const hub = await startTokenHub({ ...usual, ...settings });
  const line = await startLine(hub);
  const channel = authorized(hub.channel("foo"), await mint({ ...FULL_ACCESS, exp: Date.now() / 1_000 + 600 }));
  return { hub, line, site, channel, issuer, page: await openPage(site, line.origin) };
}

/** Waits until the page has read hub.open. A line that is cut before leaves the page without a position. */
const opened = (page) => eventually(page.position, 40_000, "hub.open");
const shows = (page, count) => eventually(async () => (await page.shown()).length >= count, 40_000, `${count} events`);

/** Checks that the page makes no request in five seconds. */
async function checkStopped({ line, site }) {
  // Requests that are on their way.
  await sleep(500);
  const before = [line.requests.length, site.asked];
  await sleep(5_000);
  assert.deepEqual([line.requests.length, site.asked], before);
}

describe("the documented script", { concurrency: true }, () => {
  test(
    "it misses no event when the line is cut on a quiet channel and the token expires before the line is back",
    twoMinutes,
    async () => {
      const { line, channel, issuer, page } = await start({ tokenSeconds: 6 });
      await opened(page);
      line.cut();
      await untilSubscribers(channel, 0);
      for (const data of ["1", "2", "3"]) await channel.publish(data);
      await sleep(issuer.remaining);
      await line.mend();
      await shows(page, 3);
      await channel.publish("4");
      await shows(page, 4);
      await sleep(1_000);
      assert.deepEqual(await page.shown(), ["1", "2", "3", "4"]);
    },
  );

  test("it misses no event when tokens expire during a stream and while the hub is down", twoMinutes, async () => {
    const issuer = new Issuer(4);
    let asked = 0;
    // The website that issues tokens fails once.
    const issue = async () => (++asked === 2 ? undefined : issuer.issue());
    const { hub, channel, page } = await start({ issue });
    await untilSubscribers(channel);
    let published = 0;
    const publish = async () => channel.publish(String(++published));
    while (asked < 4) {
      await publish();
      await sleep(100);
    }
    await untilSubscribers(channel);
    await hub.kill();
    await sleep(issuer.remaining);
    await hub.start();
    for (let n = 0; n < 20; n++) await publish();
    await shows(page, published);
    assert.deepEqual(
      await page.shown(),
      Array.from({ length: published }, (_, n) => String(n + 1)),
    );
  });

  test("it stops when the channel ends", twoMinutes, async () => {
    const started = await start();
    await untilSubscribers(started.channel);
    await started.channel.publish("last");
    await started.channel.end();
    await checkStopped(started);
    assert.deepEqual(await started.page.shown(), ["last"]);
    assert.deepEqual([started.line.requests.length, started.site.asked], [1, 1]);
  });

  test("it gets the last event of a channel that has ended while it was away, and then stops", twoMinutes, async () => {
    const started = await start();
    const { line, channel, page } = started;
    await opened(page);
    line.cut();
    await untilSubscribers(channel, 0);
    await channel.end("result");
    await line.mend();
    await shows(page, 1);
    await checkStopped(started);
    assert.deepEqual(await page.shown(), ["result"]);
  });

  test(
    "it stops when the channel has ended while it was away and its token is no longer valid",
    twoMinutes,
    async () => {
      const started = await start();
      const { hub, line, channel, issuer, page } = started;
      await untilSubscribers(channel);
      await channel.publish("last");
      await shows(page, 1);
      line.cut();
      await untilSubscribers(channel, 0);
      await channel.end();
      // This needs no time, unlike a token that expires.
      await hub.restart({ ...hub.options.settings, JWT_SECRET: OTHER_SECRET });
      issuer.key = secretKey(OTHER_SECRET);
      await line.mend();
      // EventSource gets 401 and then, with a new token, 204. The script asks for the status of both.
      await eventually(() => line.requests.length === 5, 40_000);
      await checkStopped(started);
      assert.deepEqual([line.requests.length, started.site.asked], [5, 2]);
      assert.deepEqual(await page.shown(), ["last"]);
    },
  );

  test("it waits longer and longer while its tokens are refused, and listens after that", twoMinutes, async () => {
    const issuer = new Issuer(60);
    let refused = true;
    let since;
    const issue = () => {
      since ??= performance.now();
      return refused ? mint({ subscribe: ["other"] }) : issuer.issue();
    };
    const { line, site, channel, page } = await start({ issue });
    // It waits for at least 0.5, 1 and 2 seconds before it asks again.
    await eventually(() => site.asked === 4, 60_000, "it has asked for four tokens");
    const seconds = (performance.now() - since) / 1_000;
    assert.ok(seconds >= 3.5, `it has asked for four tokens in ${seconds} s`);
    // Each token costs a request of EventSource, and one for its status.
    assert.ok(line.requests.length >= 6 && line.requests.length <= 8, `${line.requests.length} requests`);
    refused = false;
    await untilSubscribers(channel);
    await channel.publish("welcome");
    await shows(page, 1);
    assert.deepEqual(await page.shown(), ["welcome"]);
  });

  test("it says why a channel is full, and listens when there is a place", twoMinutes, async () => {
    const settings = { MAX_SUBSCRIBERS: "1" };
    const { hub, line, site, channel, page } = await start({ settings });
    await untilSubscribers(channel);
    const second = await openPage(site, hub.origin);
    await eventually(() => second.warnings.some((text) => text.includes("as many as it may (MAX_SUBSCRIBERS)")));
    line.cut();
    await untilSubscribers(channel, 0);
    await untilSubscribers(channel);
    await channel.publish("for the second page");
    await shows(second, 1);
    assert.deepEqual(await page.shown(), []);
  });
});
