// docs/publishing.md shows the programs of examples/publishers, and its first commands publish.
import assert from "node:assert/strict";
import { test } from "node:test";
import { blocksOf } from "../support/markdown.mjs";
import { PUBLISHER_FILES, Shell } from "../support/snippets.mjs";
import { read } from "../support/sources.mjs";
import { SECRET } from "../support/tokens.mjs";
import { startTokenHub } from "../support/workerd.mjs";

const [first, ...publishers] = blocksOf("docs/publishing.md");

test("docs/publishing.md shows the programs of examples/publishers as they are", () => {
  assert.deepEqual(
    publishers.map(({ language }) => language),
    Object.keys(PUBLISHER_FILES),
  );
  for (const { language, text } of publishers) assert.equal(text, read(PUBLISHER_FILES[language].file), language);
});

test("the first commands of docs/publishing.md make a token and publish", { timeout: 60_000 }, async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
  const shell = new Shell(hub.origin, { JWT_SECRET: SECRET });
  const receipt = JSON.parse(await shell.run(first.text));
  assert.equal(receipt.events, 1);
});
