// Caddy in front of the hub, with examples/proxies/Caddyfile.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { missingProxy, PROXIES } from "../support/proxies.mjs";
import { testProxy } from "../support/proxy-rules.mjs";
import { read } from "../support/sources.mjs";

await testProxy(PROXIES.caddy, {
  onlyOrigins: (text) =>
    text
      .replace(/^\t*header Access-Control-Allow-Origin \*\n/m, "")
      .replace(/^(\t*)# (@allowed|header @allowed)/gm, "$1$2"),
});

test("caddy fmt changes nothing in the Caddyfile, and so does not indent the events in it", {
  skip: missingProxy(PROXIES.caddy),
}, () => {
  const input = read("examples/proxies/Caddyfile");
  assert.equal(execFileSync("caddy", ["fmt", "-"], { input, encoding: "utf8" }), input);
});
