// examples/broadcast.py on a Python that lacks the package requests.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { root } from "../../scripts/install.mjs";
import { namedBlock } from "../support/markdown.mjs";

test("broadcast.py says how to get requests if it is missing, with the lines of the README", () => {
  // -S hides installed packages.
  const options = /** @type {const} */ ({ cwd: root, encoding: "utf8" });
  const { status, stdout, stderr } = spawnSync("python3", ["-S", "examples/broadcast.py"], options);
  assert.deepEqual([status, stdout], [1, ""]);
  const [reason, ...lines] = stderr.trimEnd().split("\n");
  assert.match(reason, /^This needs the package requests \(Debian: apt-get install python3-venv/);
  const block = namedBlock("broadcast.py in a virtual environment");
  assert.equal(lines.map((line) => `${line.trim()}\n`).join(""), block);
});
