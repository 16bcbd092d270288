// The log shows the sub of a token, and neither the token nor a secret.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import * as bare from "../../cli/serve/workerd.mjs";
import { root } from "../../scripts/install.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { startHub } from "../support/hub.mjs";
import { freePort } from "../support/port.mjs";
import { rawConnection, rawRequest } from "../support/raw.mjs";
import { ServeProcess, serve } from "../support/serve.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { basic, FULL_ACCESS, mint, now, OTHER_SECRET, PLACES, SECRET, secretKey } from "../support/tokens.mjs";
import { eventually, sleep } from "../support/wait.mjs";

/** Control characters and line separators, which could forge lines or steer a terminal. */
const CONTROL = /[\0-\x1f\x7f-\x9f\u2028\u2029]/;
const BROADCAST = "/channels/foo/broadcast";

/** Hosts that are invalid in a URL, that contain a path, or that have control sequences of terminals. */
const BAD_HOSTS = [
  "a,b",
  "a b",
  "%",
  "x:99999",
  "[::1",
  "\x01\x1b[31m",
  "\xc2\x85",
  "x?",
  "x/channels/foo/stats?",
  "h\\c",
];

/**
 * Sends a token in requests that no HTTP library sends. The runtime or the Worker refuses each of them, but wrangler's
 * own proxy repairs some.
 */
