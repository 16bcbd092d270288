// PUBLISH_PER_SECOND: the limit of publishes for each channel.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sendRequest } from "../support/request.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { assertTooMany } from "../support/too-many.mjs";
import { sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

/**
 * Publishes `count` times at once. Returns how many publishes were taken and refused, and the duration in seconds.
 * @param {{ url: string }} channel
 * @param {number} count
 * @param {{ headers?: Record<string, string>, body?: string }} [options]
 */
async function burst(channel, count, { headers, body = "x" } = {}) {
  const from = performance.now();
  const init = { method: "POST", body, headers };
  const all = Array.from({ length: count }, () => sendRequest(channel.url, "/broadcast", init));
  const answers = await Promise.all(all);
  const seconds = (performance.now() - from) / 1_000;
  const taken = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status !== 200);
  for (const answer of refused) assertTooMany(answer, "too-many-publishes", "1", /PUBLISH_PER_SECOND/);
  return { taken: taken.length, refused: refused.length, seconds };
}

test("PUBLISH_PER_SECOND permits the publishes of one second at once, and then that many a second", async () => {
  const hub = await startWorkerd({ PUBLISH_PER_SECOND: "10" });
  const channel = hub.channel("bucket");
  const subscriber = await subscribe(channel);
  const started = performance.now();
  const first = await burst(channel, 30);
  assert.ok(first.taken >= 10 && first.taken <= 10 + Math.ceil(first.seconds * 10), JSON.stringify(first));
  assert.ok(first.refused > 0);

  // A publisher that never stops gets exactly the rate, because a refused publish takes nothing from the bucket. The
  // loop ends with a refused publish, so that the bucket is empty. While the machine stalls, a full bucket overflows.
  let { taken } = first;
  let lost = first.seconds * 10;
  let last = first;
  while (performance.now() < started + 2_000 || last.refused === 0) {
    last = await burst(channel, 3);
    taken += last.taken;
    lost += Math.max(0, last.seconds - 0.9) * 10;
  }
  const seconds = (performance.now() - started) / 1_000;
  const most = 10 + seconds * 10;
  assert.ok(taken >= most - lost - 3 && taken <= most + 1, `${taken} in ${seconds} s`);

  // The bucket never has more than the publishes of one second.
  await sleep(2_500);
  const rested = await burst(channel, 30);
  assert.ok(rested.taken >= 10 && rested.taken <= 10 + Math.ceil(rested.seconds * 10), JSON.stringify(rested));
  taken += rested.taken;

  await subscriber.untilEvents(taken);
  assert.deepEqual([subscriber.account().events.length, subscriber.account().last], [taken, taken]);
  assert.equal((await channel.stats()).published, taken);
});

test("PUBLISH_PER_SECOND counts each channel by itself, counts a batch once, and limits publishes only", async () => {
  const hub = await startWorkerd({ PUBLISH_PER_SECOND: "2" });
  const [full, other, batches] = ["full", "other", "batches"].map((id) => hub.channel(id));
  assert.ok((await burst(full, 20)).refused > 0);
  assert.deepEqual((await other.publish("x")).events, 1);
  const batch = { headers: { "Content-Type": "text/event-stream" }, body: "data: x\n\n".repeat(100) };
  const { taken } = await burst(batches, 20, batch);
  assert.ok(taken >= 2);
  assert.equal((await batches.stats()).published, taken * 100);

  await burst(full, 10);
  for (const [method, path] of [
    ["GET", "/stats"],
    ["GET", "/events"],
    ["GET", "?history=5"],
    ["DELETE", ""],
  ]) {
    assert.equal((await sendRequest(full.url, path, { method })).status, 200, path);
  }
});

test("a publish that PUBLISH_PER_SECOND has refused succeeds a second later with the same idempotency key", async () => {
  const hub = await startWorkerd({ PUBLISH_PER_SECOND: "1" });
  // The answer to a publisher has a status even if it accepts a stream.
  const headers = { "Idempotency-Key": "k", Accept: "text/event-stream" };
  const send = (channel) => sendRequest(channel.url, "/broadcast", { method: "POST", body: "second", headers });
  let channel;
  let refused;
  // On a machine that stalls, the second publish may come a second after the first one.
  for (let tries = 0; tries < 20 && refused?.status !== 429; tries++) {
    channel = hub.channel(`keys-${tries}`);
    await channel.publish("first");
    refused = await send(channel);
  }
  assertTooMany(refused, "too-many-publishes", "1", /PUBLISH_PER_SECOND/);
  await sleep(1_100);
  const answer = await send(channel);
  assert.deepEqual([answer.status, answer.headers["idempotency-replayed"]], [200, undefined], answer.text);
  assert.match(JSON.parse(answer.text).id, /-2$/);
});

test("publishes are not limited if PUBLISH_PER_SECOND is 0 or not set", async () => {
  for (const settings of [{}, { PUBLISH_PER_SECOND: "0" }]) {
    const hub = await startWorkerd(settings);
    const { taken, refused } = await burst(hub.channel("unlimited"), 200);
    assert.deepEqual([taken, refused], [200, 0]);
  }
});
