// The Host and the request line: what is no host or no path is refused on every path, with a 4xx, and chooses nothing.
// On bare workerd, which puts both into the URL as they are.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { startHub } from "../support/hub.mjs";
import { rawRequest } from "../support/raw.mjs";
import { startClosed, startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ LOG_LEVEL: "info" }, { withConsole: true });
const channel = hub.channel("foo");
await channel.publish("secret");

/** Every kind of path, with a method that it takes; none of them streams. */
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

/** Sends a request with these lines of header, and returns its answer: { status, headers, body }. */
async function ask(method, target, lines, version = "1.1") {
  const head = [`${method} ${target} HTTP/${version}`, ...lines, "Connection: close", "Content-Length: 0"];
  const text = await rawRequest(hub.origin, Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"));
  const [, status, headers, body] = text.match(/^HTTP\/1\.[01] (\d+) (.*?)\r\n\r\n(.*)$/s) ?? [];
  return { status: Number(status), headers, body };
}

/** Checks that nobody has used the channel since it was made, but to ask for its counters. */
async function assertUntouched() {
  const { published, connected, history } = await channel.stats();
  assert.deepEqual([published, connected, history.events], [1, 0, 1]);
}

test("a Host that is no host is refused on every path, and named", { timeout: 60_000 }, async () => {
  for (const host of BAD_HOSTS) {
    for (const [method, path] of REQUESTS) {
      const what = `${method} ${path} at ${JSON.stringify(host)}`;
      const { status, headers, body } = await ask(method, path, [`Host: ${host}`]);
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

test("so are two of them, none and an empty one", async () => {
  for (const lines of [["Host: x", "Host: y"], ["Host: x", "Host: x"], [], ["Host:"], ["Host: \xff"]]) {
    assert.equal((await ask("GET", "/healthz", lines)).status, 400, `${lines}`);
  }
  assert.equal((await ask("GET", "/healthz", [], "1.0")).status, 400);
});

test("a hub with settings that it cannot use looks at the Host first, too", async () => {
  const broken = await startClosed({ JWT_SECRET: "short" });
  const request = (host) => `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  assert.match(await rawRequest(broken.origin, request("a,b")), /^HTTP\/1\.1 400 .*invalid-host/s);
  assert.match(await rawRequest(broken.origin, request("x")), /^HTTP\/1\.1 500 .*invalid-setting/s);
});

test("hosts that browsers and other clients send are hosts", async () => {
  for (const host of GOOD_HOSTS) {
    for (const path of ["/healthz", "/", "/openapi.yaml", "/channels/bar/stats"]) {
      const { status } = await ask("GET", path, [`Host: ${host}`]);
      assert.equal(status, 200, `${path} at ${host}`);
    }
  }
  assert.equal((await ask("GET", "/healthz", ["Host: x"], "1.0")).status, 200);
});

test("curl reaches the hub by every name that it has", () => {
  const { port } = new URL(hub.origin);
  for (const host of ["localhost", "127.0.0.1", "127.1", "my_hub.example", "Hub-1.example.", "xn--bcher-kva.example"]) {
    const resolve = ["--resolve", `*:${port}:127.0.0.1`];
    const url = `http://${host}:${port}/healthz`;
    assert.equal(execFileSync("curl", ["-sS", "--noproxy", "*", ...resolve, url], { encoding: "utf8" }), "ok", url);
  }
});

test("a target is a path, the whole URL, or * for OPTIONS; anything else is a 4xx", async () => {
  for (const method of ["GET", "HEAD", "POST", "DELETE"]) {
    const { status, body } = await ask(method, "*", ["Host: x"]);
    assert.equal(status, 400, method);
    if (method !== "HEAD") assert.equal(JSON.parse(body).type, "urn:sse-broadcaster:problem:invalid-target");
  }
  const options = await ask("OPTIONS", "*", ["Host: x"]);
  assert.equal(options.status, 204);
  assert.match(options.headers, /^allow: GET, HEAD, POST, DELETE, OPTIONS$/im);
  // In a whole URL the path counts; workerd takes the host from the header.
  for (const url of ["http://other/healthz", "https://u@other:99999/healthz"]) {
    const { body } = await ask("GET", url, ["Host: x"]);
    assert.equal(body, "ok", url);
  }
  for (const target of ["?x", "/a b", "/\x01", "/\xe9", "http:/healthz", "@x/healthz", ":80/healthz", "//x/healthz"]) {
    const { status } = await ask("GET", target, ["Host: x"]);
    assert.ok(status >= 400 && status < 500, `${target}: ${status}`);
  }
  await assertUntouched();
});

// workerd answers CONNECT by itself: with 500 where the Worker has no handler, and with 200, before it calls one, where
// it has. The 500 at least says that there is no tunnel.
test("CONNECT opens no tunnel", async () => {
  for (const target of ["x:80", "127.0.0.1:1", "/channels/foo/broadcast"]) {
    const { status } = await ask("CONNECT", target, ["Host: x"]);
    assert.ok(status >= 400, `${target}: ${status}`);
  }
  await assertUntouched();
});

test("a redirect keeps the query, in which the console may have a token", async () => {
  const { status, headers } = await ask("GET", "/index.html?channel=foo&token=a.b.c", ["Host: x"]);
  assert.equal(status, 307);
  assert.match(headers, /^location: \/\?channel=foo&token=a\.b\.c$/im);
  assert.match((await ask("GET", "/index.html", ["Host: x"])).headers, /^location: \/$/im);
});

test("a file that a client has is not sent again by wrangler's assets, and a redirect keeps its query", async () => {
  const dev = await startHub();
  const first = await dev.fetch("/openapi.yaml");
  const etag = first.headers.get("etag");
  assert.ok(etag);
  assert.ok((await first.text()).length > 1_000);
  const again = await dev.fetch("/openapi.yaml", { headers: { "If-None-Match": etag } });
  assert.deepEqual([again.status, await again.text()], [304, ""]);
  const redirect = await dev.fetch("/index.html?channel=foo", { redirect: "manual" });
  assert.deepEqual([redirect.status, redirect.headers.get("location")], [307, "/?channel=foo"]);
});
