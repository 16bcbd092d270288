// The console, and a page of another origin, with tokens: as query, as cookie, expired, renewed, not enough, and none.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openBrowser } from "./support/browser.mjs";
import { ALL, SECRET, authorized, mint } from "./support/tokens.mjs";
import { eventually } from "./support/wait.mjs";
import { startWebsite } from "./support/website.mjs";
import { startWorkerd } from "./support/workerd.mjs";

const browser = await openBrowser();
const site = await startWebsite();
const hub = await startHub();
const minute = { timeout: 60_000 };

function startHub(settings) {
  return startWorkerd({ ACCESS: "token", JWT_SECRET: SECRET, ...settings }, { withConsole: true });
}

/** A channel, as somebody uses it who may. */
async function openChannel(id, of = hub) {
  return authorized(of.channel(id), await mint());
}

/** A token that is valid for so many milliseconds. */
const brief = (ms, claims = ALL) => mint({ ...claims, exp: (Date.now() + ms) / 1000 });
const ended = (claims = ALL) => brief(-1000, claims);

/** A page of a browser that has nothing but `cookie` (for the hub, and so for all ports of its host). */
async function newPage(cookie) {
  const context = await browser.newContext();
  if (cookie) await setCookie(context, cookie);
  return context.newPage();
}

function setCookie(context, token) {
  const cookie = { name: "sse_broadcaster_token", value: token, url: hub.origin, httpOnly: true, sameSite: "Lax" };
  return context.addCookies([cookie]);
}

const status = (page, text) => page.locator("#status", { hasText: text }).waitFor();
const state = (page) => page.locator("#status").getAttribute("data-state");
const item = (page, text) => page.locator("#messages li", { hasText: text }).waitFor();

/** What the list shows, oldest first. */
async function items(page) {
  return (await page.locator("#messages .text").allTextContents()).reverse();
}

async function subscribe(page, token) {
  if (token !== undefined) await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Subscribe" }).click();
}

async function broadcast(page, data) {
  await page.getByLabel("Message").fill(data);
  await page.getByRole("button", { name: "Broadcast" }).click();
}

test("a token in its address fills the field, and is nowhere to be seen from then on", minute, async () => {
  const channel = await openChannel("query");
  const token = await mint({ publish: ["query"], subscribe: ["query"] });
  const page = await newPage();
  const requests = [];
  page.on("request", (request) => requests.push(request));
  await page.goto(`${hub.origin}/?channel=query&token=${token}&types=score`, { waitUntil: "commit" });
  await status(page, `subscribed to ${channel.url}`);
  assert.equal(page.url(), `${hub.origin}/?channel=query&types=score`);
  const field = page.getByLabel("Token");
  assert.equal(await field.inputValue(), token);
  assert.deepEqual([await field.getAttribute("type"), await field.getAttribute("autocomplete")], ["password", "off"]);
  await broadcast(page, "from the page");
  await item(page, "message: from the page");

  await subscribe(page);
  await status(page, `subscribed to ${channel.url}`);
  assert.deepEqual(await items(page), [], "a new subscription begins with an empty list");
  assert.deepEqual(new URL(page.url()).searchParams.getAll("token"), []);
  assert.equal(new URL(page.url()).searchParams.get("channel"), "query");
  assert.ok(!(await page.content()).includes(token), "it is not in the page either");
  assert.ok((await page.evaluate(() => history.length)) <= 2, "nor did it become a step back");

  const [navigation, ...others] = requests;
  assert.ok(navigation.url().includes(token));
  const seen = new Set();
  for (const request of others) {
    const { pathname, search } = new URL(request.url());
    const { authorization, referer } = await request.allHeaders();
    const isStream = request.resourceType() === "eventsource";
    assert.equal(new URLSearchParams(search).get("token"), isStream ? token : null, pathname);
    assert.equal(authorization, isStream ? undefined : `Bearer ${token}`, pathname);
    assert.ok(!referer?.includes(token), pathname);
    seen.add(pathname);
  }
  assert.deepEqual([...seen].sort(), ["", "/broadcast", "/stats"].map((path) => `/channels/query${path}`));
  await page.context().close();
});

