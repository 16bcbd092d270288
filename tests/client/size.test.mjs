// The client as a hub serves it: how large it is, and that pages of all origins may import it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { startHub } from "../support/hub.mjs";
import { sendRequest } from "../support/request.mjs";
import { read } from "../support/sources.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const MODULES = ["/client.js", "/client-tabs.js"];
const ALL = { ALLOWED_ORIGINS: "https://other.example" };
const hubs = { wrangler: await startHub(ALL), "bare workerd": await startWorkerd(ALL, { withConsole: true }) };

for (const [name, limit] of /** @type {const} */ ([
  ["client.js", 5_000],
  ["client-tabs.js", 1_500],
])) {
  test(`${name} with all that it contains has less than ${limit} bytes when it is gzipped`, () => {
    const bytes = gzipSync(read("public", name), { level: 9 }).length;
    assert.ok(bytes < limit, `${bytes} bytes`);
  });
}

test("client.js imports only the module for tabs, when a page asks for that", () => {
  const code = read("public", "client.js");
  assert.deepEqual(
    [...code.matchAll(/\bimport\b[^)]*\)/g)].map(([text]) => text),
    ['import("./client-tabs.js")'],
  );
  assert.doesNotMatch(read("public", "client-tabs.js"), /\bimport\b/);
});

test("the build shortens no name of a member of the public types", () => {
  const [, list] = read("scripts", "client.mjs").match(/const INTERNAL = \[(.*?)\n\];/s) ?? [];
  const names = [...list.matchAll(/"(\w+)"/g)].map(([, name]) => name);
  assert.ok(names.length > 10);
  const members = [...read("client", "src", "api.ts").matchAll(/^ {2}(?:readonly )?(\w+)[?:<(]/gm)].map(
    ([, name]) => name,
  );
  assert.ok(members.length > 40 && members.includes("subscribe") && members.includes("lastEventId"));
  assert.deepEqual(
    members.filter((name) => names.includes(name)),
    [],
  );
});

for (const [name, hub] of Object.entries(hubs)) {
  for (const path of MODULES) {
    test(`${path} is a JavaScript module that pages of all origins may import, and that is checked for changes (${name})`, async () => {
      const headers = { Origin: "https://page.example" };
      const answer = await sendRequest(hub.origin, path, { headers });
      assert.equal(answer.status, 200);
      assert.equal(answer.text, read("public", path.slice(1)));
      assert.match(answer.headers["content-type"], /^text\/javascript\b/);
      assert.equal(answer.headers["access-control-allow-origin"], "*");
      assert.equal(answer.headers["x-content-type-options"], "nosniff");
      assert.match(answer.headers["cache-control"], /must-revalidate/);
      assert.equal((await sendRequest(hub.origin, path, { method: "HEAD", headers })).status, 200);
    });
  }

  test(`other files have no header that lets pages of other origins read them (${name})`, async () => {
    const { headers } = await sendRequest(hub.origin, "/", { headers: { Origin: "https://page.example" } });
    assert.equal(headers["access-control-allow-origin"], undefined);
  });
}
