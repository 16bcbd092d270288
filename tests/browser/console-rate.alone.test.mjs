// The log of the console with many events. It measures time, so it runs alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openBrowser } from "../support/browser.mjs";
import { eventData, logRows, waitForStatus } from "../support/console-page.mjs";
import { numbers } from "../support/numbers.mjs";
import { eventually, threeMinutes } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const browser = await openBrowser();
const hub = await startWorkerd({ HISTORY_EVENTS: "10000" }, { withConsole: true });

/** Opens the console on a channel with this id. Returns the page and the channel. */
async function openLog(id) {
  const channel = hub.channel(id);
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${hub.origin}/?channel=${id}`);
  await waitForStatus(page, "subscribed to");
  return { page, channel };
}

test(
  "the console keeps the newest 5,000 rows, says so, and makes rows for older events when the user scrolls",
  threeMinutes,
  async () => {
    const { page, channel } = await openLog("many");
    for (let n = 0; n < 52; n++) await channel.publishBatch(numbers(100, n * 100));
    await eventually(async () => (await page.locator("#received").textContent()) === "5,200", 30_000);
    await eventually(async () => (await eventData(page))[0] === "5199");
    assert.ok((await logRows(page).count()) <= 200, "the page has rows only for the newest events");
    const log = page.locator("#log");
    for (const end = Date.now() + 40_000; Date.now() < end && (await logRows(page).count()) < 5_000; ) {
      await log.evaluate((list) => list.scrollTo(0, list.scrollHeight));
      await page.waitForTimeout(50);
    }
    const all = await eventData(page);
    assert.deepEqual([all.length, all[0], all.at(-1)], [5_000, "5199", "200"]);
    const words = "The page keeps the newest 5,000 rows and 16 MiB of data; 200 older rows removed.";
    assert.equal(await page.locator("#older").textContent(), words);
    await page.context().close();
  },
);

test(
  "with 200 events a second for 6 s, no task of the page takes longer than 200 ms, and no event is missing",
  threeMinutes,
  async () => {
    const { page, channel } = await openLog("rate");
    await page.evaluate(() => {
      window.received = [];
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) window.received.push(Math.round(duration));
      }).observe({ type: "longtask" });
    });
    const start = Date.now();
    for (let n = 0; n < 60; n++) {
      const events = numbers(20, n * 20).map(
        (text) => `{"n":${text},"state":"running","items":[1,2,3],"text":"${"x".repeat(40)}"}`,
      );
      await channel.publishBatch(events);
      await sleep(Math.max(0, start + (n + 1) * 100 - Date.now()));
    }
    await eventually(async () => (await page.locator("#received").textContent()) === "1,200");
    const long = await page.evaluate(() => window.received);
    console.log(`long tasks with 200 events/s, in ms: ${JSON.stringify(long)}`);
    assert.ok(Math.max(0, ...long) <= 200, `long tasks: ${long}`);
    assert.notEqual(await page.locator("#sparkline polyline").getAttribute("points"), "0,20 58,20");
    const rate = Number(await page.locator("#rate").textContent());
    assert.ok(rate > 20 && rate < 400, `rate: ${rate}`);
    await page.context().close();
  },
);
