// The situations of the console: each has its own words and colour, and the page says what the user can do.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import { clickSubscribe, connectionState, field, waitForItem, waitForStatus } from "../support/console-page.mjs";
import { openFirefox } from "../support/firefox.mjs";
import { freePort } from "../support/port.mjs";
import { missingTool } from "../support/snippets.mjs";
import { mint, SECRET } from "../support/tokens.mjs";
import { eventually, threeMinutes } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const browser = await openBrowser();
const hub = await startWorkerd({}, { withConsole: true });
const closed = await startTokenHub({ JWT_SECRET: SECRET }, { withConsole: true });

const site = await startWebsite();

/** @param {string} query */
async function open(query, of = hub) {
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  await page.goto(`${of.origin}/${query}`);
  return page;
}

const help = (page) => page.locator("#help");
const color = (page) => page.locator("#status").evaluate((element) => getComputedStyle(element).color);
const copied = (page) => page.evaluate(() => navigator.clipboard.readText());

test(
  "a server that was never reached is told apart from a lost connection, with the number of the attempt",
  threeMinutes,
  async () => {
    const server = `http://127.0.0.1:${await freePort()}`;
    const page = await open(`?server=${server}&channel=foo`);
    await waitForStatus(page, /has never answered, or pages of .* may not read its answers; .*, attempt [2-9]/);
    assert.equal(await connectionState(page), "unreachable");
    await help(page).getByText("Is the hub running").waitFor();
    const copy = help(page).getByRole("button", { name: "Copy command" });
    await Promise.all([help(page).getByText("Copied").waitFor(), copy.click()]);
    assert.equal(await copied(page), "ACCESS=open npx sse-broadcaster serve");
    const unreachable = await color(page);

    const other = await startWorkerd({}, { withConsole: true });
    const lost = await open("?channel=foo", other);
    await waitForStatus(lost, "subscribed to");
    const open_ = await color(lost);
    await other.kill();
    await waitForStatus(lost, /^connection lost; reconnecting to .*, attempt [2-9]/);
    assert.equal(await connectionState(lost), "reconnecting");
    assert.equal(new Set([unreachable, open_, await color(lost)]).size, 3, "each has a colour of its own");
    await page.context().close();
    await lost.context().close();
  },
);

for (const [where, from] of Object.entries({ "the hub": hub.origin, "another server": site })) {
  test(
    `when other tabs take all six connections, the console of ${where} says so, and connects when one is free`,
    threeMinutes,
    async () => {
      const context = await browser.newContext();
      const address = `${from}/?server=${hub.origin}&channel=six`;
      // The hub serves the page on one of its connections, so the page is loaded before they are taken.
      const last = await context.newPage();
      await last.goto(address);
      await waitForStatus(last, "subscribed to");
      await last.getByRole("button", { name: "Unsubscribe" }).click();
      const others = [];
      for (let n = 1; n <= 6; n++) {
        const page = await context.newPage();
        others.push(page);
        await page.goto(address);
        await waitForStatus(page, "subscribed to");
      }
      await clickSubscribe(last);
      await waitForStatus(
        last,
        `waiting for a connection to ${hub.origin}: this browser has opened all it allows itself`,
      );
      assert.equal(await connectionState(last), "taken");
      await help(last).getByText("at most six connections").waitFor();
      await others[0].close();
      await waitForStatus(last, "subscribed to");
      assert.equal(await help(last).isVisible(), false);
      await context.close();
    },
  );
}

test("when other tabs of Firefox take all six connections, the console says so", {
  ...threeMinutes,
  skip: missingTool("firefox-esr", "firefox-esr"),
}, async () => {
  const firefox = await openFirefox();
  const address = `${site}/?server=${hub.origin}&channel=six-firefox`;
  const statusOf = (page) => page.valueOf("document.getElementById('status').textContent");
  for (let n = 1; n <= 6; n++) {
    const page = await firefox.newPage(address);
    await eventually(async () => (await statusOf(page)).startsWith("subscribed to"));
  }
  const last = await firefox.newPage(address);
  await eventually(async () => (await statusOf(last)).startsWith("waiting for a connection to"), 20_000);
});

test(
  "an ended channel has its own words, and a channel of which everything was read answers with its end",
  threeMinutes,
  async () => {
    await hub.channel("over").publish("1");
    await hub.channel("over").end();
    const page = await open("?channel=over");
    await waitForStatus(page, "/channels/over has ended");
    assert.equal(await connectionState(page), "ended");
    await help(page).getByText("The next publish opens the channel again").waitFor();
    await hub.channel("over").publish("2");
    await clickSubscribe(page);
    await waitForStatus(page, "subscribed to");
    await page.context().close();
  },
);

