// `npm run serve` reads its settings from the environment, and says at its start who can use the hub.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SETTINGS } from "../../cli/serve/settings.mjs";
import { namedBlock } from "../support/markdown.mjs";
import { freePort } from "../support/port.mjs";
import { ServeProcess, serve } from "../support/serve.mjs";
import { bearer, makeKey, mint, OTHER_SECRET, SECRET, secretKey } from "../support/tokens.mjs";
import { sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

/** Settings of the machine that runs the tests must not count. */
const UNSET = Object.fromEntries(SETTINGS.map((name) => [name, undefined]));
const TOKEN = "ACCESS is token: publishers and subscribers need a token";
const PUBLISH_TOKEN = "ACCESS is publish-token: publishers need a token, and anyone can subscribe";
const OPEN = "ACCESS is open: anyone who reaches the hub can publish, subscribe, and end and delete channels";

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

const ec = await makeKey("ES256", "ec-1");
const NO_POINT = JSON.stringify({ keys: [{ ...ec.jwk, y: ec.jwk.x }] });

/**
 * Invalid settings, and what the message has to say.
 * @type {[variables: Record<string, string>, reason: RegExp][]}
 */
const INVALID = [
  [{}, /JWT_SECRET is not set\b.*JWT_KEYS/],
  [{ ACCESS: "publish-token" }, /JWT_SECRET is not set\b/],
  [{ JWT_SECRET: "far-too-short" }, /JWT_SECRET has 13 bytes\b/],
  [{ JWT_SECRET: SECRET, JWT_KEYS: "{}" }, /JWT_KEYS\b/],
  // Only Web Crypto finds this out.
  [{ JWT_KEYS: NO_POINT }, /JWT_KEYS\b/],
  [{ ACCESS: "closed", JWT_SECRET: SECRET }, /ACCESS is "closed"/],
  [{ ACCESS: "open", BUFFER_EVENTS: "10", MAX_BATCH_EVENTS: "11" }, /MAX_BATCH_EVENTS is "11": .* from 1 to 10/],
  [{ ACCESS: "open", ALLOWED_ORIGINS: "app.example" }, /ALLOWED_ORIGINS\b/],
  [{ ACCESS: "open", LOG_LEVEL: "loud" }, /LOG_LEVEL is "loud"/],
];

/** Serves with no settings but `variables`. Returns the hub and its messages about access. */
async function start(variables) {
  const hub = await serve({ ...UNSET, ...variables });
  const line = /^sse-broadcaster: (ACCESS is .*: .*)$/gm;
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

for (const [variables, reason] of INVALID) {
  test(`npm run serve exits with 1 before it listens, in the words of the hub's own problem, with ${named(variables)}`, {
    timeout: 30_000,
  }, async () => {
    const serving = new ServeProcess({ ...UNSET, PORT: String(await freePort()), ...variables });
    let answers = 0;
    let hasEnded = false;
    serving.exited.then(() => {
      hasEnded = true;
    });
    while (!hasEnded) {
      await serving.fetch("/healthz").then(
        () => answers++,
        () => sleep(5),
      );
    }
    assert.deepEqual([await serving.exitStatus(), answers], [1, 0]);
    const said = serving.lines().filter((line) => line.startsWith("sse-broadcaster: ") && !line.includes("build"));
    assert.equal(said.length, 1, serving.output);
    assert.match(said[0], reason);
    const hub = await startWorkerd({ ACCESS: "", ...variables });
    const { detail } = await (await fetch(`${hub.origin}/healthz`)).json();
    assert.equal(said[0], `sse-broadcaster: ${detail.replace("and deploy again.", "and start again.")}`);
    const { JWT_SECRET } = variables;
    if (JWT_SECRET) assert.ok(!serving.output.includes(JWT_SECRET), "the output shows the secret");
  });
}

test("a wrong setting is reported in one line, whatever its value is", { timeout: 30_000 }, async () => {
  const BUFFER_EVENTS = 'a"b\\c\n\u001bé';
  const serving = new ServeProcess({ PORT: String(await freePort()), BUFFER_EVENTS });
  assert.equal(await serving.exitStatus(), 1);
  const [line] = serving.lines().filter((line) => line.includes("BUFFER_EVENTS"));
  assert.match(line, /: it has to be a whole number from 1 to 65536\. Correct the setting and start again\.$/);
  assert.ok(!serving.output.includes("\u001b"), "a control character is escaped");
});

test("the message about a wrong setting in docs/self-hosting.md is the one that npm run serve prints", {
  timeout: 30_000,
}, async () => {
  const serving = new ServeProcess({ PORT: String(await freePort()), BUFFER_EVENTS: "0" });
  assert.equal(await serving.exitStatus(), 1);
  assert.ok(`\n${serving.output}`.includes(`\n${namedBlock("wrong setting")}`), serving.output);
});
