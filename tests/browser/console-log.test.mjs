// The log of the console: JSON, folding, copying, Pause, Clear and the filters.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import {
  clickBroadcast,
  eventData,
  field,
  itemTexts,
  logRows,
  waitForItem,
  waitForStatus,
} from "../support/console-page.mjs";
import { numbers } from "../support/numbers.mjs";
import { eventually, threeMinutes } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const browser = await openBrowser();
const hub = await startWorkerd({}, { withConsole: true });

/** Opens the console on a channel with this id. Returns the page and the channel. */
async function openLog(id, query = "") {
  const channel = hub.channel(id);
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  await page.goto(`${hub.origin}/?channel=${id}${query}`);
  await waitForStatus(page, "subscribed to");
  return { page, channel };
}

const click = (page, name) => page.getByRole("button", { name, exact: true }).click();

test(
  "the console prints JSON with one member a line, folds it at eight lines, and copies the original",
  threeMinutes,
  async () => {
    const { page, channel } = await openLog("json");
    const text = '{"big":12345678901234567890,"list":[1,[],{"a":"b: {,}"}],"x":null,"x":true,"empty":{}}';
    await channel.publish(text);
    const printed = [
      "{",
      '  "big": 12345678901234567890,',
      '  "list": [',
      "    1,",
      "    [],",
      "    {",
      '      "a": "b: {,}"',
      "    }",
      "  ],",
      '  "x": null,',
      '  "x": true,',
      '  "empty": {}',
      "}",
    ];
    const row = logRows(page).first();
    await row.getByRole("button", { name: "Show all 13 lines" }).waitFor();
    assert.equal(await row.locator(".data").textContent(), printed.slice(0, 8).join("\n"));
    await row.getByRole("button", { name: "Show all 13 lines" }).click();
    assert.equal(await row.locator(".data").textContent(), printed.join("\n"));
    await row.getByRole("button", { name: "Show less" }).click();
    assert.equal(await row.locator(".data").textContent(), printed.slice(0, 8).join("\n"));
    const copy = row.getByRole("button", { name: /^Copy the data of / });
    await Promise.all([row.getByText("Copied").waitFor(), copy.click()]);
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
    await page.context().close();
  },
);

test(
  "the console shows text that is not JSON as it is, folds long text, and sets its direction",
  threeMinutes,
  async () => {
    const { page, channel } = await openLog("text");
    const broken = '{"a":1';
    const lines = numbers(9).join("\n");
    for (const text of [broken, "שלום", lines, "x".repeat(5_000), `${"[".repeat(40)}${"]".repeat(40)}`]) {
      await channel.publish(text);
    }
    await eventually(async () => (await eventData(page)).length === 5);
    const [nested, long, nine, right, plain] = await eventData(page);
    assert.deepEqual([plain, right, nine], [broken, "שלום", numbers(8).join("\n")]);
    assert.equal(long, `${"x".repeat(1_000)}…`);
    assert.equal(nested, `${"[".repeat(40)}${"]".repeat(40)}`, "deep JSON is not indented");
    const directions = await page
      .locator("#rows .data")
      .evaluateAll((all) => all.map((one) => getComputedStyle(one).direction));
    assert.deepEqual(directions, ["ltr", "ltr", "ltr", "rtl", "ltr"]);
    await logRows(page).nth(1).getByRole("button", { name: "Show all of it" }).click();
    assert.equal((await eventData(page))[1].length, 5_000);
    await page.context().close();
  },
);

test("each row has the time, the type and the id of its event, and the bar counts", threeMinutes, async () => {
  const { page, channel } = await openLog("about");
  const before = Date.now();
  const { id } = await channel.publish("1");
  await waitForItem(page, "message: 1");
  const row = logRows(page).first();
  const time = Date.parse(await row.locator("time").getAttribute("datetime"));
  assert.ok(time >= before - 1 && time <= Date.now() + 1);
  assert.match(await row.locator("time").textContent(), /^\d\d:\d\d:\d\d\.\d{3}$/);
  assert.equal(await row.locator(".id").textContent(), id);
  await eventually(async () => (await page.locator("#received").textContent()) === "1");
  await eventually(async () => (await page.locator("#subscribers").textContent()) === "1");
  await clickBroadcast(page, "own");
  await eventually(async () => /^[\d.,]+ ms$/.test(await page.locator("#delay").textContent()));
  await page.context().close();
});

