// The panel Publish of the console: channel, type, formats, key, receipts and failures; and ending and deleting channels.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import {
  clickBroadcast,
  field,
  itemTexts,
  receipts,
  waitForItem,
  waitForReceipt,
  waitForStatus,
} from "../support/console-page.mjs";
import { eventually, threeMinutes } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const browser = await openBrowser();
// The hub notices at a heartbeat that a client has left.
const hub = await startWorkerd({ HEARTBEAT_SECONDS: "1" }, { withConsole: true });

/** Opens the console on a channel. */
async function openConsole(id) {
  const page = await browser.newPage();
  await page.goto(`${hub.origin}/?channel=${id}`);
  await waitForStatus(page, "subscribed to");
  return page;
}

/** Returns the stored events of a channel, each as `<type>: <data>`. */
async function stored(id) {
  const { events } = await hub.channel(id).history();
  return events.map(({ event = "message", data }) => `${event}: ${data}`);
}

const click = (page, name) => page.getByRole("button", { name, exact: true }).click();

test(
  "a publish has a type and several lines, and its receipt is shown beside the form, not as an event",
  threeMinutes,
  async () => {
    const page = await openConsole("lines");
    await field(page, "Event type").fill("score");
    await field(page, "Message").fill("7:3\nhalf-time");
    await field(page, "Message").press("Control+Enter");
    await waitForReceipt(page, /(?<!not )sent: to 1 stream, 0 dropped/);
    await waitForItem(page, "score: 7:3\nhalf-time");
    assert.deepEqual(await stored("lines"), ["score: 7:3\nhalf-time"]);
    assert.equal((await itemTexts(page)).length, 1);
    const [[channel, , id]] = await receipts(page);
    assert.deepEqual([channel, id], ["lines", (await hub.channel("lines").history()).events[0].id]);
    await page.close();
  },
);

test("the console publishes to the channel of its own field, and says where", threeMinutes, async () => {
  const page = await openConsole("here");
  assert.equal(await field(page, "Publish to").inputValue(), "here");
  await field(page, "Publish to").fill("there");
  await page.getByText(`POST ${hub.origin}/channels/there/broadcast`).waitFor();
  await clickBroadcast(page, "x");
  await waitForReceipt(page, /(?<!not )sent: to 0 streams, 0 dropped/);
  assert.deepEqual([await stored("there"), await stored("here")], [["message: x"], []]);
  assert.equal((await receipts(page))[0][0], "there");

  // A channel that is only typed for the next subscription changes nothing.
  await field(page, "Channel").fill("elsewhere");
  await field(page, "Publish to").fill("here");
  await clickBroadcast(page, "y");
  await waitForItem(page, "message: y");
  assert.deepEqual(await stored("elsewhere"), []);
  await page.close();
});

test("the console sends JSON as it is, and does not send a message that is not JSON", threeMinutes, async () => {
  const page = await openConsole("json");
  await page.getByRole("combobox", { name: "Format" }).selectOption("json");
  await clickBroadcast(page, '{"a": 12345678901234567890,}');
  await waitForReceipt(page, "not sent: the message is not JSON: ");
  assert.deepEqual(await stored("json"), []);
  await clickBroadcast(page, '{"a": 12345678901234567890}');
  await waitForReceipt(page, /(?<!not )sent: /);
  assert.deepEqual(await stored("json"), ['message: {"a": 12345678901234567890}']);
  await page.close();
});

test(
  "the console publishes a batch as a whole, also without an empty line at its end, or shows why not",
  threeMinutes,
  async () => {
    const page = await openConsole("batch");
    await page.getByRole("combobox", { name: "Format" }).selectOption("batch");
    await clickBroadcast(page, "event: score\ndata: 7:3\n\ndata: half-time");
    await waitForReceipt(page, /(?<!not )sent: 2 events to 1 stream, 0 dropped/);
    assert.deepEqual(await stored("batch"), ["score: 7:3", "message: half-time"]);
    await clickBroadcast(page, "event: hub.end\ndata: x\n\ndata: y");
    await waitForReceipt(page, "not sent: ");
    assert.equal((await stored("batch")).length, 2);
    await page.close();
  },
);

