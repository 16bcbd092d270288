// Small runs of the benchmark with streams that the Worker holds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ASLEEP_SECONDS } from "../../bench/feeds/rows.mjs";
import { FEED_SERVERS, feedServer } from "../../bench/feeds/servers.mjs";
import { figuresOf } from "../../bench/figures.mjs";
import { buildGenerator, measure } from "../../bench/generator.mjs";

/** Builds the generator with the profile of `cargo test`, which has already built its crates. */
const generator = () => buildGenerator("test");

for (const { id } of FEED_SERVERS) {
  test(`a small run of the benchmark with streams of the kind ${id} loses no event`, { timeout: 300_000 }, async () => {
    // Within this time, the object of the kind "asleep" falls asleep.
    const restSeconds = id === "asleep" ? ASLEEP_SECONDS : 0;
    const load = { subscribers: 20, events: 100, restSeconds };
    const { report } = await measure(await generator(), feedServer(id), load);
    assert.equal(report.delivered, 2_000);
    assert.equal(figuresOf(report).lost, 0, JSON.stringify(report));
  });
}

test("a run of the benchmark whose object should sleep fails if the object is awake", {
  timeout: 300_000,
}, async () => {
  const load = { subscribers: 2, events: 1 };
  await assert.rejects(measure(await generator(), feedServer("asleep"), load), /the object was awake/);
});

test("a small run of the benchmark with streams of several channels checks the id of each event", {
  timeout: 300_000,
}, async () => {
  const load = { subscribers: 6, channels: 4, channelsPerStream: 3, publishers: 8, events: 800, warmUp: 80 };
  const { report } = await measure(await generator(), feedServer("worker"), load);
  // Each event goes to the streams of its channel: of six streams, streams 1 and 5 do not have channel 0, for example.
  assert.equal(report.delivered, (800 * 6 * 3) / 4);
  const { lost, idBytes } = figuresOf(report);
  assert.equal(lost, 0, JSON.stringify(report));
  assert.ok(idBytes > 40 && report.bytes_per_delivery > 64 + idBytes, JSON.stringify(report));
});
