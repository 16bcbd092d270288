// The console with several channels: the channel of each event, the state of each channel, publishing to all of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import {
  clickBroadcast,
  clickSubscribe,
  field,
  items,
  itemTexts,
  receipts,
  waitForItem,
  waitForReceipt,
  waitForStatus,
} from "../support/console-page.mjs";
import { authorized, mint, SECRET } from "../support/tokens.mjs";
import { eventually, threeMinutes } from "../support/wait.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const browser = await openBrowser();
const hub = await startWorkerd({}, { withConsole: true });

/** Opens the console at a path of the hub, and waits until it has subscribed to the channels `ids`. */
async function openConsole(path, ids, of = hub) {
  const page = await browser.newPage();
  await page.goto(`${of.origin}${path}`);
  await waitForStatus(page, `subscribed to ${of.origin}/channels/${ids.join(",")}`);
  for (const id of ids) await line(page, id).locator(".state", { hasText: "open" }).waitFor();
  return page;
}

/** The line about a channel. */
const line = (page, id) => page.locator("#channels li").filter({ has: page.getByText(id, { exact: true }) });

/** Returns the lines about the channels, each as a list of its texts. */
const lines = (page) =>
  page
    .locator("#channels li")
    .evaluateAll((all) => all.map((item) => [...item.children].map((part) => part.textContent)));

/** @param {import("playwright-core").Locator} locator */
const validationMessage = (locator) =>
  locator.evaluate((/** @type {HTMLInputElement} */ input) => input.validationMessage);

test("the console names the channel of each event, and counts the events of each channel", threeMinutes, async () => {
  const [foo, bar] = [hub.channel("n-foo"), hub.channel("n-bar")];
  const page = await openConsole("/?channel=n-foo,n-bar", ["n-foo", "n-bar"]);
  const first = await foo.publish("1");
  await waitForItem(page, "message: 1");
  const second = await bar.publish("2");
  await waitForItem(page, "message: 2");
  const third = await foo.publish("3");
  await waitForItem(page, "message: 3");
  assert.deepEqual(await items(page), [
    ["n-foo", "message: 1", first.id],
    ["n-bar", "message: 2", second.id],
    ["n-foo", "message: 3", third.id],
  ]);
  assert.deepEqual(await lines(page), [
    ["n-foo", "open", "2 events", third.id],
    ["n-bar", "open", "1 event", second.id],
  ]);
  await page.close();
});

for (const [name, path] of [
  ["with a comma", "/channels/a-foo,a-bar"],
  ["with %2C", "/channels/a-foo%2Ca-bar"],
]) {
  test(
    `an address of several channels ${name} opens the console, which subscribes to all of them`,
    threeMinutes,
    async () => {
      const page = await openConsole(path, ["a-foo", "a-bar"]);
      assert.equal(new URL(page.url()).searchParams.get("channel"), "a-foo,a-bar");
      await page.close();
    },
  );
}

test(
  "the console subscribes to a list with spaces, and refuses a list with an empty or a repeated id",
  threeMinutes,
  async () => {
    const page = await openConsole("/?channel=s-foo,s-bar", ["s-foo", "s-bar"]);
    const channelField = field(page, "Channel");
    await channelField.fill(" s-foo , s-baz ");
    await clickSubscribe(page);
    await waitForStatus(page, `subscribed to ${hub.origin}/channels/s-foo,s-baz`);
    for (const bad of ["s-foo,", "s-foo,,s-bar", "s-foo,s-foo", "s-foo,..", `s-foo,${"x".repeat(129)}`]) {
      await channelField.fill(bad);
      assert.match(await validationMessage(channelField), /several different ones with commas/, bad);
    }
    await channelField.fill(`s-foo,${"x".repeat(128)}`);
    assert.equal(await validationMessage(channelField), "");
    await page.close();
  },
);

