// examples/dashboard: own notifications, a shared feed, a job's progress until its end, renewed tokens, and how many
// pages are open, in fewer than 25 lines of script.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeJwt } from "jose";
import { openBrowserFor, scriptLines, serveExample } from "../support/examples.mjs";
import { read } from "../support/sources.mjs";
import { authorized, basic, mint, SECRET } from "../support/tokens.mjs";
import { eventually } from "../support/wait.mjs";
import { startTokenHub } from "../support/workerd.mjs";

const PASSWORDS = { alice: "wonderland", bob: "builder" };
const USERS = Object.entries(PASSWORDS)
  .map((user) => user.join(":"))
  .join(" ");
const LIMIT = "200000";
const RESULT = "17984 primes";
/** Short, so that the page renews its token during the test. */
const TOKEN_SECONDS = "4";

// With short heartbeats, the hub soon notices that a page was closed.
const hub = await startTokenHub({ JWT_SECRET: SECRET, HEARTBEAT_SECONDS: "1" }, { withConsole: true });
const publisher = await mint({ publish: ["*"], exp: Math.floor(Date.now() / 1_000) + 3_600 });
const publish = (id, text) => authorized(hub.channel(id), publisher).publish(text);
const origin = await serveExample("dashboard/server.mjs", hub, { JWT_SECRET: SECRET, USERS, LIMIT, TOKEN_SECONDS });
const browser = await openBrowserFor(hub);

/** Opens the dashboard of a user. Counts the tokens that it gets. */
async function open(username) {
  const context = await browser.newContext({ httpCredentials: { username, password: PASSWORDS[username] } });
  const page = await context.newPage();
  const counts = { tokens: 0 };
  page.on("response", (response) => {
    if (response.url() === `${origin}/token`) counts.tokens += 1;
  });
  await page.goto(origin);
  return { page, counts, texts: (id) => page.locator(`#${id} li`).allTextContents() };
}

const seconds = (count) => ({ timeout: count * 1_000 });

test("the script of the dashboard has fewer than 25 lines", () => {
  const lines = scriptLines(read("examples", "dashboard", "index.html"));
  assert.ok(lines.length < 25, `it has ${lines.length}`);
  for (const line of lines) assert.ok(line.length <= 120, line);
});

test("each user sees the shared feed and only the user's own notifications", seconds(120), async () => {
  const [alice, bob] = [await open("alice"), await open("bob")];
  await publish("user.alice", "for alice");
  await publish("user.bob", "for bob");
  await publish("feed", "for all");
  await eventually(async () => (await alice.texts("feed")).length > 0 && (await bob.texts("feed")).length > 0);
  await eventually(async () => (await alice.texts("notifications")).length > 0, 10_000, "alice is notified");
  await eventually(async () => (await bob.texts("notifications")).length > 0, 10_000, "bob is notified");
  assert.deepEqual(await alice.texts("notifications"), ["for alice"]);
  assert.deepEqual(await bob.texts("notifications"), ["for bob"]);
  assert.deepEqual(await bob.texts("feed"), ["for all"]);
  await alice.page.getByText("2 listening").waitFor();
  await bob.page.close();
  await alice.page.getByText("1 listening").waitFor();
  await alice.page.close();
});

test("the dashboard shows the progress of a job to its end, and its result after a reload", seconds(120), async () => {
  const { page, texts } = await open("alice");
  const job = page.locator("#job");
  const shown = new Set();
  await page.exposeFunction("note", (text) => shown.add(text));
  await page.evaluate(
    `new MutationObserver(() => note(document.getElementById("job").textContent)).observe(document.getElementById("job"), { childList: true })`,
  );
  await page.getByRole("button", { name: "Count primes" }).click();
  await page.getByText(RESULT).waitFor();
  const percentages = [...shown].filter((text) => /^\d+ %$/.test(text));
  assert.ok(percentages.length > 3, [...shown].join());
  await eventually(async () => (await texts("notifications")).includes("Your primes are counted"));
  assert.ok((await texts("feed")).includes("alice counts primes"));
  await page.reload();
  await page.getByText(RESULT).waitFor();
  assert.equal(await job.textContent(), RESULT);
  await page.close();
});

test("the dashboard goes on with a new token after its token has expired", seconds(120), async () => {
  const { page, counts, texts } = await open("bob");
  await eventually(() => counts.tokens >= 3, 20_000, "the page has asked for a third token");
  await publish("user.bob", "after the renewals");
  await eventually(async () => (await texts("notifications"))[0] === "after the renewals");
  await page.close();
});

test("the token of a user permits only the feed and the user's own channels", async () => {
  const answer = await fetch(`${origin}/token`, { headers: { Authorization: basic("alice", PASSWORDS.alice) } });
  const { subscribe, publish } = decodeJwt(await answer.text());
  assert.deepEqual({ subscribe, publish }, { subscribe: ["feed", "user.alice", "job.alice.*"], publish: undefined });
});

test("only pages of the dashboard itself can start a job", async () => {
  const headers = { Authorization: basic("alice", PASSWORDS.alice) };
  for (const site of [undefined, "cross-site", "same-site", "none"]) {
    const all = site ? { ...headers, "Sec-Fetch-Site": site } : headers;
    const answer = await fetch(`${origin}/job`, { method: "POST", headers: all });
    assert.equal(answer.status, 403);
  }
});
