// The view History of the console: pages of stored events.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import { field, waitForStatus } from "../support/console-page.mjs";
import { numbers } from "../support/numbers.mjs";
import { eventually, threeMinutes } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const browser = await openBrowser();
const hub = await startWorkerd({ HISTORY_EVENTS: "110" }, { withConsole: true });

const click = (page, name) => page.getByRole("button", { name, exact: true }).click();
/** Waits until the page says this about the history, and returns the data of its rows. */
async function pageOf(page, words) {
  await page.locator("#history-state", { hasText: words }).waitFor();
  return page.locator("#page-rows .data").allTextContents();
}

test("the history has pages of 50 events, oldest first, forwards and backwards", threeMinutes, async () => {
  const channel = hub.channel("paged");
  await channel.publishBatch(numbers(90));
  await channel.publishBatch(numbers(40, 91));
  const page = await browser.newPage();
  await page.goto(`${hub.origin}/?channel=paged`);
  await waitForStatus(page, "subscribed to");
  await click(page, "History");
  const first = await pageOf(page, "Page 1: 50 events.");
  assert.equal(first.length, 50);
  const oldest = Number(first[0]);
  assert.ok(oldest > 1, "the hub has removed the oldest events");
  assert.deepEqual(first, numbers(50, oldest));
  assert.ok(await page.getByRole("button", { name: "Previous" }).isDisabled());
  await click(page, "Next");
  assert.deepEqual(await pageOf(page, "Page 2: 50 events."), numbers(50, oldest + 50));
  await click(page, "Next");
  assert.deepEqual(await pageOf(page, "Page 3: "), numbers(131 - oldest - 100, oldest + 100));
  await click(page, "Previous");
  assert.deepEqual(await pageOf(page, "Page 2: 50 events."), numbers(50, oldest + 50));
  await click(page, "Previous");
  assert.deepEqual(await pageOf(page, "Page 1: 50 events."), first);

  const { events } = await channel.history();
  await field(page, "After the id").fill(events[1].id);
  await click(page, "Read");
  await eventually(async () => (await pageOf(page, "Page 1: 50 events."))[0] === String(oldest + 2));
  const [epoch] = events[0].id.split("-");
  await field(page, "After the id").fill(`${epoch}-1`);
  await click(page, "Read");
  await pageOf(page, "not stored any more before this page.");

  // The live view has gone on in the meantime.
  await channel.publish("live");
  await click(page, "Live");
  await page.locator("#rows .data", { hasText: "live" }).waitFor();
  await page.close();
});

test(
  "the view shows the history of the chosen channel, with types, and says that a channel has ended",
  threeMinutes,
  async () => {
    await hub.channel("one").publish("1");
    await fetch(`${hub.channel("two").url}/end?event=result`, { method: "POST", body: '{"home":7}' });
    const page = await browser.newPage();
    await page.goto(`${hub.origin}/?channel=one,two`);
    await waitForStatus(page, "subscribed to");
    await click(page, "History");
    assert.deepEqual(await pageOf(page, "Page 1: 1 event."), ["1"]);
    await page.getByRole("combobox", { name: "History of" }).selectOption("two");
    assert.deepEqual(await pageOf(page, "Page 1: 1 event. The channel has ended."), ['{\n  "home": 7\n}']);
    assert.equal(await page.locator("#page-rows .type").textContent(), "result");
    assert.ok(await page.getByRole("button", { name: "Next" }).isDisabled());
    await page.close();
  },
);
