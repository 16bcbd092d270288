// Ways around the check of tokens: URLs that two parsers read in two ways, and requests that outlive their token.
import assert from "node:assert/strict";
import { test } from "node:test";
import { rawConnection, rawRequest } from "./support/raw.mjs";
import { ALL, SECRET, authorized, mint } from "./support/tokens.mjs";
import { sleep } from "./support/wait.mjs";
import { startWorkerd } from "./support/workerd.mjs";

const settings = { JWT_SECRET: SECRET, PUBLISH_PER_SECOND: "5", LOG_LEVEL: "info" };
const token = await mint({ ...ALL, exp: Date.now() / 1_000 + 600 });

const REQUESTS = [["GET", ""], ["DELETE", ""], ["GET", "/stats"], ["GET", "/events"], ["POST", "/broadcast"]];

/** What comes back within a second: a stream does not end by itself. */
async function answer(hub, request) {
  const connection = await rawConnection(hub.origin);
  connection.send(request);
  await sleep(1_000);
  connection.socket.destroy();
  return connection.received();
}

for (const below of ["stats", "events", "broadcast", "none"]) {
  test(`who may listen gets nothing else by a Host that ends in /${below}`, { timeout: 30_000 }, async () => {
    const hub = await startWorkerd({ ...settings, ACCESS: "publish-token" });
    const channel = authorized(hub.channel("foo"), token);
    await channel.publish("secret");
    for (const host of [`h\\channels\\foo\\${below}?`, `h/channels/foo/${below}?`, `h\\channels\\foo\\${below}#`]) {
      const text = await answer(hub, `GET /channels/foo HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      assert.doesNotMatch(text, /secret|"seq"|"events"/, host);
      const alone = await answer(hub, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      assert.doesNotMatch(alone, /secret|"seq"|"events"/, host);
    }
    // None of that has counted as a publish.
    const { published } = await channel.stats();
    assert.equal(published, 1);
    for (let n = 0; n < 4; n++) await channel.publish("x");
  });
}

test("an id that leads to another path is none", { timeout: 30_000 }, async () => {
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

test("a Host that no URL can have makes no error", { timeout: 30_000 }, async () => {
  const hub = await startWorkerd({ ...settings, ACCESS: "token" }, { withConsole: true });
  for (const [method, path] of [["POST", "/x"], ["GET", "/channels/foo"], ["GET", "/healthz"]]) {
    const text = await answer(hub, `${method} ${path} HTTP/1.1\r\nHost: a b\r\nContent-Length: 0\r\n\r\n`);
    assert.doesNotMatch(text, /^HTTP\/1\.1 5/, `${method} ${path}: ${text}`);
  }
});

test("a body that is sent slowly does not outlive its token", { timeout: 30_000 }, async () => {
  const hub = await startWorkerd({ ...settings, ACCESS: "token" });
  const exp = Date.now() / 1_000 + 2;
  const head = `Host: x\r\nAuthorization: Bearer ${await mint({ ...ALL, exp })}\r\nConnection: close\r\n`;
  const connection = await rawConnection(hub.origin);
  connection.send(`POST /channels/foo/broadcast HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n`);
  await sleep(2_500);
  assert.equal(connection.received(), "");
  connection.send("1\r\nb\r\n0\r\n\r\n");
  assert.match(await connection.rest(), /^HTTP\/1\.1 401 .*it has expired/s);
  assert.equal((await authorized(hub.channel("foo"), token).stats()).published, 0);
});
