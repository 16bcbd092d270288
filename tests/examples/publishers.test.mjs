// Each program of examples/publishers publishes to a hub that needs tokens, prints the receipt, fails if the hub
// refuses, and repeats the publish if it gets no answer or a temporary failure. The hub then has the event once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startFailing } from "../support/failing-proxy.mjs";
import { missingTool, PUBLISHER_FILES, runPublisher } from "../support/snippets.mjs";
import { bearer, FULL_ACCESS, mint, SECRET } from "../support/tokens.mjs";
import { startTokenHub } from "../support/workerd.mjs";

/** Compiling may take a while on a new machine. */
const timeout = 300_000;

/**
 * What happens to the first request of a publisher.
 * @type {["lost" | "busy", string][]}
 */
const FAILURES = [
  ["lost", "the first answer is lost"],
  ["busy", "the first answer is a 503"],
];

const TOKEN = await mint({ ...FULL_ACCESS, exp: Math.floor(Date.now() / 1_000) + 3_600 });
const hub = await startTokenHub({ JWT_SECRET: SECRET });

/** Returns the stored events of channel foo. */
async function stored() {
  const response = await fetch(`${hub.channel("foo").url}/events`, { headers: bearer(TOKEN) });
  const { events } = await response.json();
  return events;
}

for (const [language, { command, packageName }] of Object.entries(PUBLISHER_FILES)) {
  const options = { timeout, skip: missingTool(command, packageName) };

  test(`the ${language} publisher prints the receipt of its event`, options, async () => {
    const receipt = JSON.parse(await runPublisher(language, { TOKEN, HUB: hub.origin }));
    assert.deepEqual((await stored()).at(-1), { id: receipt.id, event: "message", data: "foo=bar" });
  });

  test(`the ${language} publisher does not repeat a publish that the hub refuses`, options, async () => {
    const before = (await stored()).length;
    const proxy = await startFailing(hub, "busy", 0);
    await assert.rejects(runPublisher(language, { TOKEN: "bad", HUB: proxy.origin }), /401|token/);
    assert.equal(proxy.requests, 1);
    assert.equal((await stored()).length, before);
  });

  for (const [failure, when] of FAILURES) {
    test(`the ${language} publisher publishes once if ${when}`, options, async () => {
      const before = (await stored()).length;
      const proxy = await startFailing(hub, failure);
      const receipt = JSON.parse(await runPublisher(language, { TOKEN, HUB: proxy.origin }));
      assert.equal(proxy.failures, 1);
      const events = await stored();
      assert.equal(events.length, before + 1);
      assert.equal(events.at(-1).id, receipt.id);
    });
  }
}
