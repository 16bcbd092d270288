// POST /channels/foo,bar/broadcast: the same events for several channels, and an answer that has the result of each.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assertProblem, idsOf, post, results, stored } from "../support/publish-several.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { bearer, mint, SECRET } from "../support/tokens.mjs";
import { eventually } from "../support/wait.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd({ LOG_LEVEL: "debug" }, { withLog: true });

test("a publish to several channels is delivered to each, and the receipts are in the order of the path", async () => {
  const [one, two] = [await subscribe(hub.channel("o-bar")), await subscribe(hub.channel("o-bar"))];
  const answer = await post(hub, "o-foo,o-bar,o-user.42", "x");
  assert.deepEqual([answer.status, answer.type, answer.replayed], [200, "application/json", null]);
  assert.deepEqual(idsOf(answer), ["o-foo", "o-bar", "o-user.42"]);
  for (const { channel, id, ...rest } of results(answer)) {
    const subscribers = channel === "o-bar" ? 2 : 0;
    assert.deepEqual(rest, { events: 1, subscribers, dropped: 0, replayed: false });
    const { events } = await hub.channel(channel).history();
    assert.deepEqual(events, [{ id, event: "message", data: "x" }]);
  }
  for (const subscriber of [one, two]) {
    await subscriber.untilEvents(1);
    assert.deepEqual(
      subscriber.account().events.map(({ id, data }) => [id, data]),
      [[results(answer)[1].id, "x"]],
    );
  }
});

test("a publish to one channel is answered with its receipt alone", async () => {
  const answer = await post(hub, "alone", "x");
  const { id } = answer.body;
  assert.equal(answer.text, `{"id":"${id}","events":1,"subscribers":0,"dropped":0}\n`);
});

test("a comma in a list of channels may be percent-encoded, and so may the ids", async () => {
  const answer = await post(hub, "e-%66oo%2Ce-bar%2ce-baz", "x");
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(idsOf(answer), ["e-foo", "e-bar", "e-baz"]);
});

test("a batch, its types and the type in the query go to every channel", async () => {
  const batch = "event: score\ndata: 7:3\n\ndata: half-time\n\n";
  const answer = await post(hub, "b-foo,b-bar", batch, { type: "text/event-stream" });
  assert.deepEqual(
    results(answer).map(({ events }) => events),
    [2, 2],
  );
  await post(hub, "b-foo,b-bar", "final", { query: "?event=result" });
  for (const id of ["b-foo", "b-bar"]) {
    const { events } = await hub.channel(id).history();
    assert.deepEqual(
      events.map(({ event, data }) => [event, data]),
      [
        ["score", "7:3"],
        ["message", "half-time"],
        ["result", "final"],
      ],
    );
  }
});

test("a list of MAX_CHANNELS_PER_STREAM channels is accepted, and a longer one is refused before anything is published", async () => {
  const list = (count) => Array.from({ length: count }, (_, n) => `many-${n}`);
  const answer = await post(hub, list(20).join(","), "x");
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(idsOf(answer), list(20));
  const detail = /names 21 channels; at most 20 .*MAX_CHANNELS_PER_STREAM/;
  assertProblem(await post(hub, list(21).join(","), "y"), 400, "invalid-channel-list", detail);
  const commas = await post(hub, ",".repeat(8_000), "y");
  assertProblem(commas, 400, "invalid-channel-list", /names 8001 channels/);
  for (const id of ["many-0", "many-19"]) assert.deepEqual(await stored(hub, id), ["x"]);
  assert.deepEqual(await stored(hub, "many-20"), []);

  const larger = await startWorkerd({ MAX_CHANNELS_PER_STREAM: "100", LOG_LEVEL: "error" });
  const hundred = await post(larger, list(100).join(","), "x");
  assert.deepEqual([hundred.status, idsOf(hundred)], [200, list(100)]);
  assertProblem(await post(larger, list(101).join(","), "x"), 400, "invalid-channel-list", /at most 100/);
});

test("a list with a repeated, an empty or an invalid id is refused, and the detail names it", async () => {
  for (const [list, type, detail] of /** @type {const} */ ([
    ["r-foo,r-bar,r-foo", "invalid-channel-list", /the channel "r-foo" more than once/],
    ["r-foo,r-bar,r-%66oo", "invalid-channel-list", /the channel "r-foo" more than once/],
    [",r-foo", "invalid-channel-list", /Channel id 1 of the 2 in the path is empty/],
    ["r-foo,", "invalid-channel-list", /Channel id 2 of the 2 in the path is empty/],
    ["r-foo,,r-bar", "invalid-channel-list", /Channel id 2 of the 3 in the path is empty/],
    [",", "invalid-channel-list", /Channel id 1 of the 2/],
    ["%2C", "invalid-channel-list", /Channel id 1 of the 2/],
    ["r-foo,%20r-bar", "invalid-channel-id", /Channel id 2 of the 2 in the path has to be 1 to 128 characters/],
    ["r-foo,..", "invalid-channel-id", /Channel id 2 of the 2/],
    ["r%252Cfoo,r-bar", "invalid-channel-id", /Channel id 1 of the 2/],
    [`${"x".repeat(129)},r-foo`, "invalid-channel-id", /Channel id 1 of the 2/],
    ["r%252Cfoo", "invalid-channel-id", /^The channel id in the path has to be 1 to 128 characters/],
  ])) {
    assertProblem(await post(hub, list, "x"), 400, type, detail);
  }
  for (const id of ["r-foo", "r-bar"]) assert.deepEqual(await stored(hub, id), []);
});

