// The console with several servers: it sends a token only to the server that the token was entered for. The other server
// records every request.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clickBroadcast,
  clickSubscribe,
  connectionState,
  field,
  hub,
  newPage,
  openChannel,
  threeMinutes,
  waitForReceipt,
  waitForStatus,
} from "../support/console.mjs";
import { redirectTo, startRecorder } from "../support/recorder.mjs";
import { FULL_ACCESS, mint } from "../support/tokens.mjs";
import { eventually } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";

const site = await startWebsite();
const other = await startRecorder();
/** Returns a unique token. Within a second, two tokens with the same claims would be equal. */
let tokens = 0;
const newToken = () => mint({ ...FULL_ACCESS, sub: `token ${++tokens}` });
const note = (page) => page.locator("#note").textContent();

/** Fills in the field Server and leaves it. */
async function enterServer(page, server) {
  await field(page, "Server").fill(server);
  await field(page, "Server").press("Tab");
}

/** Waits until the other server has got a request for `path` after the first `count` requests. */
const asked = (path, count) => eventually(() => other.paths(count).includes(path), 10_000, `asked for ${path}`);

const { host } = new URL(other.origin);
const SERVERS = {
  "javascript:": "javascript:alert(1)",
  "ws:": `ws://${host}`,
  "wss:": `wss://${host}`,
  "file:": "file:///etc",
  "data:": "data:text/event-stream,x",
  "a user name": `http://user@${host}`,
  "a password": `http://:password@${host}`,
  "a query": `http://${host}/?q=`,
  "a fragment": `http://${host}/#f`,
};
for (const [what, server] of Object.entries(SERVERS)) {
  test(`the console refuses a server with ${what} and sends it no request`, threeMinutes, async () => {
    const page = await newPage();
    const requests = [];
    page.on("request", (request) => requests.push(request.url()));
    const words = /http or https URL without user name, query and fragment/;
    const before = other.requests.length;
    const token = await newToken();
    await page.goto(`${hub.origin}/?server=${encodeURIComponent(server)}&token=${token}`);
    await waitForStatus(page, words);
    assert.equal(await connectionState(page), "invalid");
    await clickBroadcast(page, "x");
    await waitForReceipt(page, "not sent: subscribe to a channel first");

    // The console refuses the same server in the field.
    await page.goto(`${hub.origin}/?channel=servers&token=${token}`);
    await waitForStatus(page, "subscribed to");
    requests.length = 0;
    await field(page, "Server").fill(server);
    await clickSubscribe(page);
    assert.match(
      await field(page, "Server").evaluate((/** @type {HTMLInputElement} */ input) => input.validationMessage),
      words,
    );
    await page.waitForTimeout(300);
    assert.deepEqual(requests, []);
    assert.equal(other.requests.length, before);
    assert.ok(!page.url().includes(encodeURIComponent(server)), "the server is not in the page's URL");
    await page.context().close();
  });
}

test("the console removes a token when the server changes, and does not restore it", threeMinutes, async () => {
  const channel = await openChannel("servers");
  const token = await newToken();
  const page = await newPage();
  await page.goto(`${hub.origin}/?channel=servers`);
  await waitForStatus(page, "was refused: ");
  const tokenField = field(page, "Token");
  assert.equal(await tokenField.getAttribute("placeholder"), `for ${hub.origin}`);
  await clickSubscribe(page, token);
  await waitForStatus(page, `subscribed to ${channel.url}`);

  const before = other.requests.length;
  await field(page, "Server").fill(other.origin);
  assert.equal(await tokenField.getAttribute("placeholder"), `for ${other.origin}`);
  await field(page, "Server").press("Enter");
  await asked("/channels/servers", before);
  await waitForStatus(page, `${other.origin}/channels/servers was refused: a token is needed`);
  assert.equal(await tokenField.inputValue(), "");
  const removed = `The token was removed: it was for ${hub.origin}. Enter a token for ${other.origin} if it needs one.`;
  assert.equal(await note(page), removed);
  await clickBroadcast(page, "for the other");
  await asked("/channels/servers/broadcast", before);
  assert.equal(other.has(token), false);

  // The token for the other server is not for the hub.
  await tokenField.fill("not-for-the-hub");
  assert.equal(await note(page), "");
  await enterServer(page, hub.origin);
  assert.match(await note(page), new RegExp(`it was for ${other.origin}\\. Enter a token for ${hub.origin} if`));
  const requests = [];
  page.on("request", (request) => requests.push(request));
  await clickSubscribe(page);
  await waitForStatus(page, `${channel.url} was refused: `);
  for (const request of requests) {
    assert.ok(!JSON.stringify([request.url(), await request.allHeaders()]).includes("not-for-the-hub"));
  }
  await clickSubscribe(page, token);
  await waitForStatus(page, `subscribed to ${channel.url}`);
  assert.equal(await note(page), "");
  assert.equal(other.has(token), false);
  await page.context().close();
});

test("the console does not publish to the previous server with a token for the next one", threeMinutes, async () => {
  const token = await newToken();
  const page = await newPage();
  await page.goto(`${hub.origin}/?server=${other.origin}&channel=servers`);
  await waitForStatus(page, "a token is needed");
  await enterServer(page, hub.origin);
  await field(page, "Token").fill(token);
  // The page has not subscribed to the next server, so this publish goes to the previous one.
  const before = other.requests.length;
  await clickBroadcast(page, "x");
  await asked("/channels/servers/broadcast", before);
  await waitForReceipt(page, "not sent: a token is needed");
  assert.equal(other.has(token), false);
  await page.context().close();
});

