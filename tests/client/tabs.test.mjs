// Tabs that share one stream, in Chromium and Firefox. The pages come from one origin.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import { openInChromium, openInFirefox } from "../support/client-page.mjs";
import { openFirefox } from "../support/firefox.mjs";
import { numbers } from "../support/numbers.mjs";
import { portOf } from "../support/port.mjs";
import { publishWithRetries } from "../support/publisher.mjs";
import { missingTool } from "../support/snippets.mjs";
import { authorized, FULL_ACCESS, mint, now, SECRET } from "../support/tokens.mjs";
import { eventually, sleep, untilSubscribers } from "../support/wait.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const skipFirefox = missingTool("firefox-esr", "firefox-esr");
const browser = await openBrowser();
const files = { withConsole: true };
const SETTINGS = { HEARTBEAT_SECONDS: "1", HISTORY_EVENTS: "5000" };
const shared = { shareTabs: true };
const twoMinutes = { timeout: 120_000 };

/** Publishes numbers until it is stopped. `stop` returns how many. */
function publishNumbers(channel, pause = 5) {
  let stopped = false;
  let published = 0;
  const end = (async () => {
    while (!stopped) {
      await publishWithRetries(channel, String(++published));
      await sleep(pause);
    }
  })();
  return {
    count: () => published,
    async stop() {
      stopped = true;
      await end;
      return published;
    },
  };
}

/** Checks that the events of a page are numbers without a hole up to `last`. */
async function checkNumbers(page, last, first = 1) {
  await eventually(async () => (await page.data()).at(-1) === String(last), 30_000, `the page has event ${last}`);
  const data = await page.data();
  assert.deepEqual(data, numbers(last - Number(data[0]) + 1, Number(data[0])));
  if (first) assert.equal(Number(data[0]), first);
}

