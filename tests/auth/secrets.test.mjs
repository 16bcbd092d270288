// What the log says of tokens, and what it never shows, whatever the answer is; and that no client can tell an object
// what only the Worker may.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { root } from "../../scripts/install.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { startHub } from "../support/hub.mjs";
import { listen } from "../support/listener.mjs";
import { rawConnection, rawRequest } from "../support/raw.mjs";
import { serve } from "../support/serve.mjs";
import { ALL, OTHER_SECRET, PLACES, SECRET, authorized, bearer, mint, now, secretKey } from "../support/tokens.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startClosed } from "../support/workerd.mjs";
import * as bare from "../../scripts/workerd.mjs";

const BROADCAST = "/channels/foo/broadcast";

/** Hosts that no URL can have, or that choose another path, and some that steer a terminal. */
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
 * Uses a token in requests that no HTTP library would send. Each is refused, by the runtime or by the Worker; only
 * wrangler's own proxy repairs some of them.
 */
async function useToken(hub, token) {
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

/** Uses tokens in every way that may be logged. Returns them. */
async function useTokens(hub) {
  const exp = now() + 60;
  const tokens = {
    good: await mint({ ...ALL, sub: "alice", exp }),
    bad: await mint({ ...ALL, exp }, secretKey(OTHER_SECRET)),
    expired: await mint({ ...ALL, exp: now() - 1 }),
    forbidden: await mint({ publish: ["bar"], subscribe: ["bar"], exp }),
    long: await mint({ ...ALL, pad: "x".repeat(9_000), exp }),
  };
  for (const token of Object.values(tokens)) {
    for (const place of ["header", "query", "cookie"]) {
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
  for (const token of Object.values(tokens)) await useToken(hub, token);
  // A publisher and a listener that break off.
  const publisher = await rawConnection(hub.origin);
  publisher.send(`POST ${BROADCAST}?token=${tokens.good} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf`);
  await sleep(100);
  publisher.socket.resetAndDestroy();
  const listener = await listen(hub.channel("foo"), PLACES.query(tokens.good));
  listener.reset();
  await fetch(`${hub.origin}/channels/foo?token=${tokens.good}`, { method: "DELETE" });
  return Object.values(tokens);
}

/** Checks that `output` shows nothing of `tokens`, and not the secret, and that nothing in it steers a terminal. */
function assertShowsNone(output, tokens) {
  for (const line of output.split("\n")) assert.doesNotMatch(line, /[\0-\x1f\x7f-\x9f\u2028\u2029]/);
  for (const token of tokens) {
    for (const part of token.split(".")) assert.ok(!output.includes(part), "the log shows a part of a token");
  }
  assert.ok(!output.includes(SECRET), "the log shows the secret");
}

test("npm run serve: the log says who listens, and shows no token", { timeout: 60_000 }, async () => {
  const STATE_DIR = temporaryFolder();
  const settings = { ACCESS: "token", JWT_SECRET: SECRET, LOG_LEVEL: "debug", HEARTBEAT_SECONDS: "1" };
  const hub = await serve({ ...settings, STATE_DIR });
  const tokens = await useTokens(hub);
  await eventually(() => hub.lines().filter((line) => line.startsWith("listener left:")).length >= 4);
  const streams = hub.lines().filter((line) => line.startsWith("listener connected:"));
  assert.deepEqual(
    streams,
    [1, 2, 3, 4].map((conn) => `listener connected: id=foo conn=${conn} sub=alice`),
  );
  await listen(hub.channel("later"), PLACES.query(tokens[0]));
  process.kill(hub.child.pid, "SIGTERM");
  assert.equal(await hub.end(), 0);
  assert.match(hub.output, /^sent to foo: x$/m);
  assertShowsNone(hub.output, tokens);
});

test("a hub that cannot run shows no secret in its log either", { timeout: 60_000 }, async () => {
  const JWT_KEYS = `{"keys":[{"kty":"oct","k":"${Buffer.from(OTHER_SECRET).toString("base64url")}"}]}`;
  const hub = await serve({ ACCESS: "token", JWT_SECRET: SECRET, JWT_KEYS, LOG_LEVEL: "debug" });
  assert.equal((await hub.fetch("/healthz")).status, 500);
  const tokens = [await mint(), await mint({ ...ALL, sub: "alice" })];
  for (const token of tokens) {
    for (const request of Object.values(PLACES)) {
      const { query = "", headers } = request(token);
      await (await hub.fetch(`/channels/foo${query}`, { headers })).text();
    }
  }
  process.kill(hub.child.pid, "SIGTERM");
  await hub.end();
  assertShowsNone(hub.output, [...tokens, JSON.parse(JWT_KEYS).keys[0].k]);
});

/** Runs this project's build with `more` modules before it, and returns what it prints once `use` is through with it. */
async function outputOf({ more = [], settings }, use) {
  const stdio = { stdout: "pipe", stderr: "pipe" };
  const workerd = await bare.startWorkerd({ worker: [...more, ...bare.hubModules()], settings, ...stdio });
  after(() => workerd.kill());
  let output = "";
  for (const stream of [workerd.child.stdout, workerd.child.stderr]) stream.on("data", (data) => (output += data));
  await use(workerd);
  workerd.kill();
  await workerd.ended;
  return output;
}

test("an error of the runtime is logged without the query of its URL, on one line", { timeout: 60_000 }, async () => {
  const settings = { ACCESS: "open", LOG_LEVEL: "warn" };
  const token = await mint();
  const query = `?channel=foo&token=${token}`;
  // Without a binding for the files, every request for one is a 500.
  const without = await outputOf({ settings }, async ({ origin }) => {
    const response = await fetch(`${origin}/index.html${query}`);
    assert.equal(response.status, 500);
    await response.text();
  });
  assert.match(without, /^request failed: error=/m);
  assertShowsNone(without, [token]);
  // An object that fails with what it was sent, as errors of the runtime do: a 503.
  const more = [{ name: "tests/quoting-channel.mjs", path: join(root, "tests", "fixtures", "quoting-channel.mjs") }];
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

test("wrangler: neither what the Worker logs", { timeout: 60_000 }, async () => {
  const worker = { configPath: "wrangler.toml", secrets: { LOG_LEVEL: "debug" } };
  const hub = await startHub({ ACCESS: "token", JWT_SECRET: SECRET, HEARTBEAT_SECONDS: "1" }, worker);
  const tokens = await useTokens(hub);
  await eventually(() => hub.logLines().includes("listener connected: id=foo conn=1 sub=alice"));
  assertShowsNone(hub.logLines().join("\n"), tokens);
});

test("a sub stays on its line, whatever it is", { timeout: 60_000 }, async () => {
  const worker = { configPath: "wrangler.toml", secrets: { LOG_LEVEL: "info" } };
  const hub = await startHub({ ACCESS: "token", JWT_SECRET: SECRET }, worker);
  const escapes = "\u001b[31m\u0085\u2028\u2029é";
  const subs = [undefined, "alice@example.com", "a\nlistener connected: id=bar", escapes, "x".repeat(3_000), ""];
  for (const sub of subs) {
    const listener = await listen(hub.channel("foo"), PLACES.header(await mint({ ...ALL, sub })));
    listener.leave();
  }
  const lines = () => hub.logLines().filter((line) => line.startsWith("listener connected:"));
  await eventually(() => lines().length === subs.length);
  const [none, plain, lineEnd, odd, long] = lines();
  assert.equal(none, "listener connected: id=foo conn=1");
  assert.equal(plain, "listener connected: id=foo conn=2 sub=alice@example.com");
  assert.ok(lineEnd.startsWith("listener connected: id=foo conn=3 sub="), lineEnd);
  assert.ok(odd.includes("é"), odd);
  for (const line of hub.logLines()) assert.doesNotMatch(line, /[\0-\x1f\x7f-\x9f\u2028\u2029]/);
  assert.ok(long.length < 500, `${long.length} characters`);
});

/** The headers by which the Worker tells an object what it knows, as the code names them. */
function internalHeaders() {
  const folder = join(root, "src");
  const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".rs"));
  const code = files.map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
  const names = new Set([...code.matchAll(/"(sse-broadcaster-[a-z-]+)"/gi)].map(([, name]) => name));
  assert.ok(names.size >= 2, `found only ${[...names]}`);
  return [...names, "Sse-Broadcaster-Expires", "Sse-Broadcaster-Subject"];
}

test("headers by which the Worker tells objects things say nothing of a client's", { timeout: 60_000 }, async () => {
  const names = internalHeaders();
  const all = (value) => Object.fromEntries(names.map((name) => [name, value]));
  for (const ACCESS of ["open", "publish-token", "token"]) {
    const worker = { configPath: "wrangler.toml", secrets: { LOG_LEVEL: "info" } };
    const hub = await startHub({ ACCESS, JWT_SECRET: SECRET }, worker);
    const token = await mint({ ...ALL, exp: now() + 60 });
    const channel = authorized(hub.channel("foo"), token);
    const past = String(now() - 60);
    const streams = [];
    for (const value of ["1", "0", "x", past, `${past}000`, "-1", ""]) {
      for (const headers of [all(value), { ...all(value), ...bearer(token) }]) {
        if (ACCESS === "token" && !headers.Authorization) continue;
        streams.push(await listen(channel, { headers }));
        assert.equal(streams.at(-1).status, 200);
      }
    }
    await channel.publish("one", { headers: all("1") });
    await sleep(2_000);
    await channel.publish("two", { headers: all(past) });
    for (const stream of streams) {
      await stream.untilEvents(2);
      assert.deepEqual([stream.events.map(({ data }) => data), stream.ended], [["one", "two"], false]);
      stream.leave();
    }
    const connected = hub.logLines().filter((line) => line.startsWith("listener connected:"));
    assert.equal(connected.length, streams.length);
    for (const line of connected) assert.match(line, /^listener connected: id=foo conn=\d+$/);
  }
});

test("nor can they keep a stream from its end, or name it after somebody else", { timeout: 60_000 }, async () => {
  const names = internalHeaders();
  const hub = await startClosed({ JWT_SECRET: SECRET });
  const exp = now() + 2;
  const token = await mint({ ...ALL, sub: "alice", exp });
  const streams = [];
  for (const value of ["9999999999", "9999999999999", "", "x"]) {
    const headers = { ...Object.fromEntries(names.map((name) => [name, value])), ...bearer(token) };
    streams.push(await listen(hub.channel("foo"), { headers }));
  }
  for (const stream of streams) {
    await stream.until(() => stream.ended, "the end of the stream");
    assert.equal(stream.events.at(-1).event, "hub.expired");
    assert.ok(Date.now() < (exp + 1) * 1_000);
  }
  const logging = await startHub(
    { ACCESS: "token", JWT_SECRET: SECRET },
    { configPath: "wrangler.toml", secrets: { LOG_LEVEL: "info" } },
  );
  const headers = { ...Object.fromEntries(names.map((name) => [name, "mallory"])) };
  await listen(logging.channel("foo"), { headers: { ...headers, ...bearer(await mint({ ...ALL, sub: "alice" })) } });
  await eventually(() => logging.logLines().length > 0);
  assert.deepEqual(logging.logLines(), ["listener connected: id=foo conn=1 sub=alice"]);
});
