// All relative links in all Markdown files lead to files and headings that exist.
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { root } from "../../scripts/install.mjs";
import { filesBelow, targetsOf } from "../support/markdown.mjs";
import { read } from "../support/sources.mjs";

/** Returns the anchors of a page, as GitHub makes them from headings. */
function anchorsOf(page) {
  const seen = new Map();
  const headings = [
    ...read(page)
      .replace(/^```.*?^```$/gms, "")
      .matchAll(/^#{1,6} +(.+?) *#*$/gm),
  ];
  return headings.map(([, heading]) => {
    const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = text.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, "").replaceAll(" ", "-");
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
}

for (const page of filesBelow("", ".md")) {
  test(`the links of ${page} lead somewhere`, () => {
    for (const target of targetsOf(page)) {
      if (/^(https?|mailto):/.test(target)) {
        assert.ok(URL.canParse(target), target);
        continue;
      }
      const [path, anchor] = target.split("#");
      const file = path ? normalize(join(dirname(page), path)) : page;
      assert.ok(existsSync(join(root, file)), `${target}: there is no ${file}`);
      if (anchor === undefined) continue;
      assert.ok(statSync(join(root, file)).isFile() && file.endsWith(".md"), `${target} has an anchor`);
      assert.ok(anchorsOf(file).includes(anchor), `${target}: ${file} has no such heading`);
    }
  });
}

test("the pictures of the documentation are small enough to load at once", () => {
  for (const suffix of [".png", ".svg"]) {
    const pictures = filesBelow("docs", suffix);
    assert.ok(pictures.length > 0);
    for (const path of pictures) assert.ok(statSync(join(root, path)).size < 150_000, path);
  }
});

test("every page of docs/ is linked from the README and from docs/README.md", () => {
  const pages = filesBelow("docs", ".md").filter((page) => page !== "docs/README.md");
  const fromReadme = targetsOf("README.md").map((target) => target.split("#")[0]);
  const fromIndex = targetsOf("docs/README.md").map((target) => join("docs", target.split("#")[0]));
  for (const page of pages) {
    assert.ok(fromReadme.includes(page), `README.md does not link to ${page}`);
    assert.ok(fromIndex.includes(page), `docs/README.md does not link to ${page}`);
  }
});
