// PUBLISH_LIMIT and SUBSCRIBE_LIMIT: the platform's rate limits for each client address.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startHub } from "../support/hub.mjs";
import { configWithRateLimits } from "../support/rate-limits.mjs";
import { sendRequest } from "../support/request.mjs";
import { bearer, mint, SECRET } from "../support/tokens.mjs";
import { assertTooMany } from "../support/too-many.mjs";
import { sleep } from "../support/wait.mjs";

/** The period of the limits in seconds. The platform starts to count again at every multiple of it. */
const PERIOD = 10;

/** Starts a hub with these limits. */
function startLimited(limits, variables = {}) {
  return startHub(variables, { configPath: configWithRateLimits(limits, PERIOD) });
}

/** Waits for the next period if less than `ms` milliseconds of this one are left. */
async function enoughTime(ms = 8_000) {
  const left = PERIOD * 1_000 - (Date.now() % (PERIOD * 1_000));
  if (left < ms) await sleep(left + 100);
}

/** @typedef {import("../support/request.mjs").RequestOptions} RequestOptions */

/**
 * @param {string} address
 * @param {RequestOptions} [init]
 */
const from = (address, init = {}) => ({ ...init, headers: { "CF-Connecting-IP": address, ...init.headers } });
const publish = (address, headers = {}) => from(address, { method: "POST", body: "x", headers });

/** Sends requests one after the other, and returns their statuses. */
async function statuses(hub, path, inits) {
  const answers = [];
  for (const init of inits) answers.push((await sendRequest(hub.origin, path, init)).status);
  return answers;
}

const minute = { timeout: 60_000 };

test(
  "PUBLISH_LIMIT counts all requests of an address that need publish permission, accepted or not",
  minute,
  async () => {
    const hub = await startLimited({ PUBLISH_LIMIT: 4 }, { ACCESS: "token", JWT_SECRET: SECRET });
    const good = bearer(await mint());
    const bad = bearer("x.y.z");
    await enoughTime();
    const path = "/channels/foo/broadcast";
    const first = [good, bad, good].map((token) => publish("192.0.2.1", token));
    assert.deepEqual(await statuses(hub, path, first), [200, 401, 200]);
    assert.deepEqual(await statuses(hub, "/channels/bar/broadcast", [publish("192.0.2.1", good)]), [200]);
    for (const { id, token } of [
      { id: "foo", token: good },
      { id: "foo", token: bad },
      { id: "bar", token: good },
      { id: "bar", token: {} },
    ]) {
      const answer = await sendRequest(hub.origin, `/channels/${id}/broadcast`, publish("192.0.2.1", token));
      assertTooMany(answer, "too-many-requests", "10", /PUBLISH_LIMIT/);
    }
    assert.deepEqual(await statuses(hub, path, [publish("192.0.2.2", good), publish("2001:db8::1", good)]), [200, 200]);
    const status = async (method, suffix) => {
      const init = from("192.0.2.1", { method, headers: good });
      return (await sendRequest(hub.origin, `/channels/foo${suffix}`, init)).status;
    };
    for (const [method, suffix] of [
      ["GET", "/stats"],
      ["HEAD", "/events"],
      ["DELETE", ""],
    ]) {
      assert.equal(await status(method, suffix), 429, suffix);
    }
    // Subscribes and preflight requests do not count as publishes.
    for (const [method, suffix] of [
      ["GET", ""],
      ["HEAD", ""],
      ["OPTIONS", "/broadcast"],
    ]) {
      assert.ok([200, 204].includes(await status(method, suffix)), `${method} ${suffix}`);
    }
    await sleep(PERIOD * 1_000);
    assert.deepEqual(await statuses(hub, path, [publish("192.0.2.1", good)]), [200]);
  },
);

test("SUBSCRIBE_LIMIT counts the subscribes of an address, and refuses a browser in a stream", minute, async () => {
  const hub = await startLimited({ SUBSCRIBE_LIMIT: 3 });
  const stream = { Accept: "text/event-stream" };
  await enoughTime();
  const subscribes = [{}, { method: "HEAD" }, { headers: stream }].map((init) => from("192.0.2.1", init));
  assert.deepEqual(await statuses(hub, "/channels/foo", subscribes), [200, 200, 200]);
  const refused = await sendRequest(hub.origin, "/channels/bar", from("192.0.2.1"));
  assertTooMany(refused, "too-many-requests", "10", /SUBSCRIBE_LIMIT/);
  assert.equal((await sendRequest(hub.origin, "/channels/bar", from("192.0.2.1", { method: "HEAD" }))).status, 429);
  const inStream = await sendRequest(hub.origin, "/channels/foo", from("192.0.2.1", { headers: stream }));
  assert.deepEqual([inStream.status, inStream.headers["content-type"]], [200, "text/event-stream; charset=utf-8"]);
  const [, retry, data] = inStream.text.match(/^retry: (\d+)\nevent: hub\.error\ndata: (.+)\n\n$/);
  assert.ok(Number(retry) >= 5_000 && Number(retry) <= 15_000, retry);
  const problem = JSON.parse(data);
  assert.deepEqual([problem.status, problem.type], [429, "urn:sse-broadcaster:problem:too-many-requests"]);

  assert.deepEqual(await statuses(hub, "/channels/foo", [from("192.0.2.2")]), [200]);
  // Publishes have no limit here.
  const { published } = await hub.channel("foo").stats();
  const many = Array.from({ length: 20 }, () => publish("192.0.2.1"));
  assert.deepEqual(new Set(await statuses(hub, "/channels/foo/broadcast", many)), new Set([200]));
  assert.equal((await hub.channel("foo").stats()).published, published + 20);
});