test(
  "a hub that wants a token says how to make it, and the token in the field is read and counted down",
  threeMinutes,
  async () => {
    const page = await open("?channel=foo,bar.1", closed);
    await waitForStatus(page, "was refused: ");
    await help(page).getByText("This hub needs a valid token.").waitFor();
    const command = "npx sse-broadcaster token --subscribe foo --subscribe bar.1 --publish foo --publish bar.1";
    assert.equal(await help(page).locator("code").textContent(), command);

    const info = page.locator("#token-info");
    await field(page, "Token").fill("no token");
    await info.getByText("This is not a JWT").waitFor();
    const claims = {
      subscribe: ["foo", "b*"],
      publish: ["foo"],
      sub: "ann",
      exp: Math.floor(Date.now() / 1_000) + 3_700,
    };
    await field(page, "Token").fill(await mint(claims));
    await info.getByText("Subject ann. Subscribes to foo, b*. Publishes to foo.").waitFor();
    assert.match(await info.textContent(), /^Expires in 1 h 1 min\./);
    await field(page, "Channel").fill("foo,other");
    await info.getByText("Does not subscribe to other.").waitFor();
    await field(page, "Token").fill(await mint({ ...claims, exp: Math.floor(Date.now() / 1_000) + 8 }));
    await eventually(async () => /Expires in [1-5] s/.test(await info.textContent()));
    await eventually(async () => /^Expired \d+ s ago/.test(await info.textContent()));

    await clickSubscribe(page, await mint({ subscribe: ["foo"] }));
    await help(page).getByText("The token does not permit this.").waitFor();
    await clickSubscribe(page, await mint());
    await waitForStatus(page, "subscribed to");
    assert.equal(await help(page).isVisible(), false);
    await page.context().close();
  },
);

test("the console asks for the counters only with a token that permits it", threeMinutes, async () => {
  for (const { claims, expected } of [
    { claims: { subscribe: ["reader"] }, expected: "–" },
    { claims: { subscribe: ["writer"], publish: ["writer"] }, expected: "1" },
  ]) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const asked = [];
    page.on("request", (request) => request.url().endsWith("/stats") && asked.push(request.url()));
    await page.goto(`${closed.origin}/?channel=${claims.subscribe[0]}&token=${await mint(claims)}`);
    await waitForStatus(page, "subscribed to");
    await eventually(async () => (await page.locator("#subscribers").textContent()) === expected);
    await page.waitForTimeout(500);
    assert.equal(asked.length, expected === "1" ? 1 : 0);
    await context.close();
  }
});

test("the link to share has the parameters and no token, and opens the same view", threeMinutes, async () => {
  const page = await open(`?channel=foo,bar&history=3&types=score&token=${await mint()}`, closed);
  await waitForStatus(page, "subscribed to");
  const copy = page.getByRole("button", { name: "Copy link" });
  await Promise.all([page.getByRole("button", { name: "Copied" }).waitFor(), copy.click()]);
  assert.equal(await copied(page), `${closed.origin}/?channel=foo%2Cbar&history=3&types=score`);
  await page.context().close();
});

test("the numbers for dropped events and gaps count events, and the log says which ones", threeMinutes, async () => {
  const small = await startWorkerd({ HISTORY_EVENTS: "5" }, { withConsole: true });
  const channel = small.channel("gap");
  await channel.publish("1");
  const page = await open("?channel=gap", small);
  await waitForStatus(page, "subscribed to");
  // The page must not be back before all events are published.
  await page.context().setOffline(true);
  await small.restart();
  await channel.publishBatch(Array.from({ length: 10 }, (_, n) => String(n)));
  await page.context().setOffline(false);
  await waitForItem(page, "hub.gap: 5 events from");
  await eventually(async () => (await page.locator("#gaps").textContent()) === "5");
  assert.equal(await page.locator("#dropped").textContent(), "0");
  await page.context().close();
});

test(
  "on a narrow screen, the form of the connection is folded once it is connected, and the page is not wider",
  threeMinutes,
  async () => {
    const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
    const page = await context.newPage();
    await page.goto(`${hub.origin}/?channel=phone&history=5`);
    await waitForStatus(page, "subscribed to");
    assert.equal(await page.locator("#connection").getAttribute("open"), null);
    for (let n = 0; n < 30; n++) await hub.channel("phone").publish(`${n} ${"long".repeat(200)}`);
    await waitForItem(page, "message: 29 ");
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
    await page.mouse.wheel(0, 2_000);
    await page.waitForTimeout(300);
    assert.ok(await page.locator("#status").isVisible());
    assert.equal(await page.locator("#bar").evaluate((bar) => Math.round(bar.getBoundingClientRect().top)), 0);
    await page.getByText("Connection", { exact: true }).click();
    await clickSubscribe(page);
    await waitForStatus(page, "subscribed to");
    await context.close();
  },
);
