// Clients of other projects resume a stream of three channels through a SIGKILL and a restart of the hub: they receive
// every event of each channel once and in order, because the last id that they know has the positions of all.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { openBrowser } from "../support/browser.mjs";
import { IN_NODE, subscribeInPage } from "../support/clients.mjs";
import { EVENT_TYPES } from "../support/event-types.mjs";
import { openFirefox } from "../support/firefox.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { startLine } from "../support/line.mjs";
import { namedBlock } from "../support/markdown.mjs";
import { publishWithRetries } from "../support/publisher.mjs";
import { pythonPath } from "../support/python.mjs";
import { missingTool } from "../support/snippets.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const IDS = ["foo", "bar", "user.42"];
const EVENTS = 120;
/** How long the hub is away. */
const AWAY_MS = 1_500;
/** The headers of a proxy's answer while the hub is away, after which browsers try again. */
const AGAIN = { "Content-Type": "text/event-stream", "Access-Control-Allow-Origin": "*" };

// Installing the packages blocks this process, so it comes before the tests that run at the same time.
const python = pythonPath();
const site = await startWebsite();
const browser = await openBrowser();
const noFirefox = missingTool("firefox-esr", "firefox-esr");
const firefox = noFirefox ? undefined : await openFirefox();

/** Opens an EventSource in a page of Firefox. */
async function subscribeInFirefox(url) {
  const page = await firefox.newPage(`${site}/empty`);
  await page.evaluate(`
    window.received = [];
    const source = new EventSource(${JSON.stringify(url)});
    for (const type of ${JSON.stringify(EVENT_TYPES)}) {
      source.addEventListener(type, ({ data }) => window.received.push([type, data]));
    }
    true`);
  return { received: () => page.evaluate("window.received") };
}

/** Runs the program of docs/clients.md, which prints the data of every event. */
function runProgram(url) {
  const { origin, pathname } = new URL(url);
  const file = join(temporaryFolder(), "program.py");
  writeFileSync(file, namedBlock("subscribe in Python").replace("/channels/foo", pathname));
  // The hub needs no token.
  const env = { ...process.env, HUB: origin, TOKEN: "none" };
  const program = spawn(python, [file], { env, stdio: ["ignore", "pipe", "inherit"] });
  after(() => program.kill("SIGKILL"));
  let output = "";
  program.stdout.on("data", (data) => {
    output += data;
  });
  const lines = () => output.split("\n").filter((line) => line !== "" && !line.startsWith("no stream:"));
  return { received: async () => lines().map((line) => ["message", line]) };
}

/** Checks that the client that `open` starts for a URL resumes exactly. */
async function checkRestart(open) {
  const hub = await startWorkerd({ LOG_LEVEL: "error" });
  const line = await startLine(hub);
  const channels = IDS.map((id) => hub.channel(id));
  const connected = () =>
    eventually(
      async () => (await Promise.all(channels.map((channel) => channel.stats()))).every((it) => it.subscribers === 1),
      40_000,
      "the client is connected to all channels",
    );
  const client = await open(`${line.origin}/channels/${IDS.join(",")}`);
  await connected();
  const expected = Object.fromEntries(IDS.map((id) => [id, []]));
  const publishing = channels.map(async (channel) => {
    for (let n = 0; n < EVENTS; n++) {
      const data = `${channel.id} ${n}`;
      await publishWithRetries(channel, data);
      expected[channel.id].push(data);
      await sleep(20);
    }
  });
  await eventually(() => IDS.every((id) => expected[id].length >= EVENTS / 3), 20_000);
  await hub.kill();
  // Without an answer, the EventSource of Firefox gives up.
  await line.answerWith(200, AGAIN, "retry: 500\n\n");
  await sleep(AWAY_MS);
  await hub.start();
  await line.mend();
  await Promise.all(publishing);
  await connected();
  for (const channel of channels) {
    await channel.publish(`${channel.id} last`);
    expected[channel.id].push(`${channel.id} last`);
  }
  const events = async () => (await client.received()).filter(([type]) => type !== "hub.open");
  const count = IDS.length * (EVENTS + 1);
  await eventually(async () => (await events()).length >= count, 20_000, "the client has all events");
  const received = await events();
  assert.deepEqual(
    received.filter(([type]) => type !== "message"),
    [],
  );
  for (const id of IDS) {
    const data = received.map(([, text]) => text).filter((text) => text.startsWith(`${id} `));
    assert.deepEqual(data, expected[id]);
  }
  assert.equal(received.length, count);
}

const limit = { timeout: 120_000 };

describe("a stream of three channels through a restart", { concurrency: true }, () => {
  test("EventSource in Chromium resumes three channels exactly after a SIGKILL of the hub", limit, () =>
    checkRestart((url) => subscribeInPage(browser, site, "EventSource", url)),
  );

  test(
    "EventSource in Firefox resumes three channels exactly after a SIGKILL of the hub",
    { ...limit, skip: noFirefox },
    () => checkRestart(subscribeInFirefox),
  );

  test("the npm package eventsource resumes three channels exactly after a SIGKILL of the hub", limit, () =>
    checkRestart(IN_NODE.eventsource),
  );

  test("the documented program with httpx-sse resumes three channels exactly after a SIGKILL of the hub", limit, () =>
    checkRestart(runProgram),
  );
});
