// Small runs of the benchmark.
import assert from "node:assert/strict";
import { test } from "node:test";
import { figuresOf, wrongOf } from "../../bench/figures.mjs";
import { buildGenerator, measure } from "../../bench/generator.mjs";
import { missingServers, serverOf } from "../../bench/servers.mjs";

/** Builds the generator with the profile of `cargo test`, which has already built its crates. */
const generator = () => buildGenerator("test");

for (const id of ["ours", "history", "js-object", "nchan", "nchan-workers"]) {
  test(`a small run of the benchmark with the server ${id} loses no event`, {
    timeout: 300_000,
    skip: missingServers()[id],
  }, async () => {
    // The system counts CPU time in steps of 10 ms, so the run must not be too short.
    const load = { subscribers: 20, events: 1_000, warmUp: 10 };
    const { report } = await measure(await generator(), serverOf(id), load);
    assert.equal(report.delivered, 20_000);
    const figures = figuresOf(report);
    assert.equal(figures.lost, 0);
    assert.ok(figures.rate > 0 && figures.p99 > 0 && figures.cores > 0 && figures.tick >= 1, JSON.stringify(report));
  });
}

test("subscribers that all resume at once get every event of the history once", { timeout: 300_000 }, async () => {
  // The time limit of this load is not a whole number of milliseconds.
  const load = {
    subscribers: 5,
    rate: 90,
    seconds: 1.05,
    herd: 20,
    replay: 2_000,
    settings: { HISTORY_EVENTS: "4000" },
  };
  const { report } = await measure(await generator(), serverOf("history"), { ...load, warmUpSeconds: 0.1 });
  assert.equal(wrongOf(report), 0, JSON.stringify(report));
  assert.ok(report.seconds > 0 && report.before.p99_ms > 0, JSON.stringify(report));
});
