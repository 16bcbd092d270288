// The folder in which the commands install programs.
import assert from "node:assert/strict";
import { isAbsolute, join } from "node:path";
import { test } from "node:test";
import { cacheFolder } from "../../cli/cache-folder.mjs";

test("the cache folder is below XDG_CACHE_HOME, unless that is empty or a relative path", () => {
  const { XDG_CACHE_HOME } = process.env;
  const folderFor = (path) => {
    process.env.XDG_CACHE_HOME = path;
    return cacheFolder();
  };
  try {
    assert.equal(folderFor("/a b"), join("/a b", "sse-broadcaster"));
    assert.ok(isAbsolute(folderFor("cache")));
    assert.equal(folderFor("cache"), folderFor(""));
  } finally {
    if (XDG_CACHE_HOME === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = XDG_CACHE_HOME;
  }
});
