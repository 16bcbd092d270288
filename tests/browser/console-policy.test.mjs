// The console's Content-Security-Policy, as a browser applies it, under `wrangler dev` and on bare workerd.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clickBroadcast,
  clickSubscribe,
  hub as closed,
  minute,
  newPage,
  openChannel,
  waitForItem,
  waitForStatus,
} from "../support/console.mjs";
import { startHub } from "../support/hub.mjs";
import { startRecorder } from "../support/recorder.mjs";
import { FULL_ACCESS, mint } from "../support/tokens.mjs";
import { eventually } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hubs = { "wrangler dev": await startHub(), "bare workerd": await startWorkerd({}, { withConsole: true }) };

/** Opens an address, and checks that what came has a policy: without one, nothing could be violated. */
async function open(page, address) {
  const response = await page.goto(address);
  assert.ok((await response.allHeaders())["content-security-policy"]);
}

/** A page, and the directives that anything in it has violated: { page, violations }. */
async function watchedPage() {
  const page = await newPage();
  const violations = [];
  await page.exposeFunction("violated", (directive) => violations.push(directive));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", ({ effectiveDirective }) => window.violated(effectiveDirective));
  });
  page.on("pageerror", ({ message }) => violations.push(message));
  return { page, violations };
}

for (const [name, hub] of Object.entries(hubs)) {
  test(`${name}: subscribing, publishing, the end and a reload violate nothing`, minute, async () => {
    const channel = hub.channel("ordinary");
    const { page, violations } = await watchedPage();
    for (const visit of ["first", "second"]) {
      if (visit === "first") await open(page, `${hub.origin}/?channel=ordinary`);
      // Under `wrangler dev` the answer is 304: the browser shows the page that it has stored.
      else await page.reload();
      await waitForStatus(page, `subscribed to ${channel.url}`);
      await clickBroadcast(page, `${visit} <b>bold</b>`);
      await waitForItem(page, `message: ${visit} <b>bold</b>`);
    }
    const styled = await page.locator("#messages").evaluate((list) => getComputedStyle(list).listStyleType);
    assert.equal(styled, "none", "its style applies");
    await channel.end();
    await waitForItem(page, "hub.end: ");
    await waitForStatus(page, "has ended");
    assert.deepEqual(violations, []);
    await page.context().close();
  });

  test(`${name}: what somebody puts into the page does not run, and loads nothing`, minute, async () => {
    const recorder = await startRecorder();
    const { page, violations } = await watchedPage();
    await page.goto(`${hub.origin}/?channel=injected`);
    // The policy of a page that the browser has stored is still there.
    await page.reload();
    await waitForStatus(page, "subscribed to");
    await page.evaluate((origin) => {
      const script = document.createElement("script");
      script.textContent = "window.ran = 'script'";
      const foreign = document.createElement("script");
      foreign.src = `${origin}/script`;
      const holder = document.createElement("div");
      holder.innerHTML = `<img src="${origin}/image" onerror="window.ran = 'handler'">
        <iframe src="${origin}/frame"></iframe>
        <a href="javascript:void(window.ran = 'link')">link</a>
        <form action="${origin}/form"><input name="token" value="x"></form>`;
      document.body.append(script, foreign, holder);
      holder.querySelector("a").click();
      holder.querySelector("form").submit();
    }, recorder.origin);
    const forbidden = ["form-action", "frame-src", "img-src", "script-src-attr", "script-src-elem"];
    await eventually(() => forbidden.every((directive) => violations.includes(directive)), 10_000, "all are violated");
    await page.waitForTimeout(500);
    assert.equal(await page.evaluate("window.ran"), undefined);
    assert.deepEqual(recorder.requests, []);
    await page.context().close();
  });

  test(`${name}: no other page can frame it`, minute, async () => {
    const channel = hub.channel("framed");
    const site = await startWebsite();
    const page = await newPage();
    for (const origin of [site, hub.origin]) {
      // A page of the hub's own origin that has no policy which would forbid frames.
      await page.goto(origin === site ? `${site}/empty` : `${hub.origin}/healthz`);
      const refused = page.waitForEvent("console", (message) => /frame/i.test(message.text()));
      await page.evaluate((source) => {
        const frame = document.createElement("iframe");
        frame.src = source;
        document.body.append(frame);
      }, `${hub.origin}/?channel=framed`);
      assert.match((await refused).text(), /frame-ancestors 'none'/);
      await page.waitForTimeout(500);
    }
    assert.equal((await channel.stats()).subscribers, 0, "the page did not run");
    await page.context().close();
  });
}

test("a token, its end, the next one, and another hub's server violate nothing", minute, async () => {
  const channel = await openChannel("policy");
  const { page, violations } = await watchedPage();
  const brief = await mint({ ...FULL_ACCESS, exp: Date.now() / 1_000 + 4 });
  const { origin } = hubs["bare workerd"];
  // The console of one hub, for another one.
  await open(page, `${origin}/?server=${closed.origin}&channel=policy&token=${brief}`);
  await waitForStatus(page, `subscribed to ${channel.url}`);
  await clickBroadcast(page, "1");
  await waitForItem(page, "message: 1");
  await waitForStatus(page, "the token has expired");
  await channel.publish("2");
  await clickSubscribe(page, await mint());
  await waitForItem(page, "message: 2");
  assert.deepEqual(violations, []);
  await page.context().close();
});
