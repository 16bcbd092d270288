// examples/job-progress: the page shows the progress of a job and its result, also if it was away at the end.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { root } from "../../scripts/install.mjs";
import { openBrowserFor, runExample } from "../support/examples.mjs";
import { startLine } from "../support/line.mjs";
import { eventually } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const LIMIT = "200000";
const RESULT = "There are 17984 primes below 200000.";
const minute = { timeout: 60_000 };

const hub = await startWorkerd({}, { withConsole: true });
/** The pages reach the hub through this line. The job does not need it. */
const line = await startLine(hub);
const browser = await openBrowserFor(line);
const file = pathToFileURL(join(root, "examples", "job-progress", "index.html"));

async function openPage(job) {
  const page = await browser.newPage();
  await page.goto(`${file}?job=${job}`);
  return page;
}

/** Runs the job, and waits for its end. */
async function runJob(job) {
  const { status } = await runExample("job-progress/job.mjs", hub, {}, [job, LIMIT]).end();
  assert.equal(status, 0);
}

const progressOf = (page) => page.locator("#progress").evaluate((element) => element.value);

test("the page shows the progress of a job and its result", minute, async () => {
  const page = await openPage("job.1");
  await eventually(async () => (await hub.channel("job.1").stats()).subscribers === 1);
  const job = runJob("job.1");
  await eventually(async () => (await progressOf(page)) > 0);
  await page.getByText(RESULT).waitFor();
  assert.equal(await progressOf(page), 100);
  await job;
  await page.close();
});

test("a page that is opened after the end of the job shows its result", minute, async () => {
  await runJob("job.2");
  const page = await openPage("job.2");
  await page.getByText(RESULT).waitFor();
  await eventually(async () => (await hub.channel("job.2").stats()).subscribers === 0);
  await page.close();
});

test("a page that could not reach the hub at the end of the job shows its result later", minute, async () => {
  const page = await openPage("job.3");
  await eventually(async () => (await hub.channel("job.3").stats()).subscribers === 1);
  line.cut();
  await runJob("job.3");
  await line.mend();
  await page.getByText(RESULT).waitFor();
  await page.close();
});

test("the page shows why a job has failed", minute, async () => {
  const page = await openPage("job.4");
  await hub.channel("job.4").end(JSON.stringify({ reason: "no disk" }), { query: "?event=failed" });
  await page.getByText("The job has failed: no disk").waitFor();
  await page.close();
});
