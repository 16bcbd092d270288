// The security headers of responses, with wrangler and on bare workerd.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../scripts/install.mjs";
import { startHub } from "../support/hub.mjs";
import { sendRequest } from "../support/request.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const html = readFileSync(join(root, "public", "index.html"), "utf8");
const hubs = { wrangler: await startHub(), "bare workerd": await startWorkerd({}, { withConsole: true }) };

/** Returns the hash of the page's only element with this name. */
function hashOf(element) {
  const [, content] = html.match(new RegExp(`<${element}>(.*?)</${element}>`, "s"));
  return `'sha256-${createHash("sha256").update(content).digest("base64")}'`;
}

const POLICY = {
  "default-src": "'none'",
  "script-src": hashOf("script"),
  "style-src": hashOf("style"),
  "img-src": "data:",
  "connect-src": "http: https:",
  "base-uri": "'none'",
  "form-action": "'none'",
  "frame-ancestors": "'none'",
};

/** Returns the directives of a policy. */
function directives(policy) {
  return Object.fromEntries(policy.split("; ").map((text) => text.split(/ (.*)/).slice(0, 2)));
}

for (const [name, hub] of Object.entries(hubs)) {
  for (const method of ["GET", "HEAD"]) {
    test(`${method} of the console has a Content-Security-Policy with the hashes of its script and style (${name})`, async () => {
      for (const path of ["/", "/?channel=foo"]) {
        const { status, headers, text } = await sendRequest(hub.origin, path, { method });
        assert.equal(status, 200);
        assert.deepEqual(directives(headers["content-security-policy"]), POLICY);
        assert.equal(headers["x-frame-options"], "DENY");
        assert.equal(headers["referrer-policy"], "no-referrer");
        assert.equal(headers["x-content-type-options"], "nosniff");
        assert.match(headers["content-type"], /^text\/html\b/);
        assert.equal(text, method === "GET" ? html : "");
      }
    });

    test(`${method} of another file has nosniff and no Content-Security-Policy (${name})`, async () => {
      const { status, headers } = await sendRequest(hub.origin, "/openapi.yaml", { method });
      assert.equal(status, 200);
      assert.equal(headers["x-content-type-options"], "nosniff");
      for (const header of ["content-security-policy", "x-frame-options", "referrer-policy"]) {
        assert.equal(headers[header], undefined, header);
      }
    });
  }

  test(`a redirect to the console has no Content-Security-Policy (${name})`, async () => {
    const { status, headers } = await sendRequest(hub.origin, "/index.html");
    assert.equal(status, 307);
    assert.equal(headers["content-security-policy"], undefined);
  });

  test(`every response of the API has nosniff (${name})`, async () => {
    const stream = { Accept: "text/event-stream" };
    const batch = { "Content-Type": "text/event-stream" };
    const key = { "Idempotency-Key": "1" };
    /** @type {[path: string, status: number, options?: import("../support/request.mjs").RequestOptions][]} */
    const requests = [
      ["/no-such-file", 404],
      ["/healthz", 200],
      ["/channels/foo", 200, { headers: stream }],
      ["/channels/foo", 200, { method: "HEAD" }],
      ["/channels/foo", 302, { headers: { "Sec-Fetch-Dest": "document" } }],
      ["/channels/foo/broadcast", 200, { method: "POST", body: "x" }],
      ["/channels/foo/broadcast", 200, { method: "POST", body: "data: x\n\n", headers: { ...batch, ...key } }],
      ["/channels/foo/broadcast", 200, { method: "POST", body: "data: x\n\n", headers: { ...batch, ...key } }],
      ["/channels/foo/broadcast", 422, { method: "POST", body: "data: y\n\n", headers: { ...batch, ...key } }],
      ["/channels/foo/broadcast", 405],
      ["/channels/foo/broadcast?event=a%0Ab", 400, { method: "POST", body: "x" }],
      ["/channels/foo/events", 200],
      ["/channels/foo/stats", 200],
      ["/channels/%2F", 400],
      ["/channels/foo", 200, { method: "DELETE" }],
      ["/channels/foo", 204, { headers: stream }],
      ["/channels/foo", 204, { method: "OPTIONS" }],
    ];
    for (const [path, status, options] of requests) {
      const answer = await sendRequest(hub.origin, path, options);
      const what = `${options?.method ?? "GET"} ${path}`;
      assert.equal(answer.status, status, what);
      assert.equal(answer.headers["x-content-type-options"], "nosniff", what);
    }
  });
}

test("the error about an invalid setting has nosniff", async () => {
  const hub = await startWorkerd({ JWT_SECRET: "short" });
  const { status, headers } = await sendRequest(hub.origin, "/");
  assert.deepEqual([status, headers["x-content-type-options"]], [500, "nosniff"]);
});

test("a response with status 304 has no Content-Security-Policy, which would replace that of the stored page", async () => {
  const { origin } = hubs.wrangler;
  const { headers } = await sendRequest(origin, "/");
  assert.ok(headers["content-security-policy"]);
  const again = await sendRequest(origin, "/", { headers: { "If-None-Match": headers.etag } });
  assert.deepEqual([again.status, again.headers["content-security-policy"]], [304, undefined]);
});
