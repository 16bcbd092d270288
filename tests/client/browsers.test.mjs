// The client in Chromium and Firefox, imported from the hub by a page of another origin.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import { openInChromium, openInFirefox } from "../support/client-page.mjs";
import { openFirefox } from "../support/firefox.mjs";
import { startLine } from "../support/line.mjs";
import { numbers } from "../support/numbers.mjs";
import { publishWithRetries } from "../support/publisher.mjs";
import { missingTool } from "../support/snippets.mjs";
import { authorized, FULL_ACCESS, mint, SECRET } from "../support/tokens.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const skipFirefox = missingTool("firefox-esr", "firefox-esr");
const chromium = await openBrowser();
const firefox = skipFirefox ? undefined : await openFirefox();
const BROWSERS = [
  { name: "Chromium", open: (hub) => openInChromium(chromium, hub), skip: false },
  { name: "Firefox", open: (hub) => openInFirefox(firefox, hub), skip: skipFirefox },
];
const files = { withConsole: true };

for (const { name, open, skip } of BROWSERS) {
  const options = { skip, timeout: 120_000 };
  describe(`the client in ${name}`, { concurrency: true }, () => {
    test(
      `it gets 1,000 events once in ${name} across a restart of the hub in the middle of them`,
      options,
      async () => {
        const hub = await startWorkerd({ HISTORY_EVENTS: "2000" }, files);
        const channel = hub.channel("busy");
        const page = await open(hub.origin);
        await page.follow(hub.origin, "busy");
        let restart;
        for (const data of numbers(1_000)) {
          if (data === "500") restart = hub.restart();
          await publishWithRetries(channel, data);
        }
        await restart;
        await page.has(1_000);
        await sleep(500);
        assert.deepEqual(await page.data(), numbers(1_000));
      },
    );

    test(`it follows several channels in ${name} and ends with them`, options, async () => {
      const hub = await startWorkerd({}, files);
      const page = await open(hub.origin);
      await page.follow(hub.origin, ["one", "two"]);
      await eventually(async () => (await hub.channel("two").stats()).subscribers === 1);
      for (const id of ["one", "two"]) {
        await hub.channel(id).publish(`Grüße, 日本 🎉 in ${id}`);
        await hub.channel(id).end();
      }
      await eventually(async () => (await page.state()) === "ended");
      const received = await page.received();
      assert.deepEqual(
        received.filter(([kind]) => kind !== "end"),
        ["one", "two"].map((id) => [id, `Grüße, 日本 🎉 in ${id}`]),
      );
    });

    test(
      `it renews the token in ${name} while the line is down, in the header, and misses no event`,
      options,
      async () => {
        const hub = await startTokenHub({ JWT_SECRET: SECRET, HEARTBEAT_SECONDS: "1" }, files);
        const line = await startLine(hub);
        const page = await open(hub.origin);
        const tokens = [];
        for (let n = 0; n < 30; n++)
          tokens.push(await mint({ subscribe: ["foo"], exp: Math.floor(Date.now() / 1_000) + 6 + 3 * n }));
        await page.page.evaluate(`window.tokens = ${JSON.stringify(tokens)}; window.asked = 0`);
        // A token that is valid for three seconds more than the last one.
        await page.page.evaluate(`void window.client.then(({ connect }) => {
        const token = () => { window.asked++; return window.tokens.find((token) => JSON.parse(atob(token.split(".")[1])).exp * 1000 > Date.now() + 3000); };
        window.hub = connect(${JSON.stringify(line.origin)}, { token });
        window.subscription = hub.subscribe("foo", { onEvent: ({ data }) => window.received.push(["foo", data]) });
      })`);
        await page.isOpen();
        const channel = authorized(hub.channel("foo"), await mint({ ...FULL_ACCESS, exp: Date.now() / 1_000 + 600 }));
        await channel.publish("1");
        await page.has(1);
        line.cut();
        await channel.publish("2");
        await sleep(7_000);
        await line.mend();
        await page.has(2);
        await channel.publish("3");
        await page.has(3);
        assert.deepEqual(await page.data(), ["1", "2", "3"]);
        assert.ok((await page.page.evaluate("window.asked")) >= 2);
        for (const { search } of line.requests) assert.equal(search, "", "no token is in an address");
      },
    );

    test(`it publishes from a page in ${name} through a line that breaks, exactly once`, options, async () => {
      const hub = await startWorkerd({}, files);
      const line = await startLine(hub);
      const page = await open(hub.origin);
      await page.follow(hub.origin, "foo");
      await page.page.evaluate(`void window.client.then(({ connect }) => {
        window.publisher = connect(${JSON.stringify(line.origin)});
        window.receipts = [];
      })`);
      for (const data of numbers(4)) {
        // The preflight request is answered before.
        if (data === "2" || data === "4") line.cutAfter('{"id":');
        await page.page.evaluate(
          `void publisher.publish("foo", { n: ${data} }).then((receipt) => receipts.push(receipt.id))`,
        );
        await eventually(async () => (await page.page.evaluate("receipts.length")) === Number(data), 30_000);
      }
      await page.has(4);
      assert.deepEqual(
        await page.data(),
        numbers(4).map((n) => `{"n":${n}}`),
      );
      assert.equal((await hub.channel("foo").stats()).published, 4);
    });

    test(
      `a redirect is refused in ${name} if there is a token, and the other server gets no request`,
      options,
      async () => {
        const hub = await startWorkerd({}, files);
        const [line, other] = [await startLine(hub), await startLine(hub)];
        const cors = { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "authorization" };
        const page = await open(hub.origin);
        // The answer to the preflight request must not be a redirect.
        await page.page.evaluate(`void window.client.then(({ connect }) => {
        const real = window.fetch;
        const hub = connect(${JSON.stringify(line.origin)}, { token: "a.b.c", fetch: (url, init) => {
          window.sent = init.redirect;
          return real(url, { ...init, headers: {} });
        } });
        window.subscription = hub.subscribe("foo");
      })`);
        await line.answerWith(302, { ...cors, Location: `${other.origin}/channels/foo` });
        await eventually(async () => (await page.state()) === "refused", 30_000);
        assert.equal(await page.page.evaluate("window.sent"), "manual");
        assert.match(await page.page.evaluate("window.subscription.status.reason"), /redirects/);
        assert.equal(other.requests.length, 0);
      },
    );
  });
}

