// A client can neither open a feed nor decide whether the object or the Worker holds its stream.
import assert from "node:assert/strict";
import { test } from "node:test";
import { rawConnection } from "../support/raw.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const UPGRADE = {
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
};
const WORDS = ["optional", "required", "continued"];

/** Returns the lines of headers. */
const lines = (headers) =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");

for (const HOLD_STREAMS of ["object", "worker", "auto"]) {
  test(`with HOLD_STREAMS=${HOLD_STREAMS} no path answers a client's Upgrade: websocket with 101`, {
    timeout: 60_000,
  }, async () => {
    const hub = await startWorkerd({ HOLD_STREAMS, LOG_LEVEL: "error" });
    const channels = ["foo", "foo,bar"];
    const paths = [
      "/",
      "/healthz",
      ...channels.flatMap((list) =>
        ["", "/stats", "/events", "/broadcast"].map((below) => `/channels/${list}${below}`),
      ),
    ];
    for (const path of paths) {
      for (const method of ["GET", "POST", "HEAD"]) {
        for (const feed of [{}, ...WORDS.map((word) => ({ "Sse-Broadcaster-Feed": `1 ${word}` }))]) {
          const connection = await rawConnection(hub.origin);
          connection.send(`${method} ${path} HTTP/1.1\r\nHost: x\r\n${lines({ ...UPGRADE, ...feed })}\r\n`);
          const answered = () => connection.received().includes("\r\n\r\n") || connection.socket.closed;
          await eventually(answered, 5_000, `an answer to ${method} ${path}`);
          assert.doesNotMatch(connection.received(), /^HTTP\/1\.1 101/, `${method} ${path}`);
          connection.socket.resetAndDestroy();
        }
      }
    }
    // The streams that were opened have ended.
    for (const id of ["foo", "bar"]) {
      await eventually(async () => {
        await hub.channel(id).publish("x");
        return (await hub.channel(id).stats()).subscribers === 0;
      });
    }
  });

  test(`with HOLD_STREAMS=${HOLD_STREAMS} internal headers of a client change neither the holder of its stream nor its end`, async () => {
    const hub = await startWorkerd({ HOLD_STREAMS, LOG_LEVEL: "error" });
    const channel = hub.channel("foo");
    const streams = [];
    for (const word of WORDS) {
      const headers = {
        "Sse-Broadcaster-Feed": `1 ${word}`,
        "Sse-Broadcaster-Expires": "1",
        "Sse-Broadcaster-Subject": "x",
      };
      streams.push(await subscribe(channel, { headers }));
    }
    const { subscribers, feeds } = await channel.stats();
    assert.deepEqual([subscribers, feeds], [3, HOLD_STREAMS === "object" ? 0 : 3]);
    const { id } = await channel.publish("x");
    for (const stream of streams) {
      assert.ok(stream.opened, "continued is for streams that have got hub.open");
      await stream.untilId(id);
      assert.equal(stream.ended, false);
    }
  });
}
