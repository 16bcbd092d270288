// The package on the oldest Node that it supports, if the machine has that.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { root } from "../../scripts/install.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { startWorkerd } from "../support/workerd.mjs";

/** The path of a Node of this major version in PATH, outside of the project, or undefined. */
function machineNode(major) {
  const paths = (process.env.PATH ?? "").split(":").filter((path) => !path.startsWith(root));
  for (const path of paths) {
    try {
      const node = join(path, "node");
      if (execFileSync(node, ["--version"], { encoding: "utf8" }).startsWith(`v${major}.`)) return node;
    } catch {
      // This folder has no Node.
    }
  }
  return undefined;
}

/** A program that imports the package by its path, gets five events, publishes them, and exits by itself. */
const program = `
  import { connect } from ${JSON.stringify(join(root, "build/client/index.js"))};
  const hub = connect(process.argv[2]);
  const subscription = hub.subscribe("foo", {
    parse: true,
    async onStatus({ state }) {
      if (state !== "open") return;
      for (let n = 1; n <= 4; n++) await hub.publish("foo", { n });
      await hub.end("foo", { n: 5 });
    },
  });
  for await (const { data } of subscription) console.log(data.n);
  await subscription.done;
  console.log(subscription.status.state, process.version);
`;

const older = machineNode(20);
for (const [name, node] of [
  ["the project's Node", process.execPath],
  ["Node 20", older],
]) {
  const skip = node ? false : "the machine has no Node 20";
  test(`a program on ${name} publishes, subscribes, and exits when the channel has ended`, {
    timeout: 60_000,
    skip,
  }, async () => {
    const hub = await startWorkerd();
    const file = join(temporaryFolder(), "program.mjs");
    writeFileSync(file, program);
    const { stdout } = await promisify(execFile)(node, [file, hub.origin], { timeout: 30_000 });
    assert.match(stdout, /^1\n2\n3\n4\n5\nended v2\d/);
  });
}