describe("the client in pages that were away", { concurrency: true }, () => {
  test("a page that was frozen for 30 s gives every event once, in Chromium", { timeout: 120_000 }, async () => {
    const hub = await startWorkerd({ HEARTBEAT_SECONDS: "1", HISTORY_EVENTS: "5000" }, files);
    const channel = hub.channel("foo");
    const page = await openInChromium(chromium, hub.origin);
    await page.follow(hub.origin, "foo");
    const session = await page.page.context().newCDPSession(page.page);
    await channel.publish("0");
    await page.has(1);
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    for (let n = 1; n <= 300; n++) {
      await channel.publish(String(n));
      await sleep(100);
    }
    await session.send("Page.setWebLifecycleState", { state: "active" });
    await page.has(301);
    await channel.publish("301");
    await page.has(302);
    assert.deepEqual(
      await page.data(),
      Array.from({ length: 302 }, (_, n) => String(n)),
    );
  });

  test("a page whose process was stopped for 30 s gives every event once, in Chromium", {
    timeout: 120_000,
  }, async () => {
    const own = await openBrowser();
    const hub = await startWorkerd({ HEARTBEAT_SECONDS: "1", HISTORY_EVENTS: "5000" }, files);
    const channel = hub.channel("foo");
    const page = await openInChromium(own, hub.origin);
    await page.follow(hub.origin, "foo");
    const session = await own.newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    const renderers = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
    assert.ok(renderers.length > 0);
    for (const pid of renderers) process.kill(pid, "SIGSTOP");
    for (let n = 0; n < 300; n++) {
      await channel.publish(String(n));
      await sleep(100);
    }
    for (const pid of renderers) process.kill(pid, "SIGCONT");
    await page.has(300);
    assert.deepEqual(
      await page.data(),
      Array.from({ length: 300 }, (_, n) => String(n)),
    );
  });

  test("a page whose network returns reconnects at once, in Chromium", { timeout: 180_000 }, async () => {
    const hub = await startWorkerd({ HEARTBEAT_SECONDS: "1" }, files);
    const line = await startLine(hub);
    const page = await openInChromium(chromium, hub.origin);
    await page.follow(line.origin, "foo");
    const context = page.page.context();
    await context.setOffline(true);
    line.cut();
    await eventually(async () => (await page.state()) === "reconnecting", 20_000);
    await eventually(async () => (await page.retryAt()) - Date.now() > 6_000, 40_000, "the next attempt is in 6 s");
    const retryAt = await page.retryAt();
    await line.mend();
    await context.setOffline(false);
    await page.isOpen();
    assert.ok(Date.now() < retryAt, `it came back ${Date.now() - retryAt} ms after its next attempt was due`);
  });
});
