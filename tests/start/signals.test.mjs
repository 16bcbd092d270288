// A signal to npm or to the script ends all processes of `npm start`.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { temporaryFolder } from "../support/folder.mjs";
import { freePort } from "../support/port.mjs";
import { copyProject, Started } from "../support/start.mjs";
import { eventually } from "../support/wait.mjs";

/** The processes to which a signal is sent, and how to send it. */
const TARGETS = {
  npm: (started, signal) => process.kill(started.child.pid, signal),
  "the script": (started, signal) => process.kill(started.scriptPid(), signal),
  "the group of the terminal": (started, signal) => process.kill(-started.child.pid, signal),
};
/** @type {Record<string, [target: keyof typeof TARGETS, signal: NodeJS.Signals][]>} */
const CASES = {
  serves: [
    ["npm", "SIGTERM"],
    ["npm", "SIGINT"],
    ["the script", "SIGTERM"],
    ["the script", "SIGINT"],
    ["the group of the terminal", "SIGINT"],
    ["the script", "SIGKILL"],
  ],
  compiles: [
    ["npm", "SIGTERM"],
    ["the script", "SIGINT"],
    ["the group of the terminal", "SIGHUP"],
    ["npm", "SIGKILL"],
  ],
};

/** Checks that a server can listen on the port. */
async function checkFree(port) {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  server.close();
}

describe("npm start and signals:", { concurrency: 3 }, () => {
  for (const [target, signal] of CASES.serves) {
    test(`${signal} to ${target} ends all processes of npm start, which serves on PORT`, {
      timeout: 90_000,
    }, async () => {
      const port = await freePort();
      const options = ["--inspector-port", "0", "--persist-to", temporaryFolder()];
      const started = new Started(["npm", "start", "--", ...options], { PORT: String(port) });
      await started.says(`Ready on http://127.0.0.1:${port}`);
      assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
      const names = started.running().map(({ name }) => name);
      assert.ok(names.includes("workerd") && names.includes("esbuild"), names.join());
      TARGETS[target](started, signal);
      if (signal === "SIGKILL") await eventually(() => started.running().length === 0);
      await started.end();
      await eventually(() => started.running().length === 0, 5_000).catch(() =>
        assert.deepEqual(started.running(), []),
      );
      await checkFree(port);
    });
  }

  for (const [target, signal] of CASES.compiles) {
    test(`${signal} to ${target} ends all processes of npm start while it compiles`, { timeout: 90_000 }, async () => {
      const started = new Started(["npm", "start"], { PORT: String(await freePort()) }, copyProject());
      await started.says("   Compiling ");
      TARGETS[target](started, signal);
      if (signal === "SIGKILL") await eventually(() => started.running().length === 0);
      const { status } = await started.end();
      assert.notEqual(status, 0);
      await eventually(() => started.running().length === 0, 5_000).catch(() =>
        assert.deepEqual(started.running(), []),
      );
    });
  }
});
