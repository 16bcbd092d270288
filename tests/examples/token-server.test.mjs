// examples/token-server: signed-in users get tokens for their own channels, and the page renews them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeJwt } from "jose";
import { openBrowserFor, runExample, serveExample } from "../support/examples.mjs";
import { read } from "../support/sources.mjs";
import { authorized, basic, mint, now, SECRET } from "../support/tokens.mjs";
import { eventually } from "../support/wait.mjs";
import { startTokenHub } from "../support/workerd.mjs";

const SERVER = "token-server/server.mjs";
const USERS = "alice:wonder:land bob:builder";
/** Short, so that the page renews its token during the test. */
const TOKEN_SECONDS = "4";

const hub = await startTokenHub({ JWT_SECRET: SECRET }, { withConsole: true });
const publisher = await mint({ publish: ["*"], exp: Math.floor(Date.now() / 1_000) + 3_600 });
const origin = await serveExample(SERVER, hub, { JWT_SECRET: SECRET, USERS, TOKEN_SECONDS });
const browser = await openBrowserFor(hub);
const as = (user, password) => ({ headers: { Authorization: basic(user, password) } });

test("the token server gives each user a token for the news and the user's own channel", async () => {
  const asked = now();
  const answer = await fetch(`${origin}/token`, as("alice", "wonder:land"));
  const answered = now();
  assert.equal(answer.headers.get("Cache-Control"), "no-store");
  assert.equal(answer.headers.get("Cross-Origin-Resource-Policy"), "same-origin");
  const { sub, subscribe, publish, exp } = decodeJwt(await answer.text());
  assert.deepEqual(
    { sub, subscribe, publish },
    { sub: "alice", subscribe: ["news", "user.alice"], publish: undefined },
  );
  const issued = exp - Number(TOKEN_SECONDS);
  assert.ok(issued >= asked && issued <= answered, `issued at ${issued}, from ${asked} to ${answered}`);
});

test("the token server refuses requests without a name and the right password", async () => {
  const strangers = [{}, as("alice", "builder"), as("alice", ""), as("carol", "undefined"), as("", "")];
  for (const init of [...strangers, { headers: { Authorization: "Bearer x" } }]) {
    for (const path of ["/", "/me", "/token", "/other"]) {
      const answer = await fetch(origin + path, init);
      assert.equal(answer.status, 401, path);
      assert.match(answer.headers.get("WWW-Authenticate"), /^Basic /);
    }
  }
});

test("the token server answers 404 to a path that it does not know", async () => {
  const options = as("bob", "builder");
  for (const path of ["/tokens", "/token?user=alice", "/../site.mjs", "/constructor"]) {
    assert.equal((await fetch(origin + path, options)).status, 404, path);
  }
});

test("the token server does not start without a secret or with wrong users, and says what to set", {
  timeout: 30_000,
}, async () => {
  for (const { missing, ...variables } of [
    { missing: "JWT_SECRET", JWT_SECRET: "short", USERS },
    { missing: "USERS", JWT_SECRET: SECRET, USERS: "" },
    { missing: "USERS", JWT_SECRET: SECRET, USERS: "alice" },
    // The token of alice would match the channel job.alice.x.1 of this user.
    { missing: "USERS", JWT_SECRET: SECRET, USERS: "alice:one alice.x:two" },
  ]) {
    const server = runExample(SERVER, hub, variables);
    assert.equal((await server.end()).status, 1);
    assert.match(server.output, new RegExp(`Error: Set ${missing}`));
  }
});

test("the page of the token server contains no secret", () => {
  assert.doesNotMatch(read("examples", "token-server", "index.html"), /secret/i);
});

test("the page of the token server shows the user's own events, and renews its token", {
  timeout: 60_000,
}, async () => {
  const context = await browser.newContext({ httpCredentials: { username: "alice", password: "wonder:land" } });
  const page = await context.newPage();
  let tokens = 0;
  page.on("response", (response) => {
    if (response.url() === `${origin}/token`) tokens += 1;
  });
  const publish = (id, text) => authorized(hub.channel(id), publisher).publish(text);
  await publish("user.bob", "not for alice");
  await publish("user.alice", "hello");
  await page.goto(origin);
  const items = page.locator("#messages li");
  await items.first().waitFor();
  await eventually(() => tokens >= 3, 20_000, "the page has asked for a third token");
  await publish("news", "still here");
  await items.nth(1).waitFor();
  assert.deepEqual(await items.allTextContents(), ["user.alice: hello", "news: still here"]);
  await context.close();
});