test("an endpoint that takes one channel refuses a list and says what to do", async () => {
  for (const [method, path] of [
    ["DELETE", ""],
    ["POST", "/end"],
    ["GET", "/events"],
    ["GET", "/stats"],
  ]) {
    const response = await fetch(`${hub.origin}/channels/s-foo,s-bar${path}`, { method });
    const answer = { status: response.status, type: response.headers.get("content-type"), body: await response.json() };
    const detail = /takes one channel, and its path names 2. Send one request for each channel/;
    assertProblem(answer, 400, "invalid-channel-list", detail);
  }
});

test("a body that cannot be published is refused for all channels, with a problem that names no channel", async () => {
  for (const [body, options, status, type] of /** @type {const} */ ([
    ["x".repeat(65_537), {}, 413, "body-too-large"],
    ["hello", { type: "text/event-stream" }, 400, "empty-batch"],
    ["x", { query: "?event=hub.x" }, 400, "invalid-event-type"],
    ["x", { key: "x".repeat(129) }, 400, "invalid-idempotency-key"],
  ])) {
    const answer = await post(hub, "bad-foo,bad-bar", body, options);
    assertProblem(answer, status, type, /./);
    assert.deepEqual(Object.keys(answer.body), ["type", "title", "status", "detail"]);
  }
  for (const id of ["bad-foo", "bad-bar"]) assert.deepEqual(await stored(hub, id), []);
});

test("the log at level debug has the payload of each channel that has published", async () => {
  await post(hub, "log-foo,log-bar", "logged=1", { key: "k" });
  await post(hub, "log-foo,log-bar,log-baz", "logged=1", { key: "k" });
  await eventually(() => hub.log.includes("sent to log-baz: logged=1"));
  const lines = hub.log.split("\n").filter((line) => line.includes("logged=1"));
  assert.deepEqual(
    lines.map((line) => line.match(/sent to .*/)[0]).sort(),
    ["log-bar", "log-baz", "log-foo"].map((id) => `sent to ${id}: logged=1`),
  );
});

test("a repeat with an idempotency key publishes only to the channels that do not have the events yet", async () => {
  const first = await post(hub, "k-foo,k-bar", "x", { key: "k" });
  const all = await post(hub, "k-foo,k-bar", "x", { query: "?idempotency_key=k" });
  assert.deepEqual([all.status, all.replayed], [200, "true"]);
  assert.deepEqual(
    results(all),
    results(first).map((result) => ({ ...result, replayed: true })),
  );
  const more = await post(hub, "k-new,k-bar,k-foo", "x", { key: "k" });
  assert.deepEqual([more.status, more.replayed], [200, null], "one of them is no replay");
  assert.deepEqual(
    results(more).map(({ channel, replayed }) => [channel, replayed]),
    [
      ["k-new", false],
      ["k-bar", true],
      ["k-foo", true],
    ],
  );
  // The key of a list is the key of each of its channels.
  const one = await post(hub, "k-foo", "x", { key: "k" });
  assert.deepEqual([one.replayed, one.body.id], ["true", results(first)[0].id]);
  for (const id of ["k-foo", "k-bar", "k-new"]) assert.deepEqual(await stored(hub, id), ["x"]);
});

test("a token has to permit all channels, and 403 names the first one that it does not", async () => {
  const locked = await startTokenHub({ JWT_SECRET: SECRET });
  const objects = () => readdirSync(join(locked.stateDir, "channel")).filter((name) => /^[0-9a-f]{64}/.test(name));
  const headers = bearer(await mint({ publish: ["foo", "b*"] }));
  const refused = await post(locked, "foo,x,bar,y", "x", { headers });
  assertProblem(refused, 403, "forbidden", /claim "publish" does not list the channel "x"\.$/);
  assertProblem(await post(locked, "foo,bar", "x"), 401, "missing-token", /"publish"/);
  const expired = bearer(await mint({ publish: ["*"], exp: 1 }));
  assertProblem(await post(locked, "foo,bar", "x", { headers: expired }), 401, "invalid-token", /expired/);
  // A token for subscribing does not permit publishing.
  const reader = bearer(await mint({ subscribe: ["*"] }));
  assertProblem(await post(locked, "foo,bar", "x", { headers: reader }), 403, "forbidden", /channel "foo"\.$/);
  assert.deepEqual(objects(), [], "a refused request makes no object");
  const permitted = await post(locked, "foo,bar,baz", "x", { headers });
  assert.deepEqual([permitted.status, idsOf(permitted)], [200, ["foo", "bar", "baz"]]);
});
