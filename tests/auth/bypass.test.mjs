// Ways around the check of tokens: URLs that two parsers read in two ways, and requests that outlive their token.
import assert from "node:assert/strict";
import { test } from "node:test";
import { rawConnection, rawRequest } from "../support/raw.mjs";
import { ALL, SECRET, authorized, mint } from "../support/tokens.mjs";
import { sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const settings = { JWT_SECRET: SECRET, PUBLISH_PER_SECOND: "5", LOG_LEVEL: "info" };
const token = await mint({ ...ALL, exp: Date.now() / 1_000 + 600 });

const REQUESTS = [
  ["GET", ""],
  ["DELETE", ""],
  ["GET", "/stats"],
  ["GET", "/events"],
  ["POST", "/broadcast"],
];

test("who may listen gets nothing else by a Host that names another path", { timeout: 30_000 }, async () => {
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
  // None of that has counted as a publish.
  const { published } = await channel.stats();
  assert.equal(published, 1);
  for (let n = 0; n < 4; n++) await channel.publish("x");
});

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
