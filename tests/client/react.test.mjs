// The hook useChannel with React 19 in Chromium, in StrictMode, which mounts each component twice.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { buildSync } from "esbuild";
import { root } from "../../scripts/install.mjs";
import { openBrowser } from "../support/browser.mjs";
import { read } from "../support/sources.mjs";
import { eventually, untilSubscribers } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const browser = await openBrowser();
const site = await startWebsite();
const minute = { timeout: 60_000 };
const script = buildSync({
  entryPoints: [join(root, "tests", "support", "react-page.mjs")],
  bundle: true,
  format: "iife",
  write: false,
  define: { "process.env.NODE_ENV": '"development"' },
}).outputFiles[0].text;

/** Opens a page with React that uses a hub. */
async function open(hub) {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", ({ message }) => errors.push(message));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto(`${site}/empty`);
  await page.addScriptTag({ content: script });
  await page.evaluate(`begin(${JSON.stringify(hub.origin)})`);
  return {
    page,
    errors,
    show: (feed) => page.evaluate(`show(${JSON.stringify(feed)})`),
    items: () => page.locator("li").allTextContents(),
    status: (text) => eventually(async () => (await page.textContent("#status"))?.startsWith(text), 20_000, text),
  };
}

test("the tests use React 19, and the package works with React 18 and later", () => {
  const { devDependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(read("package.json"));
  assert.match(devDependencies.react, /^19\./);
  assert.deepEqual([peerDependencies.react, peerDependenciesMeta.react.optional], [">=18", true]);
});

test("useChannel renders the events, the newest one and the status, with one stream", minute, async () => {
  const hub = await startWorkerd({ HEARTBEAT_SECONDS: "1" });
  const channel = hub.channel("foo");
  const { errors, items, page, show, status } = await open(hub);
  await show({ channels: "foo", options: { parse: true, keep: 3 } });
  await status("open");
  await untilSubscribers(channel, 1);
  for (let n = 1; n <= 5; n++) await channel.publish(`{"n":${n}}`);
  await eventually(async () => (await page.textContent("#last")) === '{"n":5}');
  assert.deepEqual(await items(), ['foo {"n":3}', 'foo {"n":4}', 'foo {"n":5}']);
  await channel.end("6");
  await status("ended: every channel has ended");
  assert.deepEqual(await page.evaluate("ended"), ["foo"]);
  assert.deepEqual(errors, []);
});

test(
  "useChannel begins again if the channels change, goes on in other renders, and stops with its component",
  minute,
  async () => {
    const hub = await startWorkerd({ HEARTBEAT_SECONDS: "1" });
    const [one, two] = [hub.channel("one"), hub.channel("two")];
    const { errors, items, page, show, status } = await open(hub);
    await show({ channels: ["one"] });
    await status("open");
    await one.publish("1");
    await eventually(async () => (await items()).length === 1);
    // An equal list and other functions are no reason to begin again.
    await show({ channels: ["one"] });
    await one.publish("2");
    await eventually(async () => (await items()).length === 2);
    await show({ channels: ["one", "two"] });
    await eventually(async () => (await two.stats()).subscribers === 1, 20_000);
    await status("open");
    await two.publish("3");
    await eventually(async () => (await items()).length === 1);
    assert.deepEqual(await items(), ['two "3"']);
    await untilSubscribers(one, 1);
    await show({ channels: [] });
    await status("ended: no channel is named");
    await untilSubscribers(one, 0);
    await show({ channels: "two", options: { history: 1 } });
    await eventually(async () => (await items()).length === 1);
    await show(null);
    await untilSubscribers(two, 0);
    assert.equal(await page.locator("#status").count(), 0);
    assert.deepEqual(errors, []);
  },
);

test("useChannel renders a burst of 1,000 events in far fewer renders", minute, async () => {
  const hub = await startWorkerd();
  const channel = hub.channel("burst");
  const { page, show, status } = await open(hub);
  await show({ channels: "burst", options: { keep: 10 } });
  await status("open");
  for (let n = 0; n < 4; n++) await channel.publishBatch(Array.from({ length: 250 }, (_, m) => String(n * 250 + m)));
  await eventually(async () => (await page.textContent("#last")) === '"999"');
  const renders = await page.evaluate("renders");
  assert.ok(renders < 200, `${renders} renders`);
});

test("useChannel shows why the hub refuses", minute, async () => {
  const hub = await startTokenHub({ JWT_SECRET: "a secret of at least 32 characters" });
  const { show, status } = await open(hub);
  await show({ channels: "foo" });
  await status("refused: ");
});
