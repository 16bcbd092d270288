// A stream of several channels that breaks after its first block: the id of that block resumes every channel.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd();

/**
 * Subscribes to `cut-foo,cut-bar` with an id, and returns the blocks that arrive within half a second.
 * @param {string} id
 */
async function blocksAfter(id) {
  const controller = new AbortController();
  const headers = { "Last-Event-ID": id };
  const response = await fetch(`${hub.origin}/channels/cut-foo,cut-bar`, { headers, signal: controller.signal });
  let text = "";
  const read = (async () => {
    for await (const part of response.body ?? []) text += Buffer.from(part).toString();
  })().catch(() => undefined);
  await sleep(500);
  controller.abort();
  await read;
  return text.split("\n\n").filter((block) => block.includes("id: "));
}

const idOf = (block) => block.match(/^id: (.+)$/m)[1];
/** Returns the channels that `blocks` report a gap in. */
const gaps = (blocks) =>
  blocks.filter((block) => block.includes("event: hub.gap")).map((block) => idOf(block).split("/")[0]);

test("a client whose stream breaks after its first block is told of the gaps in the other channels when it resumes", async () => {
  const { id } = await hub.channel("cut-foo").publish("1");
  await hub.channel("cut-bar").publish("1");
  for (const [given, expected] of [
    [id, ["cut-bar"]],
    ["no id", ["cut-foo", "cut-bar"]],
  ]) {
    const blocks = await blocksAfter(given);
    assert.deepEqual(gaps(blocks).sort(), [...expected].sort(), `the stream after "${given}"`);
    const [first] = blocks;
    const told = gaps([first]);
    const resumed = await blocksAfter(idOf(first));
    assert.deepEqual(
      gaps(resumed).sort(),
      expected.filter((channel) => !told.includes(channel)).sort(),
      `the stream after the first block of the stream after "${given}"`,
    );
    const last = await blocksAfter(idOf(blocks.at(-1)));
    assert.deepEqual(gaps(last), [], "the id of the last block has nothing to report");
  }
});
