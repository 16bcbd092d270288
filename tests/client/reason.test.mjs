// The reason of a status, with a hub of the test that answers with one stream.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connectTo } from "../support/package-client.mjs";
import { eventually } from "../support/wait.mjs";

const open = (channel) =>
  `event: hub.open\nid: ${channel}/38G3E9VRB4D2P-0;A\ndata: {"channel":"${channel}","id":"38G3E9VRB4D2P-0"}\n\n`;
const failed = (channel) => `event: hub.error\ndata: {"channel":"${channel}","detail":"not available"}\n\n`;

/** Returns the reason of the first wait after a stream. */
async function reasonAfter(stream) {
  const headers = { "Content-Type": "text/event-stream" };
  const hub = connectTo("https://hub.example", { fetch: async () => new Response(stream, { headers }) });
  const subscription = hub.subscribe(["one", "two"]);
  await eventually(() => subscription.status.state === "reconnecting");
  const { reason } = subscription.status;
  subscription.close();
  return reason;
}

test("the reason of a wait is a hub.error, unless a channel has been opened since", async () => {
  assert.equal(await reasonAfter(failed("one") + failed("two")), "not available");
  assert.equal(await reasonAfter(open("one") + failed("two")), "not available");
  assert.equal(await reasonAfter(open("one") + failed("two") + open("two")), "the stream has ended");
});
