// The client in a Worker, on workerd.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { workerdBinary } from "../../cli/tools/tools.mjs";
import { root } from "../../scripts/install.mjs";
import { atExit } from "../support/cleanup.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { freePort } from "../support/port.mjs";
import { FULL_ACCESS, mint, SECRET } from "../support/tokens.mjs";
import { eventually } from "../support/wait.mjs";
import { startTokenHub } from "../support/workerd.mjs";

/** A Worker may call servers on this machine only if its config says so. */
const config = (port) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [
    (name = "client-worker.mjs", esModule = embed "client-worker.mjs"),
    (name = "client.js", esModule = embed "client.js"),
  ],
  compatibilityDate = "2024-01-01",
);
`;

/** Starts workerd with the Worker, and returns its origin. */
async function startClientWorker() {
  const folder = temporaryFolder();
  const port = await freePort();
  copyFileSync(join(root, "tests", "fixtures", "client-worker.mjs"), join(folder, "client-worker.mjs"));
  copyFileSync(join(root, "public", "client.js"), join(folder, "client.js"));
  writeFileSync(join(folder, "config.capnp"), config(port));
  const child = spawn(workerdBinary(), ["serve", join(folder, "config.capnp")], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const kill = () => child.kill("SIGKILL");
  after(kill);
  atExit(kill);
  const origin = `http://127.0.0.1:${port}`;
  await eventually(
    () =>
      fetch(`${origin}/?hub=x`).then(
        () => true,
        () => false,
      ),
    20_000,
    "the Worker answers",
  );
  return origin;
}

test("a Worker with an old compatibility date subscribes, publishes and pages with the module that the hub serves", {
  timeout: 60_000,
}, async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET });
  const origin = await startClientWorker();
  const query = new URLSearchParams({ hub: hub.origin, token: await mint(FULL_ACCESS) });
  const answer = await fetch(`${origin}/?${query}`);
  assert.deepEqual(await answer.json(), {
    got: ["bar message 1", "foo message 1", "foo score 2"],
    statuses: ["connecting", "open", "ended"],
    pages: [2],
    refusal: 401,
  });
});
