// Request bodies that arrive slowly.
import assert from "node:assert/strict";
import { test } from "node:test";
import { rawConnection } from "../support/raw.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const head = (...headers) => ["POST /channels/slow/broadcast HTTP/1.1", "Host: x", ...headers, "", ""].join("\r\n");

test("100 slow bodies delay no other publish, and each that ends is published once and whole", {
  timeout: 60_000,
}, async () => {
  const hub = await startWorkerd();
  const channel = hub.channel("slow");
  const subscriber = await subscribe(channel);
  const quick = async (count) => {
    const times = [];
    for (let n = 0; n < count; n++) {
      const from = performance.now();
      const { id } = await channel.publish("quick");
      await subscriber.untilId(id);
      times.push(performance.now() - from);
    }
    return times.sort((a, b) => a - b);
  };
  await quick(50);
  const slow = await Promise.all(Array.from({ length: 100 }, () => rawConnection(hub.origin)));
  // Nearly all bytes of the bodies arrive at once. Together they use the whole memory of a channel. Half of the bodies
  // declare their length.
  const beginning = "s".repeat(20_000);
  for (const [n, { send }] of slow.entries()) {
    const declared = n % 2 === 0;
    send(head("Connection: close", declared ? "Content-Length: 20004" : "Transfer-Encoding: chunked"));
    send(declared ? beginning : `${(20_000).toString(16)}\r\n${beginning}\r\n`);
  }
  await sleep(500);
  const times = await quick(100);
  const [p50, p99] = [times[50], times[98]].map((ms) => Math.round(ms));
  console.log(`# publish and delivery beside 100 slow bodies: p50 ${p50} ms, p99 ${p99} ms`);
  assert.ok(p99 < 500, `p99 ${p99} ms`);
  assert.equal((await channel.stats()).published, 150, "no slow body has been published");

  // Some of the clients disconnect. The bodies of the others end.
  const ending = slow.filter(({ socket }, n) => n >= 50 || !socket.destroy());
  for (const [n, { send }] of ending.entries()) send(n % 2 === 0 ? "last" : "4\r\nlast\r\n0\r\n\r\n");
  for (const connection of ending) assert.match(await connection.untilClosed(), /^HTTP\/1\.1 200 /);
  await subscriber.untilEvents(200);
  const data = subscriber.account().events.map((event) => event.data);
  assert.equal(data.filter((text) => text === `${beginning}last`).length, 50);
  assert.deepEqual(new Set(data), new Set(["quick", `${beginning}last`]));
  assert.equal((await channel.stats()).published, 200);
});
