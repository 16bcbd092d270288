// Attempts to bypass the check of tokens: URLs that two parsers read differently, internal headers, slow bodies.
import assert from "node:assert/strict";
import { test } from "node:test";
import { rawConnection, rawRequest } from "../support/raw.mjs";
import { rustSources } from "../support/sources.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { authorized, bearer, FULL_ACCESS, mint, now, SECRET } from "../support/tokens.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const settings = { JWT_SECRET: SECRET, PUBLISH_PER_SECOND: "5", LOG_LEVEL: "info" };
const token = await mint({ ...FULL_ACCESS, exp: Date.now() / 1_000 + 600 });

const REQUESTS = [
  ["GET", ""],
  ["DELETE", ""],
  ["GET", "/stats"],
  ["GET", "/events"],
  ["POST", "/broadcast"],
];

test("a Host that contains a path gives a subscriber no access to other paths", { timeout: 30_000 }, async () => {
  const hub = await startWorkerd({ ...settings, ACCESS: "publish-token" });
  const channel = authorized(hub.channel("foo"), token);
  await channel.publish("secret");
  for (const below of ["stats", "events", "broadcast", "none"]) {
    for (const host of [`h\\channels\\foo\\${below}?`, `h/channels/foo/${below}?`, `h\\channels\\foo\\${below}#`]) {
      for (const path of ["/channels/foo", "/"]) {
        const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
        const text = await rawRequest(hub.origin, request);
        assert.match(text, /^HTTP\/1\.1 400 /, host);
        assert.doesNotMatch(text, /secret|"seq"|"events"/, host);
      }
    }
  }
  // The refused requests have not used up PUBLISH_PER_SECOND.
  const { published } = await channel.stats();
  assert.equal(published, 1);
  for (let n = 0; n < 4; n++) await channel.publish("x");
});

test("an id of encoded dots is refused on every path", { timeout: 30_000 }, async () => {
  const hub = await startWorkerd({ ...settings, ACCESS: "token" });
  const head = `Host: x\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n`;
  for (const id of ["%2e", "%2e%2e", "%2E.", ".%2e"]) {
    for (const [method, below] of REQUESTS) {
      const request = `${method} /channels/${id}${below} HTTP/1.1\r\n${head}Content-Length: 0\r\n\r\n`;
      const [status] = (await rawRequest(hub.origin, request)).split("\r\n");
      assert.match(status, /^HTTP\/1\.1 (400|404|405) /, `${method} ${id}${below}`);
    }
  }
});

test("a publish whose token expires while its body arrives is answered with 401", { timeout: 30_000 }, async () => {
  const hub = await startWorkerd({ ...settings, ACCESS: "token" });
  const exp = Date.now() / 1_000 + 2;
  const head = `Host: x\r\nAuthorization: Bearer ${await mint({ ...FULL_ACCESS, exp })}\r\nConnection: close\r\n`;
  const connection = await rawConnection(hub.origin);
  connection.send(`POST /channels/foo/broadcast HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n`);
  await sleep(2_500);
  assert.equal(connection.received(), "");
  connection.send("1\r\nb\r\n0\r\n\r\n");
  assert.match(await connection.untilClosed(), /^HTTP\/1\.1 401 .*it has expired/s);
  assert.equal((await authorized(hub.channel("foo"), token).stats()).published, 0);
});

/** Returns the internal headers, which the Worker sends to objects, as the code names them. */
function internalHeaders() {
  const code = rustSources().join("\n");
  const names = new Set([...code.matchAll(/"(sse-broadcaster-[a-z-]+)"/gi)].map(([, name]) => name));
  assert.ok(names.size >= 2, `found only ${[...names]}`);
  return [...names, "Sse-Broadcaster-Expires", "Sse-Broadcaster-Subject"];
}

test("internal headers of a client neither end its stream nor give it a name in the log", {
  timeout: 60_000,
}, async () => {
  const names = internalHeaders();
  /** @returns {Record<string, string>} */
  const all = (value) => Object.fromEntries(names.map((name) => [name, value]));
  for (const ACCESS of ["open", "publish-token", "token"]) {
    const hub = await startWorkerd({ ACCESS, JWT_SECRET: SECRET, LOG_LEVEL: "info" }, { withLog: true });
    const token = await mint({ ...FULL_ACCESS, exp: now() + 60 });
    const channel = authorized(hub.channel("foo"), token);
    const past = String(now() - 60);
    const streams = [];
    for (const value of ["1", "0", "x", past, `${past}000`, "-1", ""]) {
      for (const headers of [all(value), { ...all(value), ...bearer(token) }]) {
        if (ACCESS === "token" && !("Authorization" in headers)) continue;
        streams.push(await subscribe(channel, { headers }));
        assert.equal(streams.at(-1).status, 200);
      }
    }
    await channel.publish("one", { headers: all("1") });
    await sleep(2_000);
    await channel.publish("two", { headers: all(past) });
    for (const stream of streams) {
      await stream.untilEvents(2);
      assert.deepEqual([stream.events.map(({ data }) => data), stream.ended], [["one", "two"], false]);
      stream.close();
    }
    const connected = hub.log.split("\n").filter((line) => line.startsWith("listener connected:"));
    assert.equal(connected.length, streams.length);
    for (const line of connected) assert.match(line, /^listener connected: id=foo conn=\d+$/);
  }
});

test("internal headers of a client neither extend its stream beyond the token's exp nor replace its sub", {
  timeout: 60_000,
}, async () => {
  const names = internalHeaders();
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
  const exp = now() + 5;
  const token = await mint({ ...FULL_ACCESS, sub: "alice", exp });
  const streams = [];
  for (const value of ["9999999999", "9999999999999", "", "x"]) {
    const headers = { ...Object.fromEntries(names.map((name) => [name, value])), ...bearer(token) };
    streams.push(await subscribe(hub.channel("foo"), { headers }));
  }
  for (const stream of streams) {
    await stream.untilEnded();
    assert.equal(stream.events.at(-1).event, "hub.expired");
    assert.ok(Date.now() < (exp + 10) * 1_000);
  }
  const logging = await startWorkerd({ ACCESS: "token", JWT_SECRET: SECRET, LOG_LEVEL: "info" }, { withLog: true });
  const headers = { ...Object.fromEntries(names.map((name) => [name, "mallory"])) };
  await subscribe(logging.channel("foo"), {
    headers: { ...headers, ...bearer(await mint({ ...FULL_ACCESS, sub: "alice" })) },
  });
  await eventually(() => logging.log.endsWith("\n"));
  assert.equal(logging.log, "listener connected: id=foo conn=1 sub=alice\n");
});
