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

/** Runs `code` as the script of an empty page of another origin than the hub's. Returns the lines of the page's console. */
async function runInPage(hub, code) {
  const page = await browser.newPage();
  const lines = [];
  page.on("console", (message) => lines.push(message.text()));
  await page.goto(`${site}/empty`);
  await page.addScriptTag({ content: code.replace("http://127.0.0.1:8080", hub.origin) });
  return lines;
}

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
