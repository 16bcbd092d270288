// Each snippet of docs/publishing.md publishes to a hub that needs tokens, prints the receipt, and fails without a token.
import assert from "node:assert/strict";
import { test } from "node:test";
import { blocksOf } from "../support/markdown.mjs";
import { missingTool, runSnippet, Shell, SNIPPETS } from "../support/snippets.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { authorized, bearer, FULL_ACCESS, mint, SECRET } from "../support/tokens.mjs";
import { startTokenHub } from "../support/workerd.mjs";

const PAGE = "docs/publishing.md";
/** Compiling may take a while on a new machine. */
const timeout = 300_000;

const hub = await startTokenHub({ JWT_SECRET: SECRET });
const blocks = blocksOf(PAGE);
const [prepare, curl, ...snippets] = blocks;
const token = await mint(FULL_ACCESS);
const channel = authorized(hub.channel("foo"), token);

const stream = await subscribe(channel, { headers: bearer(token) });
let published = 0;

/** Runs `publish` with a good token and with a bad one, and checks the receipt and what a subscriber gets. */
async function check(publish) {
  const receipt = JSON.parse(await publish(token));
  published += 1;
  assert.equal(receipt.subscribers, 1);
  await stream.untilEvents(published);
  await assert.rejects(publish("bad"));
  const { events } = stream.account();
  assert.equal(events.length, published);
  const { data, event, id } = events[published - 1];
  assert.deepEqual({ data, event, id }, { data: "foo=bar", event: undefined, id: receipt.id });
}

test("the page has a snippet for curl, Node, Python, Go, PHP, Ruby and Rust", () => {
  assert.deepEqual([prepare.language, curl.language], ["sh", "sh"]);
  assert.deepEqual(snippets.map(({ language }) => language).sort(), Object.keys(SNIPPETS).sort());
});

test("the token that the page makes for the snippets allows publishing", { timeout }, async () => {
  const shell = new Shell(hub.origin, { JWT_SECRET: SECRET });
  await shell.run(prepare.text);
  await check((TOKEN) => shell.run(TOKEN === token ? curl.text : `TOKEN=${TOKEN}; ${curl.text}`));
});

test("the curl snippet publishes", { timeout }, () =>
  check((TOKEN) => new Shell(hub.origin, { TOKEN, HUB: hub.origin }).run(curl.text)),
);

for (const { language, text } of snippets) {
  const { command, packageName } = SNIPPETS[language];
  test(`the ${language} snippet publishes`, { timeout, skip: missingTool(command, packageName) }, () =>
    check((TOKEN) => runSnippet(language, text, { TOKEN, HUB: hub.origin })),
  );
}