test("a channel in the address bar leads to the console, with its token, which is not shown", minute, async () => {
  const token = await mint({ subscribe: ["bar"] });
  const page = await newPage();
  await page.goto(`${hub.origin}/channels/bar?token=${token}`);
  await status(page, `subscribed to ${hub.origin}/channels/bar`);
  assert.equal(page.url(), `${hub.origin}/?channel=bar`);
  await page.context().close();
});

test("with nothing in the field, the cookie listens; it does not publish", minute, async () => {
  const channel = await openChannel("cookie");
  const page = await newPage(await mint());
  await page.goto(`${hub.origin}/?channel=cookie`);
  await status(page, `subscribed to ${channel.url}`);
  await channel.publish("heard");
  await item(page, "message: heard");
  await broadcast(page, "not by cookie");
  await item(page, "not sent: ");
  assert.deepEqual((await items(page)).length, 2);
  const { id } = await channel.publish("next");
  assert.match(id, /-2$/);
  await page.context().close();
});

test("no token, an expired one and a wrong one are refused with the hub's words; a good one helps", minute, async () => {
  const channel = await openChannel("refused");
  const wrong = (await mint()).replace(/.{4}$/, "AAAA");
  for (const token of ["", await ended(), wrong]) {
    const { detail } = await (await fetch(`${channel.url}?token=${token}`)).json();
    const page = await newPage();
    await page.goto(`${hub.origin}/?channel=refused&token=${token}`);
    await status(page, `${channel.url} was refused: ${detail}`);
    assert.equal(await state(page), "closed");
    assert.equal(page.url(), `${hub.origin}/?channel=refused`);
    await broadcast(page, "refused");
    await item(page, "not sent: ");
    await subscribe(page, await mint());
    await status(page, `subscribed to ${channel.url}`);
    await page.context().close();
  }
  const page = await newPage(await ended());
  await page.goto(`${hub.origin}/?channel=refused`);
  await status(page, `${channel.url} was refused: `);
  await page.context().close();
  assert.match((await channel.publish("x")).id, /-1$/, "nothing was published");
});

for (const claims of [ALL, { subscribe: ["renewed*"] }]) {
  const id = claims.publish ? "renewed" : "renewed-listener";
  test(`${id}: what comes after a token has expired is there with the next one, nothing twice`, minute, async () => {
    const channel = await openChannel(id);
    await channel.publish("0");
    const page = await newPage();
    const streams = [];
    page.on("request", (request) => request.resourceType() === "eventsource" && streams.push(request.url()));
    await page.goto(`${hub.origin}/?channel=${id}&history=1&token=${await brief(4_000, claims)}`);
    await item(page, "message: 0");
    await channel.publish("1");
    await item(page, "message: 1");
    await status(page, "the token has expired");
    assert.equal(await state(page), "closed");
    // Nothing comes back by itself: with the same token it would be refused.
    await channel.publish("2");
    await eventually(async () => (await channel.stats()).subscribers === 0);
    await page.waitForTimeout(5_000);
    assert.equal(streams.length, 1);

    await subscribe(page, await ended(claims));
    await status(page, "was refused: ");
    await channel.publish("3");
    await subscribe(page, await mint(claims));
    await status(page, `subscribed to ${channel.url}`);
    await channel.publish("4");
    await item(page, "message: 4");
    assert.deepEqual(await items(page), [
      "message: 0",
      "message: 1",
      "hub.expired: the token has expired",
      "message: 2",
      "message: 3",
      "message: 4",
    ]);
    assert.equal(await page.locator("#messages li.hub").count(), 1);
    await page.context().close();
  });
}