test("a token stays if the server is changed and changed back, and not if its path changes", threeMinutes, async () => {
  const page = await newPage();
  await page.goto(`${hub.origin}/?channel=servers&token=${await newToken()}`);
  await waitForStatus(page, "subscribed to");
  const server = field(page, "Server");
  await server.press("End");
  await server.pressSequentially("/x");
  await server.press("Backspace");
  await server.press("Backspace");
  await server.press("Tab");
  await enterServer(page, `${hub.origin}/`);
  assert.notEqual(await field(page, "Token").inputValue(), "");
  await enterServer(page, `${hub.origin}/x`);
  assert.equal(await field(page, "Token").inputValue(), "");
  await page.context().close();
});

test("a token in the console's URL goes only to the server in the same URL", threeMinutes, async () => {
  const token = await newToken();
  const before = other.requests.length;
  const page = await newPage();
  const toHub = [];
  page.on("request", (request) => request.url().startsWith(`${hub.origin}/channels`) && toHub.push(request));
  await page.goto(`${hub.origin}/?server=${other.origin}&channel=linked&token=${token}`);
  await waitForStatus(page, "a token is needed");
  await asked("/channels/linked", before);
  assert.equal(other.has(token), true);
  assert.deepEqual(toHub, []);
  assert.ok(!other.requests.some(({ headers }) => headers.referer), "no request has the page's URL as its referrer");
  assert.equal(page.url(), `${hub.origin}/?server=${encodeURIComponent(other.origin)}&channel=linked`);

  // With an invalid server, the token is for no server.
  const lost = await newToken();
  await page.goto(`${hub.origin}/?server=ws:&channel=linked&token=${lost}`);
  await enterServer(page, other.origin);
  assert.match(await note(page), /^The token was removed: it was entered when there was no server\./);
  await clickSubscribe(page);
  await waitForStatus(page, "a token is needed");
  assert.equal(other.has(lost), false);
  await page.context().close();
});

test("a reload or step back restores neither a token nor a server without a subscription", threeMinutes, async () => {
  const page = await newPage();
  await page.goto(`${hub.origin}/?channel=servers`);
  await waitForStatus(page, "was refused: ");
  await enterServer(page, other.origin);
  await field(page, "Token").fill("typed");
  await page.reload();
  assert.deepEqual(
    [await field(page, "Server").inputValue(), await field(page, "Token").inputValue()],
    [hub.origin, ""],
  );
  await enterServer(page, other.origin);
  await field(page, "Token").fill("typed");
  await page.goto(`${site}/empty`);
  await page.goBack();
  const requests = [];
  page.on("request", (request) => request.url().startsWith(`${hub.origin}/channels`) && requests.push(request));
  // Whatever the fields have now, a token for one server is not sent to another.
  await enterServer(page, hub.origin);
  await clickSubscribe(page);
  await waitForStatus(page, `${hub.origin}/channels/servers was refused: `);
  assert.ok(requests.length > 0);
  for (const request of requests) {
    assert.ok(!JSON.stringify([request.url(), await request.allHeaders()]).includes("typed"));
  }
  await page.context().close();
});

for (const all of [false, true]) {
  const what = all ? "everything" : "everything but preflight requests";
  test(`a server that redirects ${what} passes no token to another server`, threeMinutes, async () => {
    const token = await newToken();
    const redirecting = await startRecorder(redirectTo(other.origin));
    if (all) redirecting.preflight = redirecting.answer;
    const before = other.requests.length;
    const page = await newPage();
    await page.goto(`${hub.origin}/?server=${redirecting.origin}&channel=moved&token=${token}`);
    const url = `${redirecting.origin}/channels/moved`;
    const unknown = `${redirecting.origin} has never answered, or pages of ${hub.origin} may not read its answers`;
    if (all) await waitForStatus(page, `${unknown}; reconnecting to ${url}`);
    else
      await waitForStatus(page, `${url} redirects to another URL, which this page does not follow: enter that server`);
    await clickBroadcast(page, "x");
    await waitForReceipt(page, all ? "not sent: " : `not sent: ${url}/broadcast redirects`);
    await page.waitForTimeout(all ? 3_500 : 500);
    assert.equal(other.requests.length, before);
    await page.context().close();
  });
}

const CORS = { "Access-Control-Allow-Origin": "*" };
/**
 * Servers that redirect later, by what they answer until then.
 * @type {Record<string, import("../support/recorder.mjs").Answer>}
 */
const MOVING = {
  "before its first stream": (_, response) => response.writeHead(502, CORS).end(),
  "after its first stream": (_, response) => {
    response.writeHead(200, { ...CORS, "Content-Type": "text/event-stream" });
    response.end("retry: 1\nevent: hub.open\ndata: {}\nid: 1-1\n\n");
  },
};
for (const [when, answer] of Object.entries(MOVING)) {
  test(`a server that redirects ${when} passes no token to another server`, threeMinutes, async () => {
    const token = await newToken();
    const moving = await startRecorder(answer);
    const before = other.requests.length;
    const page = await newPage();
    await page.goto(`${hub.origin}/?server=${moving.origin}&channel=moving&token=${token}`);
    const stream = () => moving.requests.some(({ headers }) => headers.authorization === `Bearer ${token}`);
    await eventually(stream, 10_000, "a stream is asked for");
    moving.answer = redirectTo(other.origin);
    await waitForStatus(page, "redirects to another URL");
    assert.equal(other.requests.length, before);
    await page.context().close();
  });
}
