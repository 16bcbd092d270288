// Every curl line of the README does what the README says.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { root } from "../scripts/install.mjs";
import { startHub } from "./support/hub.mjs";

const hub = await startHub();
const readme = readFileSync(join(root, "README.md"), "utf8");
const lines = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)]
  .flatMap(([, block]) => block.trim().split("\n"))
  .filter((line) => line.includes("curl "));

/** Runs a line of the README against this test's hub; a stream is listened to for two seconds. */
async function run(line) {
  const command = line.replaceAll("http://127.0.0.1:8080", hub.origin).replace("curl ", "curl -sS --fail-with-body -m 2 ");
  const { stdout } = await promisify(execFile)("sh", ["-c", command]).catch((error) => {
    // 28: the time was up, as it should be for a stream.
    if (error.code === 28 && line.includes("-N")) return error;
    throw error;
  });
  return stdout;
}

test("the README shows the whole API with curl", () => {
  for (const part of ["/broadcast", "?event=", "text/event-stream", "-N", "/stats"]) {
    assert.ok(lines.some((line) => line.includes(part)), part);
  }
});

test("publishing gets receipts, listening a stream, stats the counters", { timeout: 30_000 }, async () => {
  let published = 0;
  for (const line of lines) {
    const output = await run(line);
    if (line.includes("/broadcast")) {
      const receipt = JSON.parse(output);
      published += receipt.events;
      assert.deepEqual(Object.keys(receipt), ["id", "events", "subscribers", "dropped"]);
      assert.match(receipt.id, new RegExp(`^\\d{13}-${published}$`));
    } else if (line.includes("-N")) {
      assert.match(output, new RegExp(`^retry: \\d+\n: sse-broadcaster\nid: \\d{13}-${published}\n\n`));
    } else {
      const stats = JSON.parse(output);
      const shown = JSON.parse(readme.match(/^ {4}(\{"channel":.+\})$/m)[1]);
      assert.deepEqual(Object.keys(stats), Object.keys(shown));
      assert.equal(stats.published, published);
    }
  }
});
