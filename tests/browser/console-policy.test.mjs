// The console's Content-Security-Policy in a browser, with wrangler and on bare workerd.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clickBroadcast,
  clickSubscribe,
  hub as closed,
  newPage,
  openChannel,
  threeMinutes,
  waitForItem,
  waitForStatus,
} from "../support/console.mjs";
import { startHub } from "../support/hub.mjs";
import { startRecorder } from "../support/recorder.mjs";
import { FULL_ACCESS, mint } from "../support/tokens.mjs";
import { eventually } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hubs = { wrangler: await startHub(), "bare workerd": await startWorkerd({}, { withConsole: true }) };

/** Opens a URL, and checks that the response has a policy: without one, nothing could violate it. */
async function open(page, address) {
  const response = await page.goto(address);
  assert.ok((await response.allHeaders())["content-security-policy"]);
}

/** Opens a page that records the directives that something in it violates, and its errors. */
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
  test(`subscribing, publishing, hub.end and a reload do not violate the policy (${name})`, threeMinutes, async () => {
    const channel = hub.channel("ordinary");
    const { page, violations } = await watchedPage();
    for (const visit of ["first", "second"]) {
      if (visit === "first") await open(page, `${hub.origin}/?channel=ordinary`);
      // With wrangler the answer is 304, and the browser shows its stored page.
      else await page.reload();
      await waitForStatus(page, `subscribed to ${channel.url}`);
      await clickBroadcast(page, `${visit} <b>bold</b>`);
      await waitForItem(page, `message: ${visit} <b>bold</b>`);
    }
    const styled = await page.locator("#rows").evaluate((list) => getComputedStyle(list).listStyleType);
    assert.equal(styled, "none", "the console's style applies");
    await channel.delete();
    await waitForItem(page, "hub.end: ");
    await waitForStatus(page, "has ended");
    assert.deepEqual(violations, []);
    await page.context().close();
  });

  test(
    `the policy blocks scripts, handlers, frames, images and forms that are injected into the page (${name})`,
    threeMinutes,
    async () => {
      const recorder = await startRecorder();
      const { page, violations } = await watchedPage();
      await page.goto(`${hub.origin}/?channel=injected`);
      // A page that the browser has stored has its policy, too.
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
      await eventually(
        () => forbidden.every((directive) => violations.includes(directive)),
        10_000,
        "each directive is violated",
      );
      await page.waitForTimeout(500);
      assert.equal(await page.evaluate("window.ran"), undefined);
      assert.deepEqual(recorder.requests, []);
      await page.context().close();
    },
  );

  test(`no page can show the console in a frame (${name})`, threeMinutes, async () => {
    const channel = hub.channel("framed");
    const site = await startWebsite();
    const page = await newPage();
    for (const origin of [site, hub.origin]) {
      // The page of the hub's origin has no policy of its own, which could forbid frames, too.
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
    assert.equal((await channel.stats()).subscribers, 0, "the console has not run");
    await page.context().close();
  });
}

test(
  "an expired token, the next one and the server of another hub do not violate the policy",
  threeMinutes,
  async () => {
    const channel = await openChannel("policy");
    const { page, violations } = await watchedPage();
    const brief = await mint({ ...FULL_ACCESS, exp: Date.now() / 1_000 + 15 });
    const { origin } = hubs["bare workerd"];
    // The console of one hub connects to another one.
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
  },
);

test(
  "the page blocks injected scripts, images and forms also on a server that sends no policy, and works there",
  threeMinutes,
  async () => {
    const recorder = await startRecorder();
    const site = await startWebsite();
    const { page, violations } = await watchedPage();
    const response = await page.goto(`${site}/?server=${hubs["bare workerd"].origin}&channel=elsewhere`);
    assert.equal((await response.allHeaders())["content-security-policy"], undefined);
    await waitForStatus(page, "subscribed to");
    await clickBroadcast(page, "x");
    await waitForItem(page, "message: x");
    assert.deepEqual(violations, []);
    await page.evaluate((origin) => {
      const holder = document.createElement("div");
      holder.innerHTML = `<img src="${origin}/image" onerror="window.ran = 'handler'">
    <form action="${origin}/form"><input name="token" value="x"></form>`;
      const script = document.createElement("script");
      script.textContent = "window.ran = 'script'";
      document.body.append(holder, script);
      holder.querySelector("form").submit();
    }, recorder.origin);
    const forbidden = ["form-action", "img-src", "script-src-elem"];
    await eventually(() => forbidden.every((directive) => violations.includes(directive)), 10_000);
    await page.waitForTimeout(500);
    assert.equal(await page.evaluate("window.ran"), undefined);
    assert.deepEqual(recorder.requests, []);
    await page.context().close();
  },
);
