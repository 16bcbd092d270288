// Pages of other origins, the console among them: which of them hear something, with a token as query or as cookie.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clickBroadcast,
  itemTexts,
  minute,
  newPage,
  openChannel,
  startConsole,
  waitForItem,
  waitForStatus,
} from "../support/console.mjs";
import { mint } from "../support/tokens.mjs";
import { startWebsite } from "../support/website.mjs";

const site = await startWebsite();

test("ALLOWED_ORIGINS: the console of an origin on the list works, that of another hears nothing", minute, async () => {
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
  await waitForStatus(foreign, `no answer, or pages of ${other} may not read it; reconnecting to ${channel.url}`);
  await clickBroadcast(foreign, "not allowed");
  await waitForItem(foreign, "not sent: ");
  assert.match((await channel.publish("2")).id, /-2$/, "the browser has asked first, and not published");
  await foreign.waitForTimeout(4_000);
  assert.equal((await itemTexts(foreign)).length, 1);
  await foreign.context().close();

  // The hub's own console needs no list.
  const own = await newPage();
  await own.goto(`${strict.origin}/${query}`);
  await waitForStatus(own, `subscribed to ${channel.url}`);
  await clickBroadcast(own, "own");
  await waitForItem(own, "message: own");
  await own.context().close();
});

/** What an EventSource of a page of `origin` comes to: what it hears, or "closed" where the browser gives up. */
async function listenFrom(origin, channel, { cookie, withCredentials, query = "" }) {
  const page = await newPage(cookie);
  await page.goto(`${origin}/empty`);
  const how = await page.evaluate(
    ([url, withCredentials]) =>
      new Promise((resolve) => {
        const source = new EventSource(url, { withCredentials });
        window.heard = new Promise((hear) => (source.onmessage = ({ data }) => hear(data)));
        source.onopen = () => resolve("open");
        source.onerror = () => source.readyState === EventSource.CLOSED && resolve("closed");
      }),
    [channel.url + query, withCredentials],
  );
  if (how === "open") await channel.publish("x");
  const heard = how === "open" ? await page.evaluate(() => window.heard) : how;
  await page.context().close();
  return heard;
}

test("a page of an origin on the list listens with its cookie, and nobody else's does", minute, async () => {
  const strict = await startConsole({ ALLOWED_ORIGINS: site });
  const channel = await openChannel("credentials", strict);
  const cookie = await mint({ subscribe: ["credentials"] });
  const other = await startWebsite();
  const from = (origin, options) => listenFrom(origin, channel, { cookie, withCredentials: true, ...options });
  assert.equal(await from(site), "x");
  assert.equal(await from(site, { withCredentials: false }), "closed", "a browser sends no cookie unasked");
  assert.equal(await from(site, { cookie: undefined }), "closed");
  assert.equal(await from(other), "closed");
  // `*` is for pages without cookies: a browser refuses it otherwise.
  const open = await openChannel("credentials");
  const query = `?token=${cookie}`;
  assert.equal(await listenFrom(other, open, { withCredentials: false, query }), "x");
  assert.equal(await listenFrom(other, open, { cookie, withCredentials: true }), "closed");
});
