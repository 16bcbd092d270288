// A stream of several channels that breaks after its first block: the id of that block resumes every channel.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startWorkerd } from "../support/workerd.mjs";

const hub = await startWorkerd();

/**
 * Subscribes to `cut-foo,cut-bar` with an id, and returns the blocks up to the hub.open of the second channel. A gap of
 * unknown size comes before the hub.open of its channel.
 * @param {string} id
 */
async function blocksAfter(id) {
  const headers = { "Last-Event-ID": id };
  const signal = AbortSignal.timeout(20_000);
  const response = await fetch(`${hub.origin}/channels/cut-foo,cut-bar`, { headers, signal });
  const decoder = new TextDecoder();
  let text = "";
  let blocks = [];
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true });
    blocks = text.split("\n\n").slice(0, -1);
    if (blocks.filter((block) => block.includes("event: hub.open")).length === 2) break;
  }
  return blocks;
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