describe("tabs in Chromium", { concurrency: 3 }, () => {
  test("three tabs share one stream, and each one gets every event once", twoMinutes, async () => {
    const hub = await startWorkerd(SETTINGS, files);
    const channel = hub.channel("foo");
    const context = await browser.newContext();
    const pages = [];
    for (let n = 0; n < 3; n++) {
      pages.push(await openInChromium(context, hub.origin));
      await pages[n].follow(hub.origin, "foo", shared);
    }
    await untilSubscribers(channel, 1);
    for (const data of numbers(300)) await channel.publish(data);
    for (const page of pages) await checkNumbers(page, 300);
    await channel.end("301");
    for (const page of pages) {
      await eventually(async () => (await page.state()) === "ended");
      assert.deepEqual(await page.received(), [...numbers(301).map((data) => ["foo", data]), ["end", "foo"]]);
    }
  });

  test(
    "when the process of the tab with the stream is killed, another tab goes on, and nothing is lost or doubled",
    twoMinutes,
    async () => {
      const hub = await startWorkerd(SETTINGS, files);
      const channel = hub.channel("foo");
      const browser = await openBrowser();
      const context = await browser.newContext();
      const leader = await openInChromium(context, hub.origin);
      await leader.follow(hub.origin, "foo", shared);
      // Each page without a window that opened it has a process of its own.
      const followers = [];
      for (let n = 0; n < 2; n++) {
        const page = await openInChromium(context, hub.origin);
        await page.follow(hub.origin, "foo", shared);
        followers.push(page);
      }
      await untilSubscribers(channel, 1);
      const publisher = publishNumbers(channel);
      await eventually(() => publisher.count() > 50, 40_000);
      const crash = leader.page.waitForEvent("crash");
      const own = await leader.page.context().newCDPSession(leader.page);
      own.send("Page.crash").catch(() => {});
      await crash;
      await sleep(3_000);
      const last = await publisher.stop();
      for (const page of followers) await checkNumbers(page, last);
      await untilSubscribers(channel, 1);
    },
  );

  test("when the tab with the stream closes, another tab goes on, again and again", twoMinutes, async () => {
    const hub = await startWorkerd(SETTINGS, files);
    const channel = hub.channel("foo");
    const context = await browser.newContext();
    const pages = [];
    for (let n = 0; n < 4; n++) {
      pages.push(await openInChromium(context, hub.origin));
      await pages[n].follow(hub.origin, "foo", shared);
    }
    await untilSubscribers(channel, 1);
    const publisher = publishNumbers(channel);
    for (let n = 0; n < 3; n++) {
      await sleep(1_000);
      if (n === 1) await pages[n].page.evaluate("subscription.close()");
      else await pages[n].page.close();
    }
    await sleep(1_000);
    const last = await publisher.stop();
    await checkNumbers(pages[3], last);
    await untilSubscribers(channel, 1);
  });

  test(
    "tabs of several channels lose and double nothing when the leader closes and the hub restarts",
    twoMinutes,
    async () => {
      const hub = await startWorkerd(SETTINGS, files);
      const [one, two] = [hub.channel("one"), hub.channel("two")];
      const context = await browser.newContext();
      const pages = [];
      for (let n = 0; n < 3; n++) {
        pages.push(await openInChromium(context, hub.origin));
        await pages[n].follow(hub.origin, ["one", "two"], shared);
      }
      await untilSubscribers(two, 1);
      const publishers = [publishNumbers(one), publishNumbers(two)];
      await sleep(1_000);
      await pages[0].page.close();
      await sleep(1_000);
      await hub.restart();
      await sleep(6_000);
      const last = await Promise.all(publishers.map((publisher) => publisher.stop()));
      for (const page of pages.slice(1)) {
        for (const [at, id] of ["one", "two"].entries()) {
          const of = async () => (await page.received()).filter(([channel]) => channel === id).map(([, data]) => data);
          await eventually(async () => (await of()).at(-1) === String(last[at]), 30_000, `the end of ${id}`);
          assert.deepEqual(await of(), numbers(last[at]));
        }
      }
    },
  );

  test(
    "a tab that joins while events arrive begins like a subscription of its own, and misses nothing after that",
    twoMinutes,
    async () => {
      const hub = await startWorkerd(SETTINGS, files);
      const channel = hub.channel("foo");
      const context = await browser.newContext();
      const leader = await openInChromium(context, hub.origin);
      await leader.follow(hub.origin, "foo", shared);
      const publisher = publishNumbers(channel);
      await eventually(() => publisher.count() > 50, 40_000);
      const live = await openInChromium(context, hub.origin);
      await live.follow(hub.origin, "foo", shared);
      const all = await openInChromium(context, hub.origin);
      await all.follow(hub.origin, "foo", shared, { history: 5_000 });
      await untilSubscribers(channel, 1);
      await sleep(1_000);
      const last = await publisher.stop();
      await checkNumbers(leader, last);
      await checkNumbers(all, last);
      await checkNumbers(live, last, 0);
      assert.ok(Number((await live.data())[0]) > 50);
    },
  );

  test(
    "a tab hears no more from a leader that hangs, opens a stream of its own after 31 s, and misses nothing",
    twoMinutes,
    async () => {
      const hub = await startWorkerd(SETTINGS, files);
      const silent = createServer().listen(0, "127.0.0.1");
      await once(silent, "listening");
      const connected = once(silent, "connection");
      const channel = hub.channel("foo");
      // Pages of one browser may share processes if it has many pages.
      const context = await (await openBrowser()).newContext();
      const [leader, follower] = [await openInChromium(context, hub.origin), await openInChromium(context, hub.origin)];
      await leader.follow(hub.origin, "foo", shared);
      await follower.follow(hub.origin, "foo", shared);
      await untilSubscribers(channel, 1);
      await channel.publish("1");
      await follower.has(1);
      // The thread of the page waits for an answer until the server closes the connection.
      await leader.page.evaluate(`void setTimeout(() => {
      const request = new XMLHttpRequest();
      request.open("GET", "http://127.0.0.1:${portOf(silent)}/", false);
      request.send();
    })`);
      const [connection] = await connected;
      for (const data of numbers(50, 2)) await channel.publish(data);
      await sleep(10_000);
      assert.deepEqual(await follower.data(), ["1"], "the leader hangs");
      await checkNumbers(follower, 51);
      connection.destroy();
      silent.close();
      for (const data of numbers(50, 52)) await channel.publish(data);
      await checkNumbers(leader, 101);
      await checkNumbers(follower, 101);
      await untilSubscribers(channel, 1);
    },
  );

  test("tabs of different users, of different channels and without shareTabs share nothing", twoMinutes, async () => {
    const hub = await startTokenHub({ JWT_SECRET: SECRET, ...SETTINGS }, files);
    const context = await browser.newContext();
    const token = (sub, more = {}) => mint({ subscribe: ["foo", "bar"], sub, exp: now() + 600, ...more });
    const channel = authorized(hub.channel("foo"), await mint({ ...FULL_ACCESS, exp: now() + 600 }));
    /** @type {[string | string[], object][]} */
    const tabs = [
      ["foo", { shareTabs: true, token: await token("a") }],
      ["foo", { shareTabs: true, token: await token("b") }],
      [["foo", "bar"], { shareTabs: true, token: await token("a") }],
      ["foo", { token: await token("a") }],
      // The same user with another token.
      ["foo", { shareTabs: true, token: await token("a", { jti: "2", exp: now() + 700 }) }],
    ];
    const pages = [];
    for (const [channels, options] of tabs) {
      const page = await openInChromium(context, hub.origin);
      await page.follow(hub.origin, channels, options);
      pages.push(page);
    }
    await untilSubscribers(channel, 4);
    await sleep(3_000);
    await untilSubscribers(channel, 4);
    await channel.publish("1");
    for (const page of pages) {
      await page.has(1);
      assert.deepEqual(await page.data(), ["1"]);
    }
  });

  test("the tab with the stream renews its token, and the tabs that follow miss nothing", twoMinutes, async () => {
    const hub = await startTokenHub({ JWT_SECRET: SECRET, ...SETTINGS }, files);
    const context = await browser.newContext();
    const channel = authorized(hub.channel("foo"), await mint({ ...FULL_ACCESS, exp: now() + 600 }));
    const pages = [];
    for (let n = 0; n < 2; n++) {
      const page = await openInChromium(context, hub.origin);
      await page.page.exposeFunction("issue", () => mint({ subscribe: ["foo"], sub: "a", exp: now() + 5 }));
      await page.page.evaluate(`void client.then(({ connect }) => {
        const hub = connect(${JSON.stringify(hub.origin)}, { shareTabs: true, token: () => window.issue() });
        window.subscription = hub.subscribe("foo", { onEvent: ({ data }) => received.push(["foo", data]) });
      })`);
      await page.isOpen();
      pages.push(page);
    }
    await untilSubscribers(channel, 1);
    for (const data of numbers(120)) {
      await channel.publish(data);
      await sleep(100);
    }
    for (const page of pages) await checkNumbers(page, 120);
    await untilSubscribers(channel, 1);
  });
});

describe("tabs in Firefox", { skip: skipFirefox }, () => {
  test("two tabs share one stream, one closes, and the other one misses nothing", twoMinutes, async () => {
    const firefox = await openFirefox();
    const hub = await startWorkerd(SETTINGS, files);
    const channel = hub.channel("foo");
    const pages = [];
    for (let n = 0; n < 2; n++) {
      pages.push(await openInFirefox(firefox, hub.origin));
      await pages[n].follow(hub.origin, "foo", shared);
    }
    await untilSubscribers(channel, 1);
    const publisher = publishNumbers(channel);
    await sleep(1_000);
    await firefox.send("browsingContext.close", { context: pages[0].page.context });
    await sleep(2_000);
    const last = await publisher.stop();
    await checkNumbers(pages[1], last);
    await untilSubscribers(channel, 1);
  });
});
