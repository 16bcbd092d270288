// The hub accepts valid requests for a stream of several channels, and refuses the others with a problem.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { subscribeToSeveral } from "../support/several.mjs";
import { bearer, mint, PLACES, SECRET } from "../support/tokens.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ LOG_LEVEL: "error" });

/** Sends a request for a stream of `list` that is refused. Returns the problem. */
async function refusal(to, list, { query = "", headers = {} } = {}) {
  const response = await fetch(`${to.origin}/channels/${list}${query}`, {
    headers: { Accept: "application/json", ...headers },
  });
  const { type, status, detail } = await response.json();
  assert.equal(response.status, status);
  return { status, kind: type.split(":").at(-1), detail };
}

/** Returns the files of the objects that a hub has made. */
const objects = ({ stateDir }) => readdirSync(join(stateDir, "channel")).filter((name) => /^[0-9a-f]{64}/.test(name));

const list = (count) => Array.from({ length: count }, (_, n) => `many-${n}`);

test("a list with a repeated, an empty, an invalid or one id too many is refused with 400, and makes no object", async () => {
  for (const [path, kind, detail] of /** @type {const} */ ([
    ["r-foo,r-bar,r-foo", "invalid-channel-list", /the channel "r-foo" more than once/],
    ["r-foo,r-%66oo", "invalid-channel-list", /the channel "r-foo" more than once/],
    ["r-foo,", "invalid-channel-list", /Channel id 2 of the 2 in the path is empty/],
    [",", "invalid-channel-list", /Channel id 1 of the 2/],
    ["r-foo,r%20bar", "invalid-channel-id", /Channel id 2 of the 2/],
    [list(21).join(","), "invalid-channel-list", /names 21 channels; at most 20 .*MAX_CHANNELS_PER_STREAM/],
  ])) {
    const refused = await refusal(hub, path);
    assert.deepEqual([refused.status, refused.kind], [400, kind]);
    assert.match(refused.detail, detail);
  }
  for (const query of ["?history=-1", "?history=x", "?catch_up=2"]) {
    const refused = await refusal(hub, "r-foo,r-bar", { query });
    assert.deepEqual([refused.status, refused.kind], [400, "invalid-query"]);
  }
  assert.deepEqual(objects(hub), []);
});

test("a stream of MAX_CHANNELS_PER_STREAM = 100 channels is opened and delivers the events of all", {
  timeout: 60_000,
}, async () => {
  const larger = await startWorkerd({ MAX_CHANNELS_PER_STREAM: "100", LOG_LEVEL: "error" });
  const ids = list(100);
  const stream = await subscribeToSeveral(larger, ids);
  const response = await fetch(`${larger.origin}/channels/${ids.join(",")}/broadcast`, { method: "POST", body: "x" });
  assert.equal(response.status, 200);
  await stream.until(() => ids.every((id) => stream.part(id).events.length === 1), "an event of each channel");
  assert.deepEqual(stream.complete(), Object.fromEntries(ids.map((id) => [id, ["x"]])));
});

test("a comma in the path may be percent-encoded", async () => {
  const response = await fetch(`${hub.origin}/channels/e-foo%2Ce-%62ar%2ce-baz`, { method: "HEAD" });
  assert.equal(response.status, 200);
});

test("a token has to permit all channels of a stream, and 403 names the first one that it does not", async () => {
  const locked = await startTokenHub({ JWT_SECRET: SECRET });
  const token = await mint({ subscribe: ["foo", "b*"] });
  for (const place of Object.values(PLACES)) {
    const refused = await refusal(locked, "foo,x,bar,y", place(token));
    assert.deepEqual([refused.status, refused.kind], [403, "forbidden"]);
    assert.match(refused.detail, /claim "subscribe" does not list the channel "x"\.$/);
  }
  const missing = await refusal(locked, "foo,bar");
  assert.deepEqual([missing.status, missing.kind], [401, "missing-token"]);
  const publisher = bearer(await mint({ publish: ["*"] }));
  const refused = await refusal(locked, "foo,bar", { headers: publisher });
  assert.match(refused.detail, /channel "foo"\.$/);
  assert.deepEqual(objects(locked), [], "a refused request makes no object");
  const stream = await subscribeToSeveral(locked, ["foo", "bar"], PLACES.query(token));
  assert.equal(stream.status, 200);
});