test("a listener that has heard nothing goes on after the notice", minute, async () => {
  const channel = await openChannel("silent");
  const claims = { subscribe: ["silent"] };
  const page = await newPage();
  await page.goto(`${hub.origin}/?channel=silent&token=${await brief(2_500, claims)}`);
  await status(page, "the token has expired");
  await channel.publish("missed");
  await subscribe(page, await mint(claims));
  await item(page, "message: missed");
  assert.deepEqual(await items(page), ["hub.expired: the token has expired", "message: missed"]);
  await subscribe(page);
  await status(page, `subscribed to ${channel.url}`);
  assert.deepEqual(await items(page), [], "from then on it is a subscription as any other");

  // Another channel has nothing to do with what this one was refused.
  await page.getByLabel("Channel").fill("silent-2");
  await subscribe(page);
  await status(page, "silent-2 was refused: ");
  await page.context().close();
});

test("a cookie that was renewed before it expired goes on by itself, nothing lost or twice", minute, async () => {
  const channel = await openChannel("cookie-renewed");
  const page = await newPage(await brief(3_000));
  await page.goto(`${hub.origin}/?channel=cookie-renewed`);
  await status(page, `subscribed to ${channel.url}`);
  await channel.publish("1");
  await item(page, "message: 1");
  await setCookie(page.context(), await brief(8_000));
  await status(page, "the token has expired; reconnecting to");
  await channel.publish("2");
  await status(page, `subscribed to ${channel.url}`);
  await item(page, "message: 2");

  // This time nobody renews it.
  await status(page, `${channel.url} was refused: `);
  await channel.publish("3");
  await setCookie(page.context(), await mint());
  await subscribe(page);
  await item(page, "message: 3");
  const expired = "hub.expired: the token has expired";
  assert.deepEqual(await items(page), ["message: 1", expired, "message: 2", expired, "message: 3"]);
  await page.context().close();
});

test("a token that may only listen listens; what it may not is said in the hub's words", minute, async () => {
  const channel = await openChannel("listener");
  const page = await newPage();
  await page.goto(`${hub.origin}/?channel=listener&token=${await mint({ subscribe: ["listener"] })}`);
  await status(page, `subscribed to ${channel.url}`);
  await broadcast(page, "forbidden");
  await item(page, "not sent: ");
  assert.match((await items(page))[0], /publish/);
  await channel.publish("1");
  await item(page, "message: 1");

  await page.getByLabel("Channel").fill("another");
  await subscribe(page);
  await status(page, "/channels/another was refused: ");
  assert.match(await page.locator("#status").textContent(), /subscribe/);
  await page.context().close();
});

test("ALLOWED_ORIGINS: the console of an origin on the list works, that of another hears nothing", minute, async () => {
  const strict = await startHub({ ALLOWED_ORIGINS: `https://a.example, ${site}` });
  const channel = await openChannel("origins", strict);
  const query = `?server=${strict.origin}&channel=origins&token=${await mint()}`;
  const page = await newPage();
  await page.goto(`${site}/${query}`);
  await status(page, `subscribed to ${channel.url}`);
  await broadcast(page, "allowed");
  await item(page, "message: allowed");
  const address = new URL(page.url());
  assert.deepEqual([address.origin, address.searchParams.has("token")], [site, false]);
  await page.context().close();

  const other = site.replace("127.0.0.1", "localhost");
  const foreign = await newPage();
  await foreign.goto(`${other}/${query}`);
  await status(foreign, `no answer, or none that a page of ${other} may read; reconnecting to ${channel.url}`);
  await broadcast(foreign, "not allowed");
  await item(foreign, "not sent: ");
  assert.match((await channel.publish("2")).id, /-2$/, "the browser has asked first, and not published");
  await foreign.waitForTimeout(4_000);
  assert.equal((await items(foreign)).length, 1);
  await foreign.context().close();

  // The hub's own console needs no list.
  const own = await newPage();
  await own.goto(`${strict.origin}/${query}`);
  await status(own, `subscribed to ${channel.url}`);
  await broadcast(own, "own");
  await item(own, "message: own");
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
  const strict = await startHub({ ALLOWED_ORIGINS: site });
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
