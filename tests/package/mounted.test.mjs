// The bindings of a mounted hub, and the paths for calls of own code (src/mounted.mjs).
import assert from "node:assert/strict";
import { test } from "node:test";
import { objectBindings, pathOf, requestBindings } from "../../src/mounted.mjs";

const CHANNEL = { idFromName: () => ({}) };

test("a mounted hub gets the settings and objects of the Worker, and no binding that means something else there", () => {
  const env = { CHANNEL, ACCESS: "open", ASSETS: {}, STORAGE: {} };
  for (const bindings of [requestBindings(env), objectBindings(env)]) {
    assert.deepEqual([bindings.CHANNEL, bindings.ACCESS], [CHANNEL, "open"]);
    assert.deepEqual([bindings.ASSETS, bindings.STORAGE], [undefined, undefined]);
  }
});

test("the path of a call keeps its endpoint when it is made a URL, whatever the channel is", () => {
  for (const channel of [
    "foo",
    "",
    ".",
    "..",
    "...",
    "/",
    "../x",
    "a?b#c",
    "%2e",
    "a,b",
    [],
    ["."],
    [".", "a"],
    ["a", ""],
  ]) {
    const { pathname, search, hash } = new URL(`${pathOf(channel)}/stats`, "https://hub");
    assert.match(pathname, /^\/channels\/[^/]+\/stats$/, JSON.stringify(channel));
    assert.deepEqual([search, hash], ["", ""]);
  }
  assert.equal(pathOf(["a", "b:1"]), "/channels/a,b%3A1");
});