async function sendMalformed(hub, token) {
  const send = async (line, lines) => {
    const head = [line, ...lines, `Authorization: Bearer ${token}`, "Connection: close", "Content-Length: 0"];
    const answer = await rawRequest(hub.origin, Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"));
    if (!hub.server) assert.match(answer, /^HTTP\/1\.1 [45]/, `${lines}: ${line.slice(0, 40)}`);
  };
  const query = `?channel=foo&token=${token}`;
  for (const host of BAD_HOSTS) {
    for (const path of ["/", "/index.html", "/nothing", "/healthz", "/channels/foo/stats", "/channels/foo"]) {
      await send(`GET ${path}${query} HTTP/1.1`, [`Host: ${host}`]);
    }
    await send(`POST ${BROADCAST}${query} HTTP/1.1`, [`Host: ${host}`]);
  }
  for (const line of [
    "GET * HTTP/1.1",
    `GET *${query} HTTP/1.1`,
    `GET ${query} HTTP/1.1`,
    `GET /a b${query} HTTP/1.1`,
    `GET /\x1b[31m${query} HTTP/1.1`,
    `GET /nothing${query} HTTP/9.9`,
    `GET /nothing${query}&${"x".repeat(70_000)} HTTP/1.1`,
    `CONNECT x:80 HTTP/1.1`,
    `CONNECT x:80${query} HTTP/1.1`,
    `FROB /channels/foo${query} HTTP/1.1`,
  ]) {
    await send(line, ["Host: x"]);
  }
}

/** Sends good and bad tokens in every way that the hub might log, and returns the tokens. */
async function useTokens(hub) {
  const exp = now() + 60;
  const tokens = {
    good: await mint({ ...FULL_ACCESS, sub: "alice", exp }),
    bad: await mint({ ...FULL_ACCESS, exp }, secretKey(OTHER_SECRET)),
    expired: await mint({ ...FULL_ACCESS, exp: now() - 1 }),
    forbidden: await mint({ publish: ["bar"], subscribe: ["bar"], exp }),
    long: await mint({ ...FULL_ACCESS, pad: "x".repeat(9_000), exp }),
  };
  for (const token of Object.values(tokens)) {
    for (const place of Object.keys(PLACES)) {
      const { query = "", headers } = PLACES[place](token);
      for (const [method, path] of [
        ["GET", "/channels/foo"],
        ["HEAD", "/channels/foo"],
        ["POST", BROADCAST],
        ["GET", "/channels/foo/stats"],
        ["GET", "/channels/foo/events"],
        ["GET", "/nothing"],
        ["PUT", "/channels/foo"],
        ["GET", "/healthz"],
      ]) {
        const response = await hub.fetch(path + query, { method, headers, body: method === "POST" ? "x" : undefined });
        await response.body?.cancel();
      }
    }
  }
  // wrangler's own proxy takes half a minute for all of these requests, so it gets one token only.
  const malformed = hub.server ? [tokens.good] : Object.values(tokens);
  for (const token of malformed) await sendMalformed(hub, token);
  // A publisher and a subscriber break their connections.
  const publisher = await rawConnection(hub.origin);
  publisher.send(`POST ${BROADCAST}?token=${tokens.good} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf`);
  await sleep(100);
  publisher.socket.resetAndDestroy();
  const subscriber = await subscribe(hub.channel("foo"), PLACES.query(tokens.good));
  subscriber.reset();
  await fetch(`${hub.origin}/channels/foo?token=${tokens.good}`, { method: "DELETE" });
  return Object.values(tokens);
}

/** Checks that `output` has no part of the tokens, no secret, and no control characters. */
function assertShowsNone(output, tokens) {
  for (const line of output.split("\n")) assert.doesNotMatch(line, CONTROL);
  for (const token of tokens) {
    const encoded = basic("user", token).slice("Basic ".length);
    assert.ok(!output.includes(encoded.slice(8, -8)), "the log shows a header with the scheme Basic");
    for (const part of token.split(".")) assert.ok(!output.includes(part), "the log shows a part of a token");
  }
  assert.ok(!output.includes(SECRET), "the log shows the secret");
}

test("the log of npm run serve shows the sub of each subscriber, and no token", { timeout: 60_000 }, async () => {
  const STATE_DIR = temporaryFolder();
  const settings = { ACCESS: "token", JWT_SECRET: SECRET, LOG_LEVEL: "debug", HEARTBEAT_SECONDS: "1" };
  const hub = await serve({ ...settings, STATE_DIR });
  const tokens = await useTokens(hub);
  await eventually(() => hub.lines().filter((line) => line.startsWith("listener left:")).length >= 5);
  const streams = hub.lines().filter((line) => line.startsWith("listener connected:"));
  // The object starts again if it has no stream for ten seconds, and then counts from 1 again.
  for (const line of streams) assert.match(line, /^listener connected: id=foo conn=\d sub=alice$/);
  assert.equal(streams.length, 5);
  await subscribe(hub.channel("later"), PLACES.query(tokens[0]));
  await hub.stop();
  assert.match(hub.output, /^sent to foo: x$/m);
  assertShowsNone(hub.output, tokens);
});

test("a hub with invalid keys shows no secret in its log", { timeout: 60_000 }, async () => {
  const JWT_KEYS = `{"keys":[{"kty":"oct","k":"${Buffer.from(OTHER_SECRET).toString("base64url")}"}]}`;
  const settings = { ACCESS: "token", JWT_SECRET: SECRET, JWT_KEYS, LOG_LEVEL: "debug" };
  const hub = new ServeProcess({ PORT: String(await freePort()), ...settings });
  assert.equal(await hub.exitStatus(), 1);
  assert.match(hub.output, /JWT_KEYS/);
  assertShowsNone(hub.output, [SECRET, JSON.parse(JWT_KEYS).keys[0].k]);
});

/** Runs the hub with `more` modules before its own, calls `use`, and returns everything that the hub has printed. */
async function outputOf({ more = [], settings }, use) {
  const worker = [...more, ...bare.hubModules()];
  const workerd = await bare.startWorkerd({ worker, settings, stdout: "pipe", stderr: "pipe" });
  after(() => workerd.kill());
  let output = "";
  for (const stream of [workerd.child.stdout, workerd.child.stderr]) stream.on("data", (data) => (output += data));
  await use(workerd);
  workerd.kill();
  await workerd.ended;
  return output;
}

test("an error of the runtime is logged on one line and without the query of its URL", {
  timeout: 60_000,
}, async () => {
  const settings = { ACCESS: "open", LOG_LEVEL: "warn" };
  const token = await mint();
  const query = `?channel=foo&token=${token}`;
  const fixture = (name) => [{ name: `tests/fixtures/${name}`, path: join(root, "tests", "fixtures", name) }];
  const withoutFiles = await outputOf({ more: fixture("failing-files.mjs"), settings }, async ({ origin }) => {
    const response = await fetch(`${origin}/index.html${query}`);
    assert.equal(response.status, 500);
    await response.text();
  });
  assert.match(withoutFiles, /^request failed: error=/m);
  assertShowsNone(withoutFiles, [token]);
  // This object fails with an error that quotes its request, as errors of the runtime may.
  const more = fixture("quoting-channel.mjs");
  const failing = await outputOf({ more, settings }, async ({ origin }) => {
    const response = await fetch(`${origin}/channels/foo/events${query.replace("channel=foo", "limit=7")}`);
    assert.equal(response.status, 503);
    await response.text();
  });
  const lines = failing.split("\n").filter((line) => line.startsWith("channel failed:"));
  const error = "error=Error: cannot load \\u{1b}[31mhttps://hub/channels/foo/events? at all";
  assert.deepEqual(
    lines,
    [1, 2].map((attempt) => `channel failed: id=foo attempt=${attempt} ${error}`),
  );
});

test("the log of the Worker in wrangler shows no token", { timeout: 60_000 }, async () => {
  const worker = { configPath: "wrangler.toml", secrets: { LOG_LEVEL: "debug" } };
  const hub = await startHub({ ACCESS: "token", JWT_SECRET: SECRET, HEARTBEAT_SECONDS: "1" }, worker);
  const tokens = await useTokens(hub);
  await eventually(() => hub.logLines().includes("listener connected: id=foo conn=1 sub=alice"));
  assertShowsNone(hub.logLines().join("\n"), tokens);
});

test("a sub is logged on one line, escaped and cut", { timeout: 60_000 }, async () => {
  const worker = { configPath: "wrangler.toml", secrets: { LOG_LEVEL: "info" } };
  const hub = await startHub({ ACCESS: "token", JWT_SECRET: SECRET }, worker);
  const escapes = "\u001b[31m\u0085\u2028\u2029é";
  const subs = [undefined, "alice@example.com", "a\nlistener connected: id=bar", escapes, "x".repeat(3_000), ""];
  for (const sub of subs) {
    const subscriber = await subscribe(hub.channel("foo"), PLACES.header(await mint({ ...FULL_ACCESS, sub })));
    subscriber.close();
  }
  const lines = () => hub.logLines().filter((line) => line.startsWith("listener connected:"));
  await eventually(() => lines().length === subs.length);
  const [none, plain, lineEnd, odd, long] = lines();
  assert.equal(none, "listener connected: id=foo conn=1");
  assert.equal(plain, "listener connected: id=foo conn=2 sub=alice@example.com");
  assert.ok(lineEnd.startsWith("listener connected: id=foo conn=3 sub="), lineEnd);
  assert.ok(odd.includes("é"), odd);
  for (const line of hub.logLines()) assert.doesNotMatch(line, CONTROL);
  assert.ok(long.length < 500, `${long.length} characters`);
});
