// The console with several servers: a token that was entered for one of them is sent to no other. The other one is a
// real server, which keeps all that it gets.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clickBroadcast,
  clickSubscribe,
  connectionState,
  hub,
  itemTexts,
  minute,
  newPage,
  openChannel,
  startConsole,
  waitForItem,
  waitForStatus,
} from "../support/console.mjs";
import { redirectTo, startRecorder } from "../support/recorder.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { FULL_ACCESS, mint } from "../support/tokens.mjs";
import { eventually } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";

const site = await startWebsite();
const other = await startRecorder();
/** A token that no other is equal to: within a second, two of the same claims are. */
let tokens = 0;
const newToken = () => mint({ ...FULL_ACCESS, sub: `token ${++tokens}` });
const note = (page) => page.locator("#note").textContent();

/** Fills in the field Server as somebody who then goes on to the next field. */
async function enterServer(page, server) {
  await page.getByLabel("Server").fill(server);
  await page.getByLabel("Server").press("Tab");
}

/** Waits until the other server has been asked for `path`, since it had got `count` requests. */
const asked = (path, count) => eventually(() => other.paths().slice(count).includes(path), 10_000, `asked for ${path}`);

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
  test(`a server with ${what} is refused with words, and asked nothing`, minute, async () => {
    const page = await newPage();
    const requests = [];
    page.on("request", (request) => requests.push(request.url()));
    const words = /http or https URL without user name, query and fragment/;
    const before = other.requests.length;
    const token = await newToken();
    await page.goto(`${hub.origin}/?server=${encodeURIComponent(server)}&token=${token}`);
    await waitForStatus(page, words);
    assert.equal(await connectionState(page), "closed");
    await clickBroadcast(page, "x");
    await waitForItem(page, "not sent: subscribe to a channel first");

    // The same in the field.
    await page.goto(`${hub.origin}/?channel=servers&token=${token}`);
    await waitForStatus(page, "subscribed to");
    requests.length = 0;
    await page.getByLabel("Server").fill(server);
    await clickSubscribe(page);
    assert.match(await page.getByLabel("Server").evaluate((field) => field.validationMessage), words);
    await page.waitForTimeout(300);
    assert.deepEqual(requests, []);
    assert.equal(other.requests.length, before);
    assert.ok(!page.url().includes(encodeURIComponent(server)), "it is not in the page's address");
    await page.context().close();
  });
}

