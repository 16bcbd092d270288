// SIGTERM on `npm run serve` ends thousands of streams properly within its two seconds.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { rawConnection } from "../support/raw.mjs";
import { serve } from "../support/serve.mjs";
import { eventually } from "../support/wait.mjs";

const STREAMS = 2_000;
const CHANNELS = 50;
/** Opened at the same time. */
const GROUP = 100;

test(`SIGTERM ends ${STREAMS} streams completely within 2 s, and spreads the times at which their clients reconnect`, {
  timeout: 60_000,
}, async () => {
  const hub = await serve({ LOG_LEVEL: "error", MAX_SUBSCRIBERS: "1500" });
  const open = async (n) => {
    // Half of the streams are on one channel.
    const channel = n % 2 ? "full" : `c${n % CHANNELS}`;
    const connection = await rawConnection(hub.origin);
    connection.send(`GET /channels/${channel} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(connection.socket, "data");
    return connection;
  };
  const streams = [];
  while (streams.length < STREAMS) {
    streams.push(...(await Promise.all(Array.from({ length: GROUP }, (_, i) => open(streams.length + i)))));
  }
  await eventually(async () => (await hub.channel("full").stats()).subscribers === STREAMS / 2);
  await hub.channel("full").publish("last");
  const sentAt = performance.now();
  process.kill(hub.script, "SIGTERM");
  const texts = await Promise.all(streams.map((stream) => stream.untilClosed()));
  const ms = performance.now() - sentAt;
  assert.equal(await hub.exitStatus(), 0);
  const retries = texts.map((text) => Number(text.match(/\nretry: (\d+)\n\r\n0\r\n\r\n$/)?.[1]));
  // workerd is killed two seconds after the stop began, so each complete stream has ended before that.
  assert.equal(retries.filter(Number.isNaN).length, 0, "each stream is complete");
  assert.equal(texts.filter((text) => text.includes("data: last\n")).length, STREAMS / 2);
  assert.ok(retries.every((retry) => retry >= 2_000 && retry <= 4_000));
  // 2,000 random numbers of 2,001 have 1,265 different values on average, with a deviation of 18.
  const distinct = new Set(retries).size;
  assert.ok(distinct > 1_100, `${distinct} different times`);
  const inSameTenth = Array.from(
    { length: 20 },
    (_, n) => retries.filter((ms) => Math.floor(ms / 100) === 20 + n).length,
  );
  assert.ok(Math.max(...inSameTenth) < STREAMS / 10, `streams for each tenth of a second: ${inSameTenth}`);
  console.log(`# ${STREAMS} streams ended ${Math.round(ms)} ms after SIGTERM`);
});
