// `npm run churn`: 100,000 streams open and close on one channel.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { subscribe } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const TOTAL = 100_000;
const WAVE = 200;
const REPORT_EVERY = 10_000;
// After this number of streams the heap has its working size.
const WARM = 30_000;

/** Opens a stream, waits for its first bytes, and closes it, every other one with a reset. */
async function visit(port, path, n) {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await once(socket, "data");
  if (n % 2) socket.resetAndDestroy();
  else socket.destroy();
}

test("the memory stays flat while 100,000 streams open and close, and another stream misses no event", {
  timeout: 1_800_000,
}, async () => {
  const hub = await startWorkerd({ HEARTBEAT_SECONDS: "1", LOG_LEVEL: "error" });
  const channel = hub.channel("churn");
  const witness = await subscribe(channel);
  const { port, pathname } = new URL(channel.url);
  let warm;
  for (let done = 0; done < TOTAL; done += WAVE) {
    await Promise.all(Array.from({ length: WAVE }, (_, n) => visit(Number(port), pathname, n)));
    await channel.publish(`after ${done + WAVE}`);
    if ((done + WAVE) % REPORT_EVERY) continue;
    await eventually(async () => (await channel.stats()).subscribers === 1);
    const bytes = hub.residentBytes();
    if (done + WAVE === WARM) warm = bytes;
    console.log(`${done + WAVE} streams opened and closed: ${Math.round(bytes / 1e6)} MB resident`);
  }
  const { connected, subscribers, dropped } = await channel.stats();
  assert.deepEqual([connected, subscribers, dropped], [TOTAL + 1, 1, 0]);
  assert.ok(hub.residentBytes() < warm * 1.25, `${warm} bytes before, ${hub.residentBytes()} after`);
  await witness.untilEvents(TOTAL / WAVE);
  assert.equal(witness.account().events.length, TOTAL / WAVE);
});