test(
  "a key that was used for another publish is a failure, and the same publish again is sent once",
  threeMinutes,
  async () => {
    const page = await openConsole("keys");
    await field(page, "Idempotency key").fill("mine");
    for (let n = 1; n <= 2; n++) {
      await clickBroadcast(page, "x");
      await eventually(async () => (await receipts(page)).length === n);
    }
    assert.deepEqual(await stored("keys"), ["message: x"]);
    await clickBroadcast(page, "y");
    await waitForReceipt(page, "not sent: The idempotency key was used before");
    assert.equal(await page.locator("#receipts .failed").count(), 1);
    await waitForItem(page, "message: x");
    assert.deepEqual(await itemTexts(page), ["message: x"]);
    await page.close();
  },
);

test(
  "while the hub is away, a publish is repeated, and after 15 s it is a failure that keeps the message and its key",
  threeMinutes,
  async () => {
    const other = await startWorkerd({}, { withConsole: true });
    const page = await browser.newPage();
    await page.goto(`${other.origin}/?channel=away`);
    await waitForStatus(page, "subscribed to");
    const keys = new Set();
    page.on("request", (request) => {
      if (request.url().endsWith("/broadcast")) keys.add(request.headers()["idempotency-key"]);
    });
    await other.kill();
    await clickBroadcast(page, "x");
    await waitForReceipt(page, "not sent: no answer within 15 s");
    assert.equal(await field(page, "Message").inputValue(), "x");
    await other.start();
    await click(page, "Broadcast");
    await waitForReceipt(page, /(?<!not )sent: /);
    assert.equal(keys.size, 1);
    const { events } = await other.channel("away").history();
    assert.equal(events.length, 1);
    await page.close();
  },
);

test("Unsubscribe closes the stream, and Subscribe opens it again", threeMinutes, async () => {
  const page = await openConsole("closing");
  const channel = hub.channel("closing");
  await eventually(async () => (await channel.stats()).subscribers === 1);
  await click(page, "Unsubscribe");
  await waitForStatus(page, `unsubscribed from ${channel.url}`);
  assert.equal(await page.locator("#status").getAttribute("data-state"), "closed");
  await eventually(async () => (await channel.stats()).subscribers === 0);
  assert.ok(await page.getByRole("button", { name: "Unsubscribe" }).isDisabled());
  await click(page, "Subscribe");
  await waitForStatus(page, `subscribed to ${channel.url}`);
  await page.close();
});

test("the console ends a channel only after a question, with a last event", threeMinutes, async () => {
  const page = await openConsole("ending");
  await click(page, "End a channel …");
  await page.getByRole("dialog").getByText("sends hub.end").waitFor();
  await click(page, "Cancel");
  await page.waitForTimeout(300);
  assert.equal((await hub.channel("ending").stats()).ended, false);
  await click(page, "End a channel …");
  await field(page, "Last event (optional)").fill("final score");
  await click(page, "End it");
  await waitForItem(page, "message: final score");
  await waitForItem(page, "hub.end: the channel has ended");
  await waitForStatus(page, "/channels/ending has ended");
  assert.equal(await page.locator("#status").getAttribute("data-state"), "ended");
  await page.locator("#help", { hasText: "The next publish opens the channel again" }).waitFor();
  assert.equal((await hub.channel("ending").stats()).ended, true);
  await page.close();
});

test("the console deletes a channel only after a question, and names the channel", threeMinutes, async () => {
  await hub.channel("deleting").publish("1");
  const page = await openConsole("deleting");
  await click(page, "Delete a channel …");
  assert.equal(await page.getByRole("combobox", { name: "Channel to delete" }).inputValue(), "deleting");
  await page.getByRole("dialog").getByText("cannot be undone").waitFor();
  await page.keyboard.press("Escape");
  await page.waitForTimeout(300);
  assert.equal((await stored("deleting")).length, 1);
  await click(page, "Delete a channel …");
  await click(page, "Delete it");
  await waitForItem(page, "hub.end: the channel has ended");
  assert.deepEqual(await stored("deleting"), []);
  await page.close();
});
