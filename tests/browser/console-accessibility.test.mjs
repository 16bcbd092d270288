// The console for everybody: axe finds nothing, contrast, labels and sizes are right, in Chromium and Firefox, on a wide
// and on a narrow screen, in light and dark colours.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AXE, FINDINGS, LOOKS } from "../support/accessibility.mjs";
import { openBrowser } from "../support/browser.mjs";
import { openFirefox } from "../support/firefox.mjs";
import { missingTool } from "../support/snippets.mjs";
import { SECRET } from "../support/tokens.mjs";
import { eventually } from "../support/wait.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({}, { withConsole: true });
const closed = await startTokenHub({ JWT_SECRET: SECRET }, { withConsole: true });
const SIZES = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
];
const SCHEMES = /** @type {const} */ (["light", "dark"]);

const channel = hub.channel("seen");
await channel.publish('{"a":[1,2,3,4,5,6,7,8,9],"b":{"c":"d"}}', { headers: {} });
await fetch(`${channel.url}/broadcast?event=score`, { method: "POST", body: "שלום 7:3" });

const click = (id) => `document.getElementById("${id}").click();`;

/**
 * What the page shows: [the words for it, the hub, the query, the statements that show it, the words that appear].
 * @type {[string, { origin: string }, string, string, string][]}
 */
const VIEWS = [
  ["events, a receipt and a failure", hub, "?channel=seen,other&history=5", publishTwice(), "not sent"],
  ["the history", hub, "?channel=seen", click("show-history"), "Page 1"],
  ["the dialog with code", hub, "?channel=seen", click("code"), "curl"],
  ["the dialog before an end", hub, "?channel=seen", click("end"), "hub.end"],
  ["a hub that wants a token", closed, "?channel=seen", "", "npx sse-broadcaster token"],
];

/** Statements that publish once with success and once without. The panel Publish is folded on a narrow screen. */
function publishTwice() {
  return `document.getElementById("publishing").open = true;
    document.getElementById("connection").open = true;
    const { type, data } = document.getElementById("publish").elements;
    document.getElementById("publish").requestSubmit();
    setTimeout(() => {
      type.value = "hub.bad";
      document.getElementById("publish").requestSubmit();
    }, 500);`;
}

/**
 * Opens the views one after the other, and returns the findings in them.
 * @param {(url: string) => Promise<{ run: (script: string) => Promise<unknown>, valueOf: (script: string) => Promise<any>, close: () => Promise<unknown> }>} open
 */
async function findings(open) {
  const found = [];
  for (const [words, of, query, show, expected] of VIEWS) {
    const page = await open(`${of.origin}/${query}`);
    await eventually(async () => (await page.valueOf("document.getElementById('status').textContent")) !== "", 20_000);
    await eventually(
      async () => /subscribed|refused/.test(await page.valueOf("document.getElementById('status').textContent")),
      20_000,
      `the page shows ${words}: it is connected`,
    );
    if (show) await page.run(`{ ${show} }`);
    const appears = `document.body.innerText.includes(${JSON.stringify(expected)})`;
    await eventually(() => page.valueOf(appears), 20_000, `the page shows ${words}`);
    await page.run(AXE);
    await page.run(LOOKS);
    const wrong = [...(await page.valueOf(FINDINGS)), ...(await page.valueOf("looks()"))];
    // A browser opens at most six connections to a hub.
    await page.close();
    found.push(...wrong.map((problem) => `${words}: ${problem}`));
  }
  return found;
}

for (const colorScheme of SCHEMES) {
  test(`the console is accessible in Chromium in ${colorScheme} colours, wide and narrow`, {
    timeout: 120_000,
  }, async () => {
    const browser = await openBrowser();
    for (const viewport of SIZES) {
      const context = await browser.newContext({ viewport, colorScheme });
      const found = await findings(async (url) => {
        const page = await context.newPage();
        await page.goto(url);
        return {
          run: (script) => page.evaluate(`${script};0`),
          valueOf: (expression) => page.evaluate(expression),
          close: () => page.close(),
        };
      });
      assert.deepEqual(found, [], `${viewport.width} pixels`);
      await context.close();
    }
  });

  const skip = missingTool("firefox-esr", "firefox-esr");
  test(`the console is accessible in Firefox in ${colorScheme} colours, wide and narrow`, {
    timeout: 180_000,
    skip,
  }, async () => {
    const firefox = await openFirefox({ colorScheme });
    for (const viewport of SIZES) {
      const found = await findings((url) => firefox.newPage(url, viewport));
      assert.deepEqual(found, [], `${viewport.width} pixels`);
    }
  });
}
