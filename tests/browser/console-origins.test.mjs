// Pages of other origins, also the console: which of them can subscribe, with a token in the query or in a cookie.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clickBroadcast,
  itemTexts,
  newPage,
  openChannel,
  startConsole,
  threeMinutes,
  waitForItem,
  waitForReceipt,
  waitForStatus,
} from "../support/console.mjs";
import { mint } from "../support/tokens.mjs";
import { startWebsite } from "../support/website.mjs";

const site = await startWebsite();

test(
  "a console of an allowed origin works, and a console of another origin can neither subscribe nor publish",
  threeMinutes,
  async () => {
    const strict = await startConsole({ ALLOWED_ORIGINS: `https://a.example, ${site}` });
    const channel = await openChannel("origins", strict);
    const query = `?server=${strict.origin}&channel=origins&token=${await mint()}`;
    const page = await newPage();
    await page.goto(`${site}/${query}`);
    await waitForStatus(page, `subscribed to ${channel.url}`);
    await clickBroadcast(page, "allowed");
    await waitForItem(page, "message: allowed");
    const address = new URL(page.url());
    assert.deepEqual([address.origin, address.searchParams.has("token")], [site, false]);
    await page.context().close();

    const other = site.replace("127.0.0.1", "localhost");
    const foreign = await newPage();
    await foreign.goto(`${other}/${query}`);
    const unknown = `${strict.origin} has never answered, or pages of ${other} may not read its answers`;
    await waitForStatus(foreign, `${unknown}; reconnecting to ${channel.url}`);
    await clickBroadcast(foreign, "not allowed");
    await waitForReceipt(foreign, "not sent: ");
    assert.match((await channel.publish("2")).id, /-2$/, "the browser has sent a preflight request and no publish");
    await foreign.waitForTimeout(4_000);
    assert.deepEqual(await itemTexts(foreign), []);
    await foreign.context().close();

    // The hub's own console needs no permission.
    const own = await newPage();
    await own.goto(`${strict.origin}/${query}`);
    await waitForStatus(own, `subscribed to ${channel.url}`);
    await clickBroadcast(own, "own");
    await waitForItem(own, "message: own");
    await own.context().close();
  },
);

/**
 * Subscribes with an EventSource on a page of `origin` and publishes. Returns the data that the page receives, or
 * "closed" if the browser gives up.
 * @param {string} origin
 * @param {import("../support/hub.mjs").Channel} channel
 * @param {{ cookie?: string, withCredentials: boolean, query?: string }} options
 */
async function subscribeFrom(origin, channel, { cookie, withCredentials, query = "" }) {
  const page = await newPage(cookie);
  await page.goto(`${origin}/empty`);
  const result = await page.evaluate(
    ({ url, withCredentials }) =>
      new Promise((resolve) => {
        const source = new EventSource(url, { withCredentials });
        window.received = new Promise((receive) => {
          source.onmessage = ({ data }) => receive(data);
        });
        source.onopen = () => resolve("open");
        source.onerror = () => source.readyState === EventSource.CLOSED && resolve("closed");
      }),
    { url: channel.url + query, withCredentials },
  );
  if (result === "open") await channel.publish("x");
  const received = result === "open" ? await page.evaluate(() => window.received) : result;
  await page.context().close();
  return received;
}

test(
  "a page of an allowed origin subscribes with its cookie, and a page of another origin does not",
  threeMinutes,
  async () => {
    const strict = await startConsole({ ALLOWED_ORIGINS: site });
    const channel = await openChannel("credentials", strict);
    const cookie = await mint({ subscribe: ["credentials"] });
    const other = await startWebsite();
    const from = (origin, options) => subscribeFrom(origin, channel, { cookie, withCredentials: true, ...options });
    assert.equal(await from(site), "x");
    assert.equal(
      await from(site, { withCredentials: false }),
      "closed",
      "a browser sends a cookie only if the page asks for it",
    );
    assert.equal(await from(site, { cookie: undefined }), "closed");
    assert.equal(await from(other), "closed");
    // A browser accepts `*` only for requests without cookies.
    const open = await openChannel("credentials");
    const query = `?token=${cookie}`;
    assert.equal(await subscribeFrom(other, open, { withCredentials: false, query }), "x");
    assert.equal(await subscribeFrom(other, open, { cookie, withCredentials: true }), "closed");
  },
);
