// examples/ticker: the same page in React, Vue, Svelte and htmx shows the newest price of each symbol.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openBrowserFor, runExample, serveExample } from "../support/examples.mjs";
import { eventually } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const SYMBOLS = ["ACME", "GLOBEX", "INITECH"];

const hub = await startWorkerd({}, { withConsole: true });
const site = await serveExample("ticker/serve.mjs", hub);
const browser = await openBrowserFor(hub);
runExample("ticker/publish.mjs", hub);
await eventually(async () => (await hub.channel("ticker").history()).events.length >= SYMBOLS.length);

/** Returns the prices that a page shows, by symbol. */
function pricesOf(page) {
  return page.evaluate(() => {
    const rows = [...document.querySelectorAll("tr")];
    return Object.fromEntries(rows.map((row) => [...row.children].map(({ textContent }) => textContent)));
  });
}

for (const framework of ["react", "vue", "svelte", "htmx"]) {
  test(`the ${framework} page shows the newest price of each symbol`, { timeout: 60_000 }, async () => {
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(`${site}/${framework}/`);
    await eventually(async () => Object.values(await pricesOf(page)).filter(Boolean).length === SYMBOLS.length);
    const first = await pricesOf(page);
    assert.deepEqual(Object.keys(first).sort(), SYMBOLS);
    await eventually(async () => {
      const prices = await pricesOf(page);
      return SYMBOLS.every((symbol) => prices[symbol] !== first[symbol]);
    });
    for (const price of Object.values(await pricesOf(page))) assert.match(price, /^\d+\.\d\d$/);
    assert.deepEqual(errors, []);
    await page.close();
  });
}
