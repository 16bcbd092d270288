// Runs the hub's side of the pairs of docs/coming-from.md: the scripts for pages in Chromium, and the script for a
// server in Node.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { root } from "../../scripts/install.mjs";
import { openBrowserFor } from "../support/examples.mjs";
import { namedBlock } from "../support/markdown.mjs";
import { portOf } from "../support/port.mjs";
import { authorized, FULL_ACCESS, mint, SECRET } from "../support/tokens.mjs";
import { eventually } from "../support/wait.mjs";
import { startTokenHub } from "../support/workerd.mjs";

/** What the scripts call, and the form of the script for users of Socket.IO. */
const PAGE = `<!doctype html><form id="form"><input name="text"></form><script>
  var shown = [], show = (data) => shown.push(data), token = async () => (await fetch("/token")).text();
</script>`;
const minute = { timeout: 60_000 };

const hub = await startTokenHub({ JWT_SECRET: SECRET }, { withConsole: true });
const TOKEN = await mint({ ...FULL_ACCESS, exp: Math.floor(Date.now() / 1_000) + 3_600 });
const channel = (id) => authorized(hub.channel(id), TOKEN);
const browser = await openBrowserFor(hub);
const site = await startSite();

/** Starts the website to which the pages belong. At /say, it publishes what a user says. */
async function startSite() {
  const answers = {
    "/": () => PAGE,
    "/token": () => mint({ subscribe: ["*"] }),
    "/say": async (request) => {
      const said = JSON.stringify(await text(request));
      return JSON.stringify(await channel("chat.room1").publish(said, { query: "?event=said" }));
    },
  };
  const server = createServer(async (request, response) => {
    const answer = answers[request.url];
    response.setHeader("Content-Type", "text/html; charset=utf-8").end(answer && (await answer(request)));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${portOf(server)}`;
}

/** Runs a script in a page, and waits until it has subscribed to a channel. */
async function runInPage(script, id) {
  const page = await browser.newPage();
  await page.goto(site);
  await page.addScriptTag({ type: "module", content: script });
  await eventually(async () => (await channel(id).stats()).subscribers === 1);
  const shown = () => page.evaluate("shown");
  const untilShown = (count) => eventually(async () => (await shown()).length >= count);
  return { page, shown, untilShown };
}

test("the script for users of Mercure shows the events of a book", minute, async () => {
  const { page, shown, untilShown } = await runInPage(namedBlock("coming from Mercure"), "books.1");
  await channel("books.1").publish('{"stock":3}');
  await untilShown(1);
  assert.deepEqual(await shown(), [{ stock: 3 }]);
  await page.close();
});

test("the scripts for users of Pusher publish on the server and show events of one type", minute, async () => {
  const { page, shown, untilShown } = await runInPage(namedBlock("coming from Pusher"), "orders");
  await channel("orders").publish("{}", { query: "?event=other" });
  const code = namedBlock("publish instead of trigger").replace("http://127.0.0.1:8080", hub.origin);
  const options = { cwd: root, env: { ...process.env, TOKEN } };
  await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", code], options);
  await untilShown(1);
  assert.deepEqual(await shown(), [{ order: 4711 }]);
  await page.close();
});

test("the script for users of Ably begins with the newest events of the history", minute, async () => {
  for (let goal = 1; goal <= 5; goal += 1) await channel("scores").publish(`${goal}`, { query: "?event=goal" });
  const { page, shown, untilShown } = await runInPage(namedBlock("coming from Ably"), "scores");
  await channel("scores").publish("6", { query: "?event=goal" });
  await untilShown(4);
  assert.deepEqual(await shown(), [3, 4, 5, 6]);
  await page.close();
});

test("the script for users of Socket.IO sends what a user says, and shows what all users say", minute, async () => {
  const { page, shown, untilShown } = await runInPage(namedBlock("coming from Socket.IO"), "chat.room1");
  await page.locator("input").fill("hello");
  await page.locator("input").press("Enter");
  await untilShown(1);
  assert.deepEqual(await shown(), ["hello"]);
  await page.close();
});
