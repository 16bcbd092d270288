// The header Host and the target of the request line: the hub refuses invalid ones on every path. These tests run on bare
// workerd, which copies both into the URL without a check.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { startHub } from "../support/hub.mjs";
import { rawRequest } from "../support/raw.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ LOG_LEVEL: "info" }, { withConsole: true });
const channel = hub.channel("foo");
await channel.publish("secret");

/** Requests of every kind, without streams. */
const REQUESTS = [
  ["GET", "/healthz"],
  ["GET", "/"],
  ["HEAD", "/"],
  ["GET", "/openapi.yaml"],
  ["GET", "/nothing"],
  ["PUT", "/nothing"],
  ["HEAD", "/channels/foo"],
  ["OPTIONS", "/channels/foo"],
  ["DELETE", "/channels/foo"],
  ["POST", "/channels/foo/broadcast"],
  ["GET", "/channels/foo/events"],
  ["GET", "/channels/foo/stats"],
  ["OPTIONS", "*"],
];

const BAD_HOSTS = [
  ...["a,b", "a b", "a\tb", "\x01", "\x1b[31m", "u@h", "u:p@h", "%", "%41", "a%20b", "*", "x, y", "http://x"],
  ...["x/channels/foo/stats?", "x/channels/foo/events#", "x\\channels\\foo\\stats?", "x?", "x#", "a..b", "."],
  ...["x:99999", "x:65536", "x:-1", "x:a", "x:80:80", ":80", "::1", "[::1", "[]", "[::1]x", "[fe80::1%25eth0]"],
  // "é", as UTF-8.
  ...["1.2.3.999", "1.2.3", "\u00c3\u00a9", "a".repeat(254)],
];

const GOOD_HOSTS = [
  ...["localhost", "127.0.0.1:8080", "[::1]", "[::1]:8080", "hub.example", "HUB.example:80", "hub.example.:8080"],
  ...["xn--bcher-kva.example", "my_hub-1", "x:", "x:0", "x:65535"],
];

/** Sends a request with these header lines, and returns the status, the headers and the body of its answer. */
async function send(method, target, lines, version = "1.1") {
  const head = [`${method} ${target} HTTP/${version}`, ...lines, "Connection: close", "Content-Length: 0"];
  const text = await rawRequest(hub.origin, Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"));
  const [, status, headers, body] = text.match(/^HTTP\/1\.[01] (\d+) (.*?)\r\n\r\n(.*)$/s) ?? [];
  return { status: Number(status), headers, body };
}

/** Checks that the channel has had no publish since the first one, and no subscriber. */
async function assertUntouched() {
  const { published, connected, history } = await channel.stats();
  assert.deepEqual([published, connected, history.events], [1, 0, 1]);
}

test("an invalid Host is answered with 400 invalid-host on every path", { timeout: 60_000 }, async () => {
  for (const host of BAD_HOSTS) {
    for (const [method, path] of REQUESTS) {
      const what = `${method} ${path} at ${JSON.stringify(host)}`;
      const { status, headers, body } = await send(method, path, [`Host: ${host}`]);
      assert.equal(status, 400, what);
      assert.match(headers, /^content-type: application\/problem\+json$/im, what);
      if (method === "HEAD") continue;
      const problem = JSON.parse(body);
      assert.equal(problem.type, "urn:sse-broadcaster:problem:invalid-host", what);
      assert.match(problem.detail, /header Host .*port up to 65535.*Send/, what);
    }
  }
  await assertUntouched();
});

test("a request with two Hosts, no Host or an empty Host is answered with 400", async () => {
  for (const lines of [["Host: x", "Host: y"], ["Host: x", "Host: x"], [], ["Host:"], ["Host: \xff"]]) {
    assert.equal((await send("GET", "/healthz", lines)).status, 400, `${lines}`);
  }
  assert.equal((await send("GET", "/healthz", [], "1.0")).status, 400);
});

test("an invalid Host is reported before an invalid setting", async () => {
  const broken = await startTokenHub({ JWT_SECRET: "short" });
  const request = (host) => `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  assert.match(await rawRequest(broken.origin, request("a,b")), /^HTTP\/1\.1 400 .*invalid-host/s);
  assert.match(await rawRequest(broken.origin, request("x")), /^HTTP\/1\.1 500 .*invalid-setting/s);
});

test("names, IPv4 and IPv6 addresses with or without a port are valid Hosts", async () => {
  for (const host of GOOD_HOSTS) {
    for (const path of ["/healthz", "/", "/openapi.yaml", "/channels/bar/stats"]) {
      const { status } = await send("GET", path, [`Host: ${host}`]);
      assert.equal(status, 200, `${path} at ${host}`);
    }
  }
  assert.equal((await send("GET", "/healthz", ["Host: x"], "1.0")).status, 200);
});

test("curl reaches the hub by different host names", () => {
  const { port } = new URL(hub.origin);
  for (const host of ["localhost", "127.0.0.1", "127.1", "my_hub.example", "Hub-1.example.", "xn--bcher-kva.example"]) {
    const resolve = ["--resolve", `*:${port}:127.0.0.1`];
    const url = `http://${host}:${port}/healthz`;
    assert.equal(execFileSync("curl", ["-sS", "--noproxy", "*", ...resolve, url], { encoding: "utf8" }), "ok", url);
  }
});