test("the console shows no channel beside the events of a single channel", threeMinutes, async () => {
  const channel = hub.channel("single");
  const page = await browser.newPage();
  await page.goto(`${hub.origin}/?channel=single`);
  await waitForStatus(page, `subscribed to ${channel.url}`);
  const { id } = await channel.publish("1");
  await waitForItem(page, "message: 1");
  await clickBroadcast(page, "2");
  await waitForItem(page, "message: 2");
  const [epoch] = id.split("-");
  assert.deepEqual(await items(page), [
    [undefined, "message: 1", id],
    [undefined, "message: 2", `${epoch}-2`],
  ]);
  assert.equal(await page.locator("#channel-list").isVisible(), false);
  await page.close();
});

test("the console publishes to all channels, and shows the receipt of each", threeMinutes, async () => {
  const page = await openConsole("/?channel=p-foo,p-bar", ["p-foo", "p-bar"]);
  await clickBroadcast(page, "to both");
  await eventually(async () => (await items(page)).length === 2 && (await receipts(page)).length === 2);
  const ids = await Promise.all(
    ["p-foo", "p-bar"].map(async (id) => (await hub.channel(id).history()).events.map((event) => event.id)),
  );
  assert.deepEqual(
    ids.map(({ length }) => length),
    [1, 1],
  );
  assert.deepEqual((await items(page)).sort(), [
    ["p-bar", "message: to both", ids[1][0]],
    ["p-foo", "message: to both", ids[0][0]],
  ]);
  assert.deepEqual(await receipts(page), [
    ["p-foo", "sent: to 1 stream, 0 dropped", ids[0][0]],
    ["p-bar", "sent: to 1 stream, 0 dropped", ids[1][0]],
  ]);
  assert.equal(await field(page, "Message").inputValue(), "");
  await page.close();
});

test(
  "when one channel is over its limit, the console repeats the publish, which takes effect once in each",
  threeMinutes,
  async () => {
    const limited = await startWorkerd({ PUBLISH_PER_SECOND: "1" }, { withConsole: true });
    const page = await openConsole("/?channel=foo,bar", ["foo", "bar"], limited);
    const published = async (id) => {
      const { events } = await limited.channel(id).history();
      return events.filter(({ data }) => data === "x").length;
    };
    const failed = page.waitForResponse(
      (response) => response.url().includes("/broadcast") && response.status() === 429,
    );
    // On a machine that stalls, the second publish may come a second after the first one.
    for (let n = 1; ; n++) {
      await limited
        .channel("bar")
        .publish("before")
        .catch(() => undefined);
      await clickBroadcast(page, "x");
      await eventually(async () => (await receipts(page)).length === 2 * n, 30_000);
      assert.deepEqual([await published("foo"), await published("bar")], [n, n]);
      if (await Promise.race([failed, page.waitForTimeout(1)])) break;
    }
    await waitForReceipt(page, "by an earlier attempt");
    assert.equal(await field(page, "Message").inputValue(), "");
    await page.close();
  },
);

test(
  "when one channel has refused a publish, the console shows why, and keeps the message and its key",
  threeMinutes,
  async () => {
    const page = await openConsole("/?channel=k-foo,k-bar", ["k-foo", "k-bar"]);
    const [foo, bar] = [hub.channel("k-foo"), hub.channel("k-bar")];
    await bar.publish("before", { headers: { "Idempotency-Key": "mine" } });
    await field(page, "Idempotency key").fill("mine");
    for (const [attempt, replayed] of ["", ", by an earlier attempt"].entries()) {
      await clickBroadcast(page, "x");
      await eventually(async () => (await receipts(page)).length === 2 * (attempt + 1));
      const [sent, refused] = (await receipts(page)).slice(-2);
      assert.deepEqual([sent[0], sent[1]], ["k-foo", `sent: to 1 stream, 0 dropped${replayed}`]);
      assert.deepEqual([refused[0], refused[2]], ["k-bar", undefined]);
      assert.match(refused[1], /^not sent: The idempotency key was used before/);
      assert.equal(await field(page, "Message").inputValue(), "x", "the message stays for the next attempt");
      await page.waitForTimeout(300);
    }
    const data = async (channel) => (await channel.history()).events.map((event) => event.data);
    assert.deepEqual([await data(foo), await data(bar)], [["x"], ["before"]]);
    await page.close();
  },
);

