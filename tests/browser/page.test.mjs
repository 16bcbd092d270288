// The documented script for a page, which gets a new token whenever the old one has expired.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import { namedBlock } from "../support/markdown.mjs";
import { authorized, FULL_ACCESS, mint, SECRET } from "../support/tokens.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const TOKEN_MS = 4_000;

const lines = namedBlock("renew a token");

test("the documented script misses no event when a token expires, during a stream or while the hub is down", {
  timeout: 90_000,
}, async () => {
  const browser = await openBrowser();
  const site = await startWebsite();
  const hub = await startWorkerd({ ACCESS: "token", JWT_SECRET: SECRET, ALLOWED_ORIGINS: site });
  const channel = authorized(hub.channel("foo"), await mint({ ...FULL_ACCESS, exp: Date.now() / 1_000 + 600 }));
  const page = await browser.newPage();
  let expires = 0;
  let tokens = 0;
  await page.route("**/my-token", async (route) => {
    tokens += 1;
    // The site that issues tokens fails once.
    if (tokens === 2) return route.abort();
    expires = Date.now() + TOKEN_MS;
    return route.fulfill({ body: await mint({ subscribe: ["foo"], exp: expires / 1_000 }) });
  });
  await page.goto(`${site}/empty`);
  const code = lines.replace("https://your-hub.example", hub.origin);
  await page.evaluate((code) => {
    const script = document.createElement("script");
    script.textContent = `const shown = []; const show = (data) => shown.push(data); ${code}`;
    document.head.append(script);
  }, code);
  await eventually(async () => (await channel.stats()).subscribers === 1);

  let published = 0;
  const publish = async () => channel.publish(String(++published));
  while (tokens < 4) {
    await publish();
    await sleep(100);
  }
  await eventually(async () => (await channel.stats()).subscribers === 1);
  await hub.kill();
  await sleep(Math.max(0, expires - Date.now()) + 100);
  await hub.start();
  const before = tokens;
  for (let n = 0; n < 20; n++) await publish();
  await eventually(() => tokens > before, 20_000);
  const all = Array.from({ length: published }, (_, n) => String(n + 1));
  await eventually(async () => (await page.evaluate("shown.length")) >= published, 20_000);
  assert.deepEqual(await page.evaluate("shown"), all);
});