test("a request target is a path, a whole URL, or * for OPTIONS, and anything else is answered with 4xx", async () => {
  for (const method of ["GET", "HEAD", "POST", "DELETE"]) {
    const { status, body } = await send(method, "*", ["Host: x"]);
    assert.equal(status, 400, method);
    if (method !== "HEAD") assert.equal(JSON.parse(body).type, "urn:sse-broadcaster:problem:invalid-target");
  }
  const options = await send("OPTIONS", "*", ["Host: x"]);
  assert.equal(options.status, 204);
  assert.match(options.headers, /^allow: GET, HEAD, POST, DELETE, OPTIONS$/im);
  // workerd takes the path from a whole URL, and the host from the header.
  for (const url of ["http://other/healthz", "https://u@other:99999/healthz"]) {
    const { body } = await send("GET", url, ["Host: x"]);
    assert.equal(body, "ok", url);
  }
  for (const target of ["?x", "/a b", "/\x01", "/\xe9", "http:/healthz", "@x/healthz", ":80/healthz", "//x/healthz"]) {
    const { status } = await send("GET", target, ["Host: x"]);
    assert.ok(status >= 400 && status < 500, `${target}: ${status}`);
  }
  await assertUntouched();
});

// The hub has no handler for CONNECT, so workerd answers with 500. With a handler, workerd would answer with 200 first.
test("CONNECT opens no tunnel", async () => {
  for (const target of ["x:80", "127.0.0.1:1", "/channels/foo/broadcast"]) {
    const { status } = await send("CONNECT", target, ["Host: x"]);
    assert.ok(status >= 400, `${target}: ${status}`);
  }
  await assertUntouched();
});

test("a redirect to the console keeps the query", async () => {
  const { status, headers } = await send("GET", "/index.html?channel=foo&token=a.b.c", ["Host: x"]);
  assert.equal(status, 307);
  assert.match(headers, /^location: \/\?channel=foo&token=a\.b\.c$/im);
  assert.match((await send("GET", "/index.html", ["Host: x"])).headers, /^location: \/$/im);
});

test("wrangler's assets answer If-None-Match with 304, and their redirects keep the query", async () => {
  const wrangler = await startHub();
  const first = await wrangler.fetch("/openapi.yaml");
  const etag = first.headers.get("etag");
  assert.ok(etag);
  assert.ok((await first.text()).length > 1_000);
  const again = await wrangler.fetch("/openapi.yaml", { headers: { "If-None-Match": etag } });
  assert.deepEqual([again.status, await again.text()], [304, ""]);
  const redirect = await wrangler.fetch("/index.html?channel=foo", { redirect: "manual" });
  assert.deepEqual([redirect.status, redirect.headers.get("location")], [307, "/?channel=foo"]);
});
