// `npm run serve` reads its settings from the environment, and says at its start who can use the hub.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SETTINGS } from "../../scripts/settings.mjs";
import { serve } from "../support/serve.mjs";
import { bearer, mint, OTHER_SECRET, SECRET, secretKey } from "../support/tokens.mjs";

/** Settings of the machine that runs the tests must not count. */
const UNSET = Object.fromEntries(SETTINGS.map((name) => [name, undefined]));
const TOKEN = "ACCESS is token: publishers and subscribers need a token";
const PUBLISH_TOKEN = "ACCESS is publish-token: publishers need a token, and anyone can subscribe";
const OPEN = "ACCESS is open: anyone who reaches the hub can publish, subscribe, and end and delete channels";
const FAILS = "every request fails. ";

const good = bearer(await mint());
const bad = bearer(await mint(undefined, secretKey(OTHER_SECRET)));

/** Returns the status of a publish or of a subscribe with these headers. */
async function status(hub, headers, isPublish) {
  const init = isPublish ? { method: "POST", body: "x" } : {};
  const response = await hub.fetch(`/channels/foo${isPublish ? "/broadcast" : ""}`, { ...init, headers });
  await response.body?.cancel();
  return response.status;
}

/**
 * Valid settings, the message about access, and the statuses of a publish and of a subscribe: without a token, with one
 * of another key, and with a good one.
 * @type {[variables: Record<string, string>, message: string, publishes: number[], subscribes: number[]][]}
 */
const VALID = [
  [{ JWT_SECRET: SECRET }, TOKEN, [401, 401, 200], [401, 401, 200]],
  [{ ACCESS: "", JWT_SECRET: SECRET }, TOKEN, [401, 401, 200], [401, 401, 200]],
  [{ ACCESS: "publish-token", JWT_SECRET: SECRET }, PUBLISH_TOKEN, [401, 401, 200], [200, 200, 200]],
  [{ ACCESS: "open" }, OPEN, [200, 200, 200], [200, 200, 200]],
  [{ ACCESS: "open", JWT_SECRET: SECRET }, OPEN, [200, 200, 200], [200, 200, 200]],
];

/**
 * Invalid settings, the message about access, and the detail of the problem that answers every request.
 * @type {[variables: Record<string, string>, access: string | undefined, reason: RegExp][]}
 */
const INVALID = [
  [{}, TOKEN, /JWT_SECRET is not set\b.*JWT_KEYS/],
  [{ ACCESS: "publish-token" }, PUBLISH_TOKEN, /JWT_SECRET is not set\b/],
  [{ JWT_SECRET: "far-too-short" }, TOKEN, /JWT_SECRET has 13 bytes\b/],
  [{ JWT_SECRET: SECRET, JWT_KEYS: "{}" }, TOKEN, /JWT_KEYS\b/],
  [{ ACCESS: "closed", JWT_SECRET: SECRET }, undefined, /ACCESS is "closed"/],
];

/** Serves with no settings but `variables`. Returns the hub and its messages about access. */
async function start(variables) {
  const hub = await serve({ ...UNSET, ...variables });
  const line = /^sse-broadcaster: (ACCESS is .*|every request .*)$/gm;
  const said = [...hub.output.matchAll(line)].map(([, text]) => text);
  return { hub, said };
}

/** Ends the hub, and checks that it has printed no secret. */
async function stop(hub, variables) {
  await hub.stop();
  const { JWT_SECRET } = variables;
  if (JWT_SECRET) assert.ok(!hub.output.includes(JWT_SECRET), "the output shows the secret");
}

/** Returns variables in words, for the name of a test. */
function named(variables) {
  const shown = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return shown.join(" ") || "no settings";
}

for (const [variables, message, publishes, subscribes] of VALID) {
  test(`npm run serve says who can use the hub, and applies it, with ${named(variables)}`, {
    timeout: 30_000,
  }, async () => {
    const { hub, said } = await start(variables);
    assert.deepEqual(said, [message]);
    const found = [true, false].map((isPublish) => [{}, bad, good].map((headers) => status(hub, headers, isPublish)));
    assert.deepEqual(await Promise.all(found.map((all) => Promise.all(all))), [publishes, subscribes]);
    const refused = await hub.fetch("/channels/foo/broadcast", { method: "POST", body: "x" });
    if (publishes[0] === 401) assert.match((await refused.json()).type, /:missing-token$/);
    await stop(hub, variables);
  });
}

for (const [variables, access, reason] of INVALID) {
  test(`npm run serve says that every request fails, and why, with ${named(variables)}`, {
    timeout: 30_000,
  }, async () => {
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