test("the console shows the end of one channel, and that the others go on", threeMinutes, async () => {
  const [foo, bar] = [hub.channel("e-foo"), hub.channel("e-bar")];
  await bar.publish("0");
  const page = await openConsole("/?channel=e-foo,e-bar", ["e-foo", "e-bar"]);
  await bar.end();
  await waitForItem(page, "hub.end: the channel has ended");
  await foo.publish("1");
  await waitForItem(page, "message: 1");
  const [[ended], [message]] = await items(page);
  assert.deepEqual([ended, message], ["e-bar", "e-foo"]);
  assert.deepEqual(
    (await lines(page)).map(([, state]) => state),
    ["open", "ended"],
  );
  await page.close();
});

test(
  "the console shows which channel is full, and does not report that when the connection is lost later",
  threeMinutes,
  async () => {
    const small = await startWorkerd({ MAX_SUBSCRIBERS: "1" }, { withConsole: true });
    const full = await fetch(small.channel("full").url);
    const page = await browser.newPage();
    await page.goto(`${small.origin}/?channel=free,full`);
    await waitForItem(page, "hub.error: ");
    await small.channel("free").publish("1");
    await waitForItem(page, "message: 1");
    const states = (await lines(page)).map(([id, state]) => [id, state]);
    assert.deepEqual(states, [
      ["free", "open"],
      ["full", "not available"],
    ]);
    assert.deepEqual((await items(page)).map(([channel, , id]) => [channel, id === undefined])[0], ["full", true]);
    await small.kill();
    await waitForStatus(page, "connection lost; reconnecting to");
    await full.body?.cancel().catch(() => undefined);
    await page.close();
  },
);

test("the console resumes every channel with the next token after hub.expired", threeMinutes, async () => {
  const locked = await startTokenHub({ JWT_SECRET: SECRET }, { withConsole: true });
  const token = await mint();
  const [foo, bar] = ["foo", "bar"].map((id) => authorized(locked.channel(id), token));
  const brief = await mint({ subscribe: ["*"], exp: (Date.now() + 15_000) / 1000 });
  const page = await openConsole(`/?channel=foo,bar&token=${brief}`, ["foo", "bar"], locked);
  await foo.publish("1");
  await waitForItem(page, "message: 1");
  await waitForStatus(page, "the token has expired");
  await foo.publish("2");
  await bar.publish("3");
  await clickSubscribe(page, await mint());
  await waitForItem(page, "message: 2");
  await waitForItem(page, "message: 3");
  await foo.publish("4");
  await waitForItem(page, "message: 4");
  const texts = (await itemTexts(page)).filter((text) => text.startsWith("message: "));
  assert.deepEqual(texts.sort(), ["message: 1", "message: 2", "message: 3", "message: 4"]);
  assert.deepEqual(
    (await lines(page)).map(([id, state, count]) => [id, state, count]),
    [
      ["foo", "open", "3 events"],
      ["bar", "open", "1 event"],
    ],
  );
  await page.close();
});

test("the console resumes every channel after a restart of the hub, and shows each event once", {
  timeout: 180_000,
}, async () => {
  const other = await startWorkerd({}, { withConsole: true });
  const page = await openConsole("/?channel=foo,bar", ["foo", "bar"], other);
  const [foo, bar] = [other.channel("foo"), other.channel("bar")];
  await foo.publish("0");
  await waitForItem(page, "message: 0");
  await other.restart();
  for (let n = 1; n <= 10; n++) await (n % 2 ? foo : bar).publish(String(n));
  await waitForItem(page, "message: 9");
  await waitForItem(page, "message: 10");
  const of = async (id) => (await items(page)).filter(([channel]) => channel === id).map(([, text]) => text);
  const expected = (numbers) => numbers.map((n) => `message: ${n}`);
  assert.deepEqual(await of("foo"), expected([0, 1, 3, 5, 7, 9]));
  assert.deepEqual(await of("bar"), expected([2, 4, 6, 8, 10]));
  await page.close();
});
