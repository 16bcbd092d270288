// Request bodies that only a raw socket can send: with a wrong length, unfinished or slow. These tests run on bare
// workerd, because wrangler's proxy would wait for the rest of such a body.
import assert from "node:assert/strict";
import { test } from "node:test";
import { rawConnection, rawRequest } from "../support/raw.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { mint, SECRET } from "../support/tokens.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd();
const channel = hub.channel("victim");
const witness = await subscribe(channel);
const PATH = "/channels/victim/broadcast";

const head = (path, ...headers) => [`POST ${path} HTTP/1.1`, "Host: x", ...headers, "", ""].join("\r\n");

test("an unknown method opens no stream", async () => {
  const { connected } = await channel.stats();
  const answer = await rawRequest(hub.origin, "FROB /channels/victim HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert.match(answer, /^HTTP\/1\.1 (405|501) /);
  assert.equal((await channel.stats()).connected, connected);
});

test("a body that is too large or has no valid token is refused before it is sent", async () => {
  const tokenHub = await startTokenHub({ JWT_SECRET: SECRET });
  const good = `Authorization: Bearer ${await mint()}`;
  for (const [status, words, ...headers] of [
    ["413", "MAX_BATCH_BYTES", good, "Content-Type: text/event-stream", "Content-Length: 1048577"],
    ["413", "MAX_EVENT_BYTES", good, "Content-Length: 65537"],
    ["413", "MAX_EVENT_BYTES", good, "Content-Length: 9007199254740993"],
    ["401", "missing-token", "Content-Length: 1000"],
    ["401", "missing-token", "Transfer-Encoding: chunked"],
    ["401", "invalid-token", "Authorization: Bearer x.y.z", "Content-Length: 1000000000"],
  ]) {
    const connection = await rawConnection(tokenHub.origin);
    connection.send(head(PATH, ...headers));
    await eventually(() => connection.received().includes(words));
    assert.ok(connection.received().startsWith(`HTTP/1.1 ${status} `), connection.received());
    connection.socket.destroy();
  }
});

for (const { type, setting, bytes } of [
  { type: "text/plain", setting: "MAX_EVENT_BYTES", bytes: 65_536 },
  { type: "text/event-stream", setting: "MAX_BATCH_BYTES", bytes: 1_048_576 },
]) {
  test(`a chunked body of type ${type} is refused as soon as it exceeds ${setting}`, async () => {
    const chunk = `2000\r\ndata: ${"x".repeat(8_184)}\n\n\r\n`;
    let text = "";
    // The hub closes the connection while more data arrives. The kernel may then discard the answer, so the test repeats.
    for (let attempt = 0; attempt < 10 && text === ""; attempt++) {
      const connection = await rawConnection(hub.origin);
      connection.send(head(PATH, "Transfer-Encoding: chunked", `Content-Type: ${type}`));
      let sent = 0;
      while (!connection.received().includes(setting) && !connection.socket.closed && sent < 20e6) {
        connection.send(chunk);
        sent += 8_192;
        // While the socket takes nothing, more chunks would only fill the buffer of this process.
        await sleep(connection.socket.writableLength > 0 ? 20 : 1);
      }
      // The buffers of the sockets take some megabytes, too.
      assert.ok(sent > bytes && sent < 10e6, `${sent} bytes were sent`);
      connection.socket.destroy();
      text = connection.received();
    }
    assert.match(text, new RegExp(`^HTTP/1\\.1 413 .*${setting}`, "s"));
    assert.equal((await channel.stats()).published, 0);
  });
}

for (const [name, headers, body] of [
  ["that is shorter than its Content-Length", "Content-Length: 10", "abc"],
  ["in chunks that ends without the last chunk", "Transfer-Encoding: chunked", "3\r\nabc\r\n"],
]) {
  test(`a body ${name} publishes nothing`, async () => {
    const connection = await rawConnection(hub.origin);
    connection.send(head(PATH, headers) + body);
    await sleep(200);
    connection.socket.destroy();
    await sleep(50);
    assert.equal((await channel.stats()).published, 0);
  });
}

test("the bytes of a body beyond its Content-Length are not published", async () => {
  const other = hub.channel("other");
  const subscriber = await subscribe(other);
  const request = head("/channels/other/broadcast", "Connection: close", "Content-Length: 3");
  assert.match(await rawRequest(hub.origin, `${request}abcdef`), /^HTTP\/1\.1 200 /);
  assert.equal((await other.stats()).published, 1);
  await subscriber.untilEvents(1);
  assert.deepEqual(
    subscriber.events.map((event) => event.data),
    ["abc"],
  );
});

test("an invalid Content-Length is answered with 400", async () => {
  for (const length of ["-1", "abc", "1e3"]) {
    const request = head(PATH, "Connection: close", `Content-Length: ${length}`);
    assert.match(await rawRequest(hub.origin, `${request}x`), /^HTTP\/1\.1 400 /);
  }
});

test("the bodies of this file have published nothing and have not disturbed an open stream", async () => {
  const stats = await channel.stats();
  assert.deepEqual([stats.published, stats.subscribers, stats.connected], [0, 1, 1]);
  await channel.publish("x");
  await witness.untilEvents(1);
});
