// Requests that cost the hub more than they cost their sender: none delays the publishes of another channel, or fills the
// memory. On bare workerd, whose memory is the hub's alone, as `npm run serve` sets it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { repeatRequest } from "../support/repeat.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const SETTINGS = { LOG_LEVEL: "error", MEMORY_BYTES: String(2 ** 27), MAX_OPEN_CHANNELS: "3000" };
const MS = 5_000;

const post = (path, headers, body) => `POST ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`;
const get = (path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

const ATTACKS = {
  "paths of 30,000 segments": { connections: 16, text: get("/a".repeat(30_000)) },
  "bodies of 65,536 line ends, to 40 channels": {
    connections: 40,
    text: post("/channels/lines-%N/broadcast", "Content-Length: 65536", "\n".repeat(65_536)),
  },
  "bodies in chunks of one byte, over 2,000 connections": {
    connections: 2_000,
    text: post("/channels/bytes/broadcast", "Transfer-Encoding: chunked", `${"1\r\nx\r\n".repeat(5_000)}0\r\n\r\n`),
  },
  "pages of a history that nobody reads": {
    connections: 500,
    text: get("/channels/large/events?limit=1000"),
    reads: false,
  },
  "pages of a history, read as fast as they come": { connections: 50, text: get("/channels/large/events?limit=1000") },
};

for (const [what, attack] of Object.entries(ATTACKS)) {
  test(`${what} delay no publish to another channel`, { timeout: 60_000 }, async () => {
    const hub = await startWorkerd(SETTINGS);
    const channel = hub.channel("other");
    const subscriber = await subscribe(channel);
    // As JSON these take six times as many bytes.
    for (let number = 0; number < 20; number++) await hub.channel("large").publish("\u0001".repeat(60_000));
    const times = [];
    let ends = false;
    const attacking = repeatRequest(hub.workerd.port, { ms: MS, ...attack }).then(() => (ends = true));
    while (!ends) {
      const started = performance.now();
      await channel.publish("tick");
      times.push(performance.now() - started);
      await sleep(20);
    }
    await attacking;
    times.sort((a, b) => a - b);
    const p99 = times[Math.floor(times.length * 0.99)];
    const peak = hub.peakBytes();
    console.log(
      `# ${what}: ${times.length} other publishes, p99 ${Math.round(p99)} ms, peak ${Math.round(peak / 1e6)} MB`,
    );
    assert.ok(p99 < 500, `${p99} ms`);
    assert.ok(peak < 1e9, `${peak} bytes`);
    await subscriber.untilEvents(times.length);
  });
}
