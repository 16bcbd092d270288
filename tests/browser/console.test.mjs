// The console and its stream: notices, a restart of the hub, the end of the channel.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import { items as allItems, itemTexts, notices, waitForItem, waitForStatus } from "../support/console-page.mjs";
import { eventually } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const browser = await openBrowser();

/** Opens the console and waits until it has subscribed to a channel. */
async function openConsole(hub, channel, query = "") {
  const page = await browser.newPage();
  await page.goto(`${hub.origin}/?channel=${channel.id}${query}`);
  await waitForStatus(page, `subscribed to ${channel.url}`);
  return page;
}

/** Returns the texts and ids of the log, oldest first. */
const items = async (page) => (await allItems(page)).map(([, text, id]) => [text, id]);

test("the console shows ids, and resumes after a restart of the hub without a missing event", {
  timeout: 180_000,
}, async () => {
  const hub = await startWorkerd({}, { withConsole: true });
  const channel = hub.channel("restart");
  const page = await openConsole(hub, channel);
  const { id } = await channel.publish("1");
  await waitForItem(page, "message: 1");
  await hub.kill();
  await waitForStatus(page, `connection lost; reconnecting to ${channel.url}`);
  await hub.start();
  for (let n = 2; n <= 50; n++) await channel.publish(String(n));
  await waitForItem(page, "message: 50");
  const [epoch] = id.split("-");
  const expected = Array.from({ length: 50 }, (_, n) => [`message: ${n + 1}`, `${epoch}-${n + 1}`]);
  assert.deepEqual(await items(page), expected);
  await page.close();
});

for (const before of [["1"], []]) {
  const when = before.length > 0 ? "after an event" : "before its first event";
  test(`the console resumes ${when} although a proxy has answered with 502`, { timeout: 180_000 }, async () => {
    const hub = await startWorkerd({}, { withConsole: true });
    const channel = hub.channel("proxied");
    const page = await openConsole(hub, channel);
    for (const data of before) {
      await channel.publish(data);
      await waitForItem(page, `message: ${data}`);
    }
    // An EventSource does not reconnect after a status other than 200.
    await page.route(`${channel.url}**`, (route) => route.fulfill({ status: 502, body: "no hub" }));
    await hub.kill();
    await waitForStatus(page, `connection lost; reconnecting to ${channel.url}`);
    await hub.start();
    const missed = ["2", "3"];
    for (const data of missed) await channel.publish(data);
    await page.waitForResponse((response) => response.status() === 502);
    await page.unroute(`${channel.url}**`);
    await waitForItem(page, "message: 3");
    const expected = [...before, ...missed].map((data) => `message: ${data}`);
    assert.deepEqual(await itemTexts(page), expected);
    await page.close();
  });
}

test("the console starts with the history of its URL, and shows a gap", { timeout: 180_000 }, async () => {
  const hub = await startWorkerd({ HISTORY_EVENTS: "5" }, { withConsole: true });
  const channel = hub.channel("gap");
  await channel.publishBatch(["1", "2", "3"]);
  const page = await openConsole(hub, channel, "&history=2");
  await waitForItem(page, "message: 3");
  // The page must not be back before all events are published.
  await page.context().setOffline(true);
  await hub.restart();
  const { id } = await channel.publishBatch(Array.from({ length: 10 }, (_, n) => String(n + 4)));
  await page.context().setOffline(false);
  await waitForItem(page, "message: 13");
  const [epoch] = id.split("-");
  assert.deepEqual((await items(page)).slice(0, 4), [
    ["message: 2", `${epoch}-2`],
    ["message: 3", `${epoch}-3`],
    [`hub.gap: 5 events from ${epoch}-4 to ${epoch}-8 are not stored any more`, `${epoch}-8`],
    ["message: 9", `${epoch}-9`],
  ]);
  assert.equal(await notices(page).count(), 1);
  await page.close();
});

test("the console shows hub.dropped when it was too slow, and hub.end", { timeout: 120_000 }, async () => {
  const hub = await startWorkerd({}, { withConsole: true });
  const channel = hub.channel("slow");
  const page = await openConsole(hub, channel);
  // A page that computes does not read. The buffers in between take some megabytes before the stream backs up.
  const busy = page.evaluate((ms) => {
    const end = Date.now() + ms;
    while (Date.now() < end);
  }, 10_000);
  // Few and large batches need few commits, which are slow on some disks. All of them must come while the page computes.
  const batch = Array.from({ length: 15 }, () => "x".repeat(60_000));
  let dropped = 0;
  for (let n = 0; n < 130 && dropped === 0; n++) dropped += (await channel.publishBatch(batch)).dropped;
  assert.ok(dropped > 0, "the hub has dropped events");
  await busy;
  await notices(page).first().waitFor();
  const [notice] = (await items(page)).filter(([text]) => text.startsWith("hub."));
  assert.match(
    notice[0],
    /^hub\.dropped: \d+ events? from \S+-\d+ to \S+-\d+ were dropped, because this page was too slow$/,
  );
  assert.ok(notice[0].includes(` to ${notice[1]} `));
  await fetch(channel.url, { method: "DELETE" });
  await waitForItem(page, "hub.end: the channel has ended");
  await waitForStatus(page, `${channel.url} has ended`);
  await eventually(async () => (await channel.stats()).subscribers === 0);
  await page.close();
});
