// Runs the documentation's scripts for pages in Chromium.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import { namedBlock } from "../support/markdown.mjs";
import { eventually } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const browser = await openBrowser();
const site = await startWebsite();
const minute = { timeout: 60_000 };

/**
 * Runs `code` as the script of an empty page of another origin than the hub's. Returns the page and the lines of its
 * console.
 */
async function openPage(hub, code) {
  const page = await browser.newPage();
  const lines = [];
  page.on("console", (message) => lines.push(message.text()));
  await page.goto(`${site}/empty`);
  await page.addScriptTag({ content: code.replace("http://127.0.0.1:8080", hub.origin) });
  return { page, lines };
}

/** Like `openPage`, but returns only the lines. */
const runInPage = async (hub, code) => (await openPage(hub, code)).lines;

test("the script of the README writes each event and its id to the console", minute, async () => {
  const hub = await startWorkerd();
  const channel = hub.channel("foo");
  const lines = await runInPage(hub, namedBlock("subscribe in a page"));
  await eventually(async () => (await channel.stats()).subscribers === 1);
  const { id } = await channel.publish("foo=bar");
  await eventually(() => lines.length > 0);
  assert.deepEqual(lines, [`${id} foo=bar`]);
});

test("the script of docs/api.md writes events with and without a type to the console", minute, async () => {
  const hub = await startWorkerd();
  const channel = hub.channel("foo");
  const lines = await runInPage(hub, namedBlock("subscribe in a browser"));
  await eventually(async () => (await channel.stats()).subscribers === 1);
  const { id } = await channel.publish("foo=bar");
  await channel.publish("7:3", { query: "?event=score" });
  await channel.publish("nobody waits for this type", { query: "?event=other" });
  await channel.publish("the last one");
  await eventually(() => lines.some((line) => line.endsWith("the last one")));
  assert.deepEqual(lines.slice(0, 2), [`${id} foo=bar`, "score 7:3"]);
  assert.equal(lines.length, 3);
});

test("the script of docs/delivery.md loads the state again when events are missing", minute, async () => {
  const hub = await startWorkerd();
  const channel = hub.channel("state");
  const { id } = await channel.publish("1");
  const unknown = `${channel.url}?last_event_id=1000000000000-5`;
  const lines = await runInPage(
    hub,
    `
    const source = new EventSource("${unknown}");
    const reload = (missing) => console.log(JSON.stringify(missing));
    ${namedBlock("reload at a notice")}`,
  );
  await eventually(() => lines.length > 0);
  const [epoch] = id.split("-");
  assert.deepEqual(JSON.parse(lines[0]), { channel: "state", count: null, from: null, to: `${epoch}-0` });
});

test("the script of docs/several-channels.md writes the channel of each event to the console", minute, async () => {
  const hub = await startWorkerd();
  const [orders, user] = [hub.channel("orders"), hub.channel("user.42")];
  const lines = await runInPage(hub, namedBlock("subscribe to several channels in a page"));
  await eventually(async () => (await user.stats()).subscribers === 1 && (await orders.stats()).subscribers === 1);
  await orders.publish("paid");
  await eventually(() => lines.length === 1);
  await user.publish("mail");
  await eventually(() => lines.length === 2);
  assert.deepEqual(lines, ["orders paid", "user.42 mail"]);
});

test(
  "the script of docs/several-channels.md changes the list and misses no event of the channel that stays",
  minute,
  async () => {
    const hub = await startWorkerd();
    const [orders, other, next] = ["orders", "user.42", "user.43"].map((id) => hub.channel(id));
    for (const channel of [orders, other, next]) await channel.publish("before");
    const { page, lines } = await openPage(hub, namedBlock("change the list of channels in a page"));
    await eventually(async () => (await other.stats()).subscribers === 1 && (await orders.stats()).subscribers === 1);
    await orders.publish("1");
    await eventually(() => lines.length === 1);
    await page.evaluate("source.close()");
    await orders.publish("2");
    await other.publish("of a channel that has left the list");
    await page.evaluate("follow(['orders', 'user.43'])");
    await eventually(() => lines.length === 2);
    await eventually(async () => (await next.stats()).subscribers === 1);
    await next.publish("3");
    await eventually(() => lines.length === 3);
    assert.deepEqual(lines, ["orders 1", "orders 2", "user.43 3"]);
  },
);
