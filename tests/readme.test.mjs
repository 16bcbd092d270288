// Every curl line of the README does what the README says.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { root } from "../scripts/install.mjs";
import { startHub } from "./support/hub.mjs";
import { startWorkerd } from "./support/workerd.mjs";

const hub = await startHub();
const readme = readFileSync(join(root, "README.md"), "utf8");
const lines = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)]
  .flatMap(([, block]) => block.trim().split("\n"))
  .filter((line) => line.includes("curl "));

let epoch = "";

/** Runs a line of the README against a test's hub; a stream is listened to for two seconds. */
async function run(line, { origin } = hub, env = {}) {
  const command = line
    .replaceAll("http://127.0.0.1:8080", origin)
    .replace(/\d{13}(?=-\d)/g, epoch)
    .replace("curl ", "curl -sS --fail-with-body -m 2 ");
  const { stdout } = await promisify(execFile)("sh", ["-c", command], { env: { ...process.env, ...env } }).catch(
    (error) => {
      // 28: the time was up, as it should be for a stream.
      if (error.code === 28 && line.includes("-N")) return error;
      throw error;
    },
  );
  return stdout;
}

/** The line of JSON that the README shows which begins so. */
function shown(start) {
  return JSON.parse(readme.split("\n").find((line) => line.startsWith(`    ${start}`)));
}

/** The same object, but for values that differ from run to run. */
function sameShape(actual, expected) {
  assert.deepEqual(Object.keys(actual), Object.keys(expected));
}

test("the README shows the whole API with curl", () => {
  for (const part of [
    "?event=",
    "text/event-stream",
    "/stats",
    "/events",
    "Last-Event-ID",
    "history=",
    "catch_up=",
    "-X DELETE",
  ]) {
    assert.ok(
      lines.some((line) => line.includes(part)),
      part,
    );
  }
});

test("the lines with a token do it where nobody comes without one", { timeout: 60_000 }, async () => {
  const JWT_SECRET = randomBytes(32).toString("base64");
  const closed = await startWorkerd({ ACCESS: "", JWT_SECRET });
  const [, mint] = readme.match(/^TOKEN=\$\((.+)\)$/m);
  const printed = promisify(execFile)("sh", ["-c", mint], { cwd: root, env: { ...process.env, JWT_SECRET } });
  const TOKEN = (await printed).stdout.trim();
  const [publish, listening] = lines.filter((line) => line.includes("$TOKEN"));
  assert.equal(JSON.parse(await run(publish, closed, { TOKEN })).events, 1);
  assert.match(await run(listening, closed, { TOKEN }), /^retry: \d+\n: sse-broadcaster\n/);
  for (const line of [publish, listening]) {
    await assert.rejects(run(line, closed, { TOKEN: "" }), ({ stdout }) => JSON.parse(stdout).status === 401);
  }
});

test("every line does what the README says", { timeout: 60_000 }, async () => {
  let published = 0;
  for (const line of lines) {
    const output = await run(line);
    if (line.includes("Idempotency-Key")) {
      published += 1;
      const receipt = (text) => JSON.parse(text.slice(text.indexOf("\r\n\r\n")));
      assert.match(receipt(output).id, new RegExp(`-${published}$`));
      const again = await run(line);
      assert.match(again, /^idempotency-replayed: true\r$/im);
      assert.deepEqual(receipt(again), receipt(output));
    } else if (line.includes("/broadcast")) {
      const receipt = JSON.parse(output);
      published += receipt.events;
      sameShape(receipt, shown('{"id":"1795354163077-1"'));
      assert.match(receipt.id, new RegExp(`^\\d{13}-${published}$`));
      epoch = receipt.id.slice(0, 13);
    } else if (line.includes("-N")) {
      const [, history = 0] = line.match(/history=(\d+)/) ?? [];
      const after = line.includes("Last-Event-ID") ? 2 : Math.max(0, published - history);
      assert.match(output, new RegExp(`^retry: \\d+\n: sse-broadcaster\nid: ${epoch}-${after}\n\n`));
      const ids = [...output.matchAll(/^id: \d{13}-(\d+)$/gm)].map(([, seq]) => Number(seq));
      assert.deepEqual(
        ids,
        Array.from({ length: published - after + 1 }, (_, n) => after + n),
      );
    } else if (line.includes("/events")) {
      const page = JSON.parse(output.replaceAll(epoch, "1795354163077"));
      assert.deepEqual(page, shown('{"events":'));
    } else if (line.includes("/healthz")) {
      assert.equal(output, "ok");
    } else if (line.includes("DELETE")) {
      sameShape(JSON.parse(output), shown('{"id":"1795354163077-5"'));
      assert.equal(JSON.parse(output).id, `${epoch}-${published}`);
      assert.equal((await hub.fetch("/channels/foo")).status, 204);
    } else {
      const stats = JSON.parse(output);
      const expected = shown('{"channel":');
      sameShape(stats, expected);
      sameShape(stats.history, expected.history);
      assert.equal(stats.published, published);
      assert.deepEqual({ ...stats.history, oldest: `${epoch}-1` }, { ...expected.history, oldest: `${epoch}-1` });
    }
  }
});
