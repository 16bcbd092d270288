// Every code block of the documentation is run or checked by a test, or says why not.
import assert from "node:assert/strict";
import { basename } from "node:path";
import { test } from "node:test";
import { blocksOf, filesBelow, PAGES } from "../support/markdown.mjs";
import { OUTPUTS, PUBLISHER_FILES } from "../support/snippets.mjs";
import { read } from "../support/sources.mjs";

const blocks = PAGES.flatMap(blocksOf);
const tests = filesBelow("tests", ".mjs");
const place = ({ page, line }) => `${page}:${line}`;

test("a code block without a mark is a command, a publisher of examples/publishers, or the output of a command", () => {
  for (const [index, block] of blocks.entries()) {
    if (block.mark) continue;
    const before = blocks[index - 1];
    const isOutput =
      OUTPUTS.includes(block.language) && before?.page === block.page && before.language === "sh" && !before.mark;
    const isPublisher = block.page === "docs/publishing.md" && Object.hasOwn(PUBLISHER_FILES, block.language);
    const isRun = isOutput || isPublisher || block.language === "sh";
    assert.ok(isRun, `${place(block)}: no test knows how to run this block; see support/markdown.mjs`);
  }
});

test("a test looks for each code block that is marked with the name of a test", () => {
  const code = tests.map((path) => read(path)).join("\n");
  const names = blocks.filter(({ mark }) => mark?.kind === "test").map(({ mark }) => mark?.text);
  assert.equal(new Set(names).size, names.length, "every name is unique");
  for (const name of names) assert.ok(code.includes(`namedBlock("${name}")`), `no test looks for "${name}"`);
});

test("the test files that a mark names exist", () => {
  const names = tests.map((path) => basename(path));
  for (const block of blocks) {
    if (block.mark?.kind !== "run by") continue;
    for (const file of block.mark.text.split(", ")) assert.ok(names.includes(file), `${place(block)}: ${file}`);
  }
});

test("only what needs another account, another service or root is not run", () => {
  const reasons = blocks.filter(({ mark }) => mark?.kind === "not run").map((block) => block.mark?.text);
  const known = [
    "it deploys to a Cloudflare account",
    "it is for another service",
    "it needs Docker",
    "it needs a Cloudflare account",
    "it needs root and changes the machine",
  ];
  assert.deepEqual([...new Set(reasons)].sort(), known);
});

test("the documentation has no indented code blocks, which would have no language and no mark", () => {
  for (const page of PAGES) {
    const text = read(page).replace(/^```\w*\n.*?^```$/gms, "");
    assert.doesNotMatch(text, /^\n {4}\S/m, page);
  }
});

test("the README has fewer than 200 lines", () => {
  assert.ok(read("README.md").split("\n").length < 200);
});

test("the documentation shows every request of the API with curl", () => {
  const commands = blocks.filter(({ language }) => language === "sh").map(({ text }) => text);
  const parts = ["?event=", "text/event-stream", "/stats", "/events", "Last-Event-ID", "last_event_id=", "history="];
  for (const part of [...parts, "catch_up=", "-X DELETE", "Idempotency-Key", "/healthz"]) {
    assert.ok(
      commands.some((text) => text.includes("curl ") && text.includes(part)),
      part,
    );
  }
});