test("Pause holds the log while events are counted, and then shows all of them", threeMinutes, async () => {
  const { page, channel } = await openLog("pause");
  await channel.publish("out");
  await waitForItem(page, "message: out");
  await click(page, "Pause");
  assert.equal(await page.locator("#log").getAttribute("aria-live"), "off");
  await channel.publishBatch(["low", "slow", "hello"]);
  await page.getByText("Paused. 3 new rows waiting.").waitFor();
  assert.deepEqual(await eventData(page), ["out"]);
  // A filter does not show events that wait. No id matches this one, because the base32 of ids has no "l" and no "o".
  await page.getByLabel("Filter by text").fill("hello");
  await page.getByText("Paused. 1 new row waiting.").waitFor();
  assert.deepEqual(await eventData(page), []);
  await page.getByLabel("Filter by text").fill("");
  await page.getByText("Paused. 3 new rows waiting.").waitFor();
  assert.deepEqual(await eventData(page), ["out"]);
  await eventually(async () => (await page.locator("#received").textContent()) === "4");
  await click(page, "Go on");
  await waitForItem(page, "message: hello");
  assert.deepEqual(await itemTexts(page), ["message: out", "message: low", "message: slow", "message: hello"]);
  await page.context().close();
});

test("while the user reads further down, rows do not move, and a button shows the new ones", threeMinutes, async () => {
  const { page, channel } = await openLog("reading");
  await channel.publishBatch(numbers(80));
  await waitForItem(page, "message: 80");
  await page.locator("#log").evaluate((list) => list.scrollTo(0, 600));
  await page.waitForTimeout(200);
  await channel.publishBatch(["81", "82"]);
  await page.getByRole("button", { name: "2 new rows above" }).waitFor();
  assert.equal((await eventData(page))[0], "80");
  assert.equal(await page.locator("#log").evaluate((list) => list.scrollTop), 600);
  await click(page, "2 new rows above");
  await waitForItem(page, "message: 82");
  assert.equal(await page.locator("#log").evaluate((list) => list.scrollTop), 0);
  await page.context().close();
});

test("Clear empties the log, and the next events appear", threeMinutes, async () => {
  const { page, channel } = await openLog("clear");
  await channel.publish("1");
  await waitForItem(page, "message: 1");
  await click(page, "Clear");
  assert.deepEqual(await itemTexts(page), []);
  await page.getByText("No events yet.").waitFor();
  await channel.publish("2");
  await waitForItem(page, "message: 2");
  assert.deepEqual(await itemTexts(page), ["message: 2"]);
  await page.context().close();
});

test(
  "the filters show the events with a text or of a type, old and new, and the address keeps the types",
  threeMinutes,
  async () => {
    const { page, channel } = await openLog("filters");
    const publish = (type, body) => fetch(`${channel.url}/broadcast?event=${type}`, { method: "POST", body });
    await publish("score", "Home 1");
    await publish("tick", "home 2");
    await publish("score", "away 3");
    await waitForItem(page, "score: away 3");
    await field(page, "Filter by text").fill("HOME");
    await eventually(async () => (await eventData(page)).length === 2);
    await click(page, "score");
    assert.deepEqual(await itemTexts(page), ["score: Home 1"]);
    assert.equal(new URL(page.url()).searchParams.get("types"), "score");
    await publish("tick", "home 4");
    await publish("score", "home 5");
    await waitForItem(page, "score: home 5");
    assert.deepEqual(await itemTexts(page), ["score: Home 1", "score: home 5"]);
    await field(page, "Filter by text").fill("nothing");
    await page.getByText("No event matches the filter.").waitFor();
    await field(page, "Filter by text").fill("");
    await click(page, "score");
    await eventually(async () => (await eventData(page)).length === 5);
    assert.equal(new URL(page.url()).searchParams.has("types"), false);

    await page.goto(`${hub.origin}/?channel=filters&history=5&types=tick`);
    await waitForItem(page, "tick: home 4");
    assert.deepEqual(await itemTexts(page), ["tick: home 2", "tick: home 4"]);
    await page.context().close();
  },
);

test("the address keeps a selected type that contains a comma", threeMinutes, async () => {
  const { page, channel } = await openLog("commas");
  const type = "a,100%2C";
  await fetch(`${channel.url}/broadcast?event=${encodeURIComponent(type)}`, { method: "POST", body: "1" });
  await channel.publish("2");
  await waitForItem(page, "message: 2");
  await click(page, type);
  await eventually(async () => (await eventData(page)).length === 1);
  await page.goto(`${page.url()}&history=2`);
  await waitForItem(page, `${type}: 1`);
  await page.locator("#types [aria-pressed=true]", { hasText: type }).waitFor();
  assert.equal(await page.locator("#types [aria-pressed=true]").count(), 1);
  assert.deepEqual(await eventData(page), ["1"]);
  await page.context().close();
});
