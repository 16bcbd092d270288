// examples/README.md lists the examples.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../scripts/install.mjs";
import { tableOf } from "../support/markdown.mjs";

test("examples/README.md lists every example", () => {
  const [, ...rows] = tableOf("examples/README.md", "Example");
  const listed = rows.map(([cell]) => cell.match(/^\[(.+)\]\(/)?.[1]);
  const present = readdirSync(join(root, "examples")).filter((name) => name !== "README.md");
  assert.deepEqual(listed.sort(), present.sort());
});