test("a token does not go along to another server, nor come back by itself", minute, async () => {
  const channel = await openChannel("servers");
  const token = await newToken();
  const page = await newPage();
  await page.goto(`${hub.origin}/?channel=servers`);
  await waitForStatus(page, "was refused: ");
  const field = page.getByLabel("Token");
  assert.equal(await field.getAttribute("placeholder"), `for ${hub.origin}`);
  await clickSubscribe(page, token);
  await waitForStatus(page, `subscribed to ${channel.url}`);

  const before = other.requests.length;
  await page.getByLabel("Server").fill(other.origin);
  assert.equal(await field.getAttribute("placeholder"), `for ${other.origin}`);
  await page.getByLabel("Server").press("Enter");
  await asked("/channels/servers", before);
  await waitForStatus(page, `${other.origin}/channels/servers was refused: a token is needed`);
  assert.equal(await field.inputValue(), "");
  const removed = `The token was removed: it was for ${hub.origin}. Enter a token for ${other.origin} if it needs one.`;
  assert.equal(await note(page), removed);
  await clickBroadcast(page, "for the other");
  await asked("/channels/servers/broadcast", before);
  assert.equal(other.has(token), false);

  // Back again: the token for the other server is not for the hub.
  await field.fill("not-for-the-hub");
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

test("a token that was entered for the next server is not published with to the one before", minute, async () => {
  const token = await newToken();
  const page = await newPage();
  await page.goto(`${hub.origin}/?server=${other.origin}&channel=servers`);
  await waitForStatus(page, "a token is needed");
  await enterServer(page, hub.origin);
  await page.getByLabel("Token").fill(token);
  // Nobody has subscribed there yet: this goes to the server before.
  const before = other.requests.length;
  await clickBroadcast(page, "x");
  await asked("/channels/servers/broadcast", before);
  await waitForItem(page, "not sent: a token is needed");
  assert.equal(other.has(token), false);
  await page.context().close();
});

test("a server that is changed and put back keeps its token; another path is another server", minute, async () => {
  const page = await newPage();
  await page.goto(`${hub.origin}/?channel=servers&token=${await newToken()}`);
  await waitForStatus(page, "subscribed to");
  const server = page.getByLabel("Server");
  await server.press("End");
  await server.pressSequentially("/x");
  await server.press("Backspace");
  await server.press("Backspace");
  await server.press("Tab");
  await enterServer(page, `${hub.origin}/`);
  assert.notEqual(await page.getByLabel("Token").inputValue(), "");
  await enterServer(page, `${hub.origin}/x`);
  assert.equal(await page.getByLabel("Token").inputValue(), "");
  await page.context().close();
});

test("a token that comes in an address goes to the server of the same address alone", minute, async () => {
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
  assert.ok(!other.requests.some(({ headers }) => headers.referer), "nobody is told the page's address");
  assert.equal(page.url(), `${hub.origin}/?server=${encodeURIComponent(other.origin)}&channel=linked`);

  // With a server that can be none, it is for none.
  const lost = await newToken();
  await page.goto(`${hub.origin}/?server=ws:&channel=linked&token=${lost}`);
  await enterServer(page, other.origin);
  assert.match(await note(page), /^The token was removed: it was entered when there was no server\./);
  await clickSubscribe(page);
  await waitForStatus(page, "a token is needed");
  assert.equal(other.has(lost), false);
  await page.context().close();
});

test("neither a token nor a server that was not subscribed to comes back with the page", minute, async () => {
  const page = await newPage();
  await page.goto(`${hub.origin}/?channel=servers`);
  await waitForStatus(page, "was refused: ");
  await enterServer(page, other.origin);
  await page.getByLabel("Token").fill("typed");
  await page.reload();
  assert.deepEqual(
    [await page.getByLabel("Server").inputValue(), await page.getByLabel("Token").inputValue()],
    [hub.origin, ""],
  );
  await enterServer(page, other.origin);
  await page.getByLabel("Token").fill("typed");
  await page.goto(`${site}/empty`);
  await page.goBack();
  const requests = [];
  page.on("request", (request) => request.url().startsWith(`${hub.origin}/channels`) && requests.push(request));
  // Whatever the fields are now, a token for one server is not sent to another.
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
  test(`a server that redirects ${what} hands no token on`, minute, async () => {
    const token = await newToken();
    const redirecting = await startRecorder(redirectTo(other.origin));
    if (all) redirecting.preflight = redirecting.answer;
    const before = other.requests.length;
    const page = await newPage();
    await page.goto(`${hub.origin}/?server=${redirecting.origin}&channel=moved&token=${token}`);
    const url = `${redirecting.origin}/channels/moved`;
    if (all) await waitForStatus(page, `no answer, or pages of ${hub.origin} may not read it; reconnecting to ${url}`);
    else
      await waitForStatus(page, `${url} redirects to another URL, which this page does not follow: enter that server`);
    await clickBroadcast(page, "x");
    await waitForItem(page, all ? "not sent: " : `not sent: ${url} redirects`);
    await page.waitForTimeout(all ? 3_500 : 500);
    assert.equal(other.requests.length, before);
    await page.context().close();
  });
}

/** Servers that begin to redirect later: what each answers until then. */
const CORS = { "Access-Control-Allow-Origin": "*" };
const MOVING = {
  "while it gives no stream": (_, response) => response.writeHead(502, CORS).end(),
  "once its stream has ended": ({ url }, response) => {
    const type = url.includes("/stats") ? "application/json" : "text/event-stream";
    response.writeHead(200, { ...CORS, "Content-Type": type });
    response.end(url.includes("/stats") ? '{"epoch":"1","seq":0}' : "retry: 1\nid: 1-1\ndata: heard\n\n");
  },
};
for (const [when, answer] of Object.entries(MOVING)) {
  test(`a server that begins to redirect ${when} hands no token on`, minute, async () => {
    const token = await newToken();
    const moving = await startRecorder(answer);
    const before = other.requests.length;
    const page = await newPage();
    await page.goto(`${hub.origin}/?server=${moving.origin}&channel=moving&token=${token}`);
    const stream = () =>
      moving.requests.some(({ url }) => new URLSearchParams(url.split("?")[1]).get("token") === token);
    await eventually(stream, 10_000, "a stream is asked for");
    moving.answer = redirectTo(other.origin);
    await waitForStatus(page, "redirects to another URL");
    assert.equal(other.requests.length, before);
    await page.context().close();
  });
}

test("with a token, the console goes on after a restart, nothing lost or twice", minute, async () => {
  const own = await startConsole();
  const channel = await openChannel("restart", own);
  const page = await newPage();
  await page.goto(`${own.origin}/?channel=restart&token=${await newToken()}`);
  await waitForStatus(page, `subscribed to ${channel.url}`);
  await channel.publish("1");
  await waitForItem(page, "message: 1");
  await own.restart();
  await waitForStatus(page, `connection lost; reconnecting to ${channel.url}`);
  await channel.publish("2");
  await waitForStatus(page, `subscribed to ${channel.url}`);
  await channel.publish("3");
  await waitForItem(page, "message: 3");
  assert.deepEqual(await itemTexts(page), ["message: 1", "message: 2", "message: 3"]);
  await page.context().close();
});

test("with a token, the console waits where a channel is full, as the hub asks it to", minute, async () => {
  const full = await startConsole({ MAX_SUBSCRIBERS: "1", HEARTBEAT_SECONDS: "1" });
  const channel = await openChannel("full", full);
  const first = await subscribe(channel, { headers: channel.headers });
  const page = await newPage();
  const streams = [];
  page.on("request", (request) => request.resourceType() === "eventsource" && streams.push(Date.now()));
  await page.goto(`${full.origin}/?channel=full&token=${await newToken()}`);
  await waitForStatus(page, /MAX_SUBSCRIBERS.*reconnecting to/);
  first.close();
  await waitForStatus(page, `subscribed to ${channel.url}`);
  assert.equal(streams.length, 2);
  assert.ok(streams[1] - streams[0] >= 5_000);
  await page.context().close();
});
