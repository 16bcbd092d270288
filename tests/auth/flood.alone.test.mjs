// 200 connections that publish with bad tokens as fast as they can: who has a good one hardly notices, and the process
// does not grow. On bare workerd, whose memory is the hub's alone.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { before, test } from "node:test";
import { startFlood } from "../support/flood.mjs";
import { listen } from "../support/listener.mjs";
import { ALL, SECRET, bearer, jwks, makeKey, mint, now, part } from "../support/tokens.mjs";
import { sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const CONNECTIONS = 200;
const SECONDS = 30;
const LISTENERS = 100;
const PUBLISHES_PER_SECOND = 8;
const MAX_MS = 1_000;
/**
 * So many bad requests come before memory is looked at: V8 lets its heap grow until there have been about 90,000, from
 * 110 to 350 MB, and goes up and down by 14 MB from then on.
 */
const WARM_UP_REQUESTS = 120_000;
/** That, and 10 MB more: of a flood of 4,000 requests a second, 125 bytes each that nobody would free. */
const MAX_GROWN = 24e6;

const keys = await Promise.all(["ES256", "RS256", "EdDSA"].map((alg) => makeKey(alg, alg)));
const hub = await startWorkerd({ ACCESS: "token", JWT_SECRET: SECRET, JWT_KEYS: jwks(...keys), LOG_LEVEL: "info" });

/** How long the signatures of each algorithm are. */
const SIGNATURE_BYTES = { HS256: 32, ES256: 64, RS256: 256, EdDSA: 64 };

/**
 * A token all of which is right but for its signature: bytes that could be one, so that all of it has to be computed.
 * (The numbers in it are smaller than those of the key.)
 */
function forged(alg) {
  const header = alg === "HS256" ? { alg } : { alg, kid: alg };
  const signature = randomBytes(SIGNATURE_BYTES[alg]);
  signature[0] &= 0x7f;
  signature[32] &= 0x7f;
  signature[signature.length - 1] &= 0x0f;
  const claims = { ...ALL, exp: now() + 3_600, jti: randomBytes(6).toString("hex") };
  return `${part(header)}.${part(claims)}.${part(signature)}`;
}

function badPublish(alg) {
  const head = `POST /channels/good/broadcast HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${forged(alg)}\r\n`;
  return `${head}Content-Length: 7\r\n\r\nfoo=bad`;
}

/** The value that `share` of the sorted `times` do not exceed, in whole milliseconds. */
const quantile = (times, share) => Math.ceil(times[Math.min(times.length - 1, Math.floor(times.length * share))]);
const summary = (times) => {
  times.sort((a, b) => a - b);
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), max: quantile(times, 1) };
};

/**
 * Publishes for `seconds` to listeners, so many times a second whatever the answers take. Returns how long they took,
 * and the deliveries to all listeners, from when each publish was due; and the process's memory, once a second.
 */
async function measure(channel, headers, listeners, seconds) {
  const due = new Map();
  const publishes = [];
  const deliveries = [];
  for (const listener of listeners) {
    listener.forget();
    let seen = 0;
    listener.arrived = () => {
      for (; seen < listener.events.length; seen++) {
        deliveries.push(performance.now() - due.get(listener.events[seen].data));
      }
    };
    listener.response.on("data", listener.arrived);
  }
  const count = seconds * PUBLISHES_PER_SECOND;
  const memory = [hub.residentBytes()];
  const started = performance.now();
  const receipts = [];
  for (let n = 0; n < count; n++) {
    const at = started + (n * 1_000) / PUBLISHES_PER_SECOND;
    await sleep(Math.max(0, at - performance.now()));
    due.set(String(n), at);
    const receipt = channel.publish(String(n), { headers });
    receipts.push(receipt.then(() => publishes.push(performance.now() - at)));
    if (n % PUBLISHES_PER_SECOND === 0) memory.push(hub.residentBytes());
  }
  await Promise.all(receipts);
  for (const listener of listeners) {
    await listener.untilEvents(count);
    listener.response.off("data", listener.arrived);
    // All of it, and nothing that was refused.
    assert.equal(listener.account().dropped, 0);
    assert.equal(listener.events.filter(({ data }) => !due.has(data)).length, 0);
  }
  return { publish: summary(publishes), delivery: summary(deliveries), deliveries: deliveries.length, memory };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** 900 different publishes with tokens of these algorithms, in turn. */
function flood(...algorithms) {
  const requests = Array.from({ length: 900 }, (_, n) => badPublish(algorithms[n % algorithms.length]));
  return startFlood(hub.workerd.port, requests, CONNECTIONS);
}

/** The heap grows to its working size. */
async function warmUp() {
  const { answers, stop } = await flood("HS256");
  while (((await answers())[401] ?? 0) < WARM_UP_REQUESTS) await sleep(500);
  assert.deepEqual(Object.keys(await stop()), ["401"]);
}

before(warmUp, { timeout: 300_000 });

test("a flood of bad tokens delays no good publisher, and leaves nothing", { timeout: 120_000 }, async () => {
  const channel = hub.channel("good");
  const headers = bearer(await mint({ ...ALL, exp: now() + 3_600 }));
  const listeners = await Promise.all(Array.from({ length: LISTENERS }, () => listen(channel, { headers })));
  const quiet = await measure(channel, headers, listeners, 3);
  const { stop } = await flood(...Object.keys(SIGNATURE_BYTES));
  const flooded = await measure(channel, headers, listeners, SECONDS);
  const answers = await stop();
  for (const listener of listeners) listener.leave();

  const text = ({ publish, delivery }) => `publish ${JSON.stringify(publish)}, delivery ${JSON.stringify(delivery)}`;
  console.log(`# before: ${text(quiet)}`);
  console.log(`# beside ${Math.round(answers[401] / SECONDS)} bad ones a second: ${text(flooded)}`);
  console.log(`# memory, MB, once a second: ${flooded.memory.map((bytes) => Math.round(bytes / 1e6)).join(" ")}`);
  assert.deepEqual(Object.keys(answers), ["401"], JSON.stringify(answers));
  assert.ok(answers[401] > CONNECTIONS * SECONDS, `${answers[401]} bad requests are no flood`);
  assert.equal(flooded.deliveries, LISTENERS * SECONDS * PUBLISHES_PER_SECOND);
  assert.ok(flooded.publish.p99 < MAX_MS, `p99 of publishing: ${flooded.publish.p99} ms`);
  assert.ok(flooded.delivery.p99 < MAX_MS, `p99 of delivering: ${flooded.delivery.p99} ms`);
  const grown = median(flooded.memory.slice(-10)) - median(flooded.memory.slice(0, 10));
  assert.ok(grown < MAX_GROWN, `it grew by ${grown / 1e6} MB`);
});
