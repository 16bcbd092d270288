// A client that cannot load its module for tabs, for example because the network is down.
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { root } from "../../scripts/install.mjs";
import { temporaryFolder } from "../support/folder.mjs";

test("a subscription with shareTabs opens a stream of its own if the module for tabs cannot be loaded", async () => {
  const file = join(temporaryFolder(), "client.mjs");
  copyFileSync(join(root, "build", "client", "index.js"), file);
  const { connect } = await import(pathToFileURL(file).href);
  const fetch = async () => new Response(null, { status: 204 });
  const subscription = connect("https://hub.example", { shareTabs: true, fetch }).subscribe("foo");
  await subscription.done;
  assert.equal(subscription.status.reason, "every channel has ended");
});
