// `npm run serve` follows its environment, and says at start who may do what.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SETTINGS } from "../../scripts/settings.mjs";
import { serve } from "../support/serve.mjs";
import { bearer, mint, OTHER_SECRET, SECRET, secretKey } from "../support/tokens.mjs";

/** What the machine that runs the tests may have set counts for nothing. */
const NOTHING = Object.fromEntries(SETTINGS.map((name) => [name, undefined]));
const TOKEN = "ACCESS is token: publishers and subscribers need a token";
const PUBLISH_TOKEN = "ACCESS is publish-token: publishers need a token, and anyone can subscribe";
const OPEN = "ACCESS is open: anyone who reaches the hub can publish, subscribe and end channels";
const FAILS = "every request fails. ";

const good = bearer(await mint());
const bad = bearer(await mint(undefined, secretKey(OTHER_SECRET)));

/** The status of a publish, or of a stream, with what a request has that shows a token, or shows none. */
async function status(hub, headers, isPublish) {
  const init = isPublish ? { method: "POST", body: "x" } : {};
  const response = await hub.fetch(`/channels/foo${isPublish ? "/broadcast" : ""}`, { ...init, headers });
  await response.body?.cancel();
  return response.status;
}

/**
 * [variables, what it says of access, the statuses of a publish, those of a stream]: without a token, with one by
 * another key, with a good one.
 */
const CASES = [
  [{ JWT_SECRET: SECRET }, TOKEN, [401, 401, 200], [401, 401, 200]],
  [{ ACCESS: "", JWT_SECRET: SECRET }, TOKEN, [401, 401, 200], [401, 401, 200]],
  [{ ACCESS: "token", JWT_SECRET: SECRET }, TOKEN, [401, 401, 200], [401, 401, 200]],
  [{ ACCESS: "publish-token", JWT_SECRET: SECRET }, PUBLISH_TOKEN, [401, 401, 200], [200, 200, 200]],
  [{ ACCESS: "open" }, OPEN, [200, 200, 200], [200, 200, 200]],
  [{ ACCESS: "open", JWT_SECRET: SECRET }, OPEN, [200, 200, 200], [200, 200, 200]],
];

/** [variables with which every request is a 500, what it says of access, what the detail says]. */
const FAILING = [
  [{}, TOKEN, /JWT_SECRET is not set\b.*JWT_KEYS/],
  [{ ACCESS: "", JWT_SECRET: "" }, TOKEN, /JWT_SECRET is not set\b/],
  [{ ACCESS: "publish-token" }, PUBLISH_TOKEN, /JWT_SECRET is not set\b/],
  [{ JWT_SECRET: "far-too-short" }, TOKEN, /JWT_SECRET has 13 bytes\b/],
  [{ JWT_SECRET: SECRET, JWT_KEYS: "{}" }, TOKEN, /JWT_KEYS\b/],
  [{ ACCESS: "closed", JWT_SECRET: SECRET }, undefined, /ACCESS is "closed"/],
];

/** Serves with `variables` alone. Returns the hub, and what it has said of access. */
async function start(variables) {
  const hub = await serve({ ...NOTHING, ...variables });
  const line = /^sse-broadcaster: (ACCESS is .*|every request .*)$/gm;
  const said = [...hub.output.matchAll(line)].map(([, text]) => text);
  return { hub, said };
}

/** Ends it. No secret that it was given may stand in anything it has said. */
async function stop(hub, { JWT_SECRET }) {
  await hub.stop();
  if (JWT_SECRET) assert.ok(!hub.output.includes(JWT_SECRET), "it shows the secret");
}

/** Variables as a test's name. */
function named(variables) {
  const shown = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return shown.join(" ") || "nothing set";
}

for (const [variables, says, publishes, streams] of CASES) {
  test(`${named(variables)}: it says so, and does it`, { timeout: 30_000 }, async () => {
    const { hub, said } = await start(variables);
    assert.deepEqual(said, [says]);
    const found = [true, false].map((isPublish) => [{}, bad, good].map((headers) => status(hub, headers, isPublish)));
    assert.deepEqual(await Promise.all(found.map((all) => Promise.all(all))), [publishes, streams]);
    const refused = await hub.fetch("/channels/foo/broadcast", { method: "POST", body: "x" });
    if (publishes[0] === 401) assert.match((await refused.json()).type, /:missing-token$/);
    await stop(hub, variables);
  });
}

for (const [variables, access, reason] of FAILING) {
  test(`${named(variables)}: it says that every request fails, and why`, { timeout: 30_000 }, async () => {
    const { hub, said } = await start(variables);
    assert.deepEqual(said.slice(0, -1), access === undefined ? [] : [access]);
    assert.ok(said.at(-1).startsWith(FAILS), said.at(-1));
    const response = await hub.fetch("/channels/foo/broadcast", { method: "POST", body: "x" });
    const { type, detail } = await response.json();
    assert.deepEqual([response.status, type], [500, "urn:sse-broadcaster:problem:invalid-setting"]);
    assert.match(detail, reason);
    assert.equal(said.at(-1), FAILS + detail);
    assert.equal(await status(hub, good, false), 500);
    await stop(hub, variables);
  });
}
