// The figures in the documentation are those of the published results.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CLAIMS, withClaims } from "../../bench/claims.mjs";
import { markdown } from "../../bench/report.mjs";
import { read } from "../support/sources.mjs";

const [, date] = read("bench/README.md").match(/^Measured on (\S+)\./m);
const results = JSON.parse(read(`bench/results/${date}.json`));

for (const file of new Set(CLAIMS.map(({ file }) => file))) {
  test(`the benchmark's figures in ${file} are those of bench/results/${date}.json`, () => {
    assert.equal(read(file), withClaims(file, read(file), results));
  });
}

test("the published results are those of one commit without changes", () => {
  assert.match(results.commit, /^[0-9a-f]{7,}$/);
  const { rows, sweep, soak, history } = results;
  for (const part of [...Object.values(rows), sweep, soak, history].filter(Boolean)) {
    assert.equal(part.versions.commit, results.commit);
    assert.ok(part.full);
  }
  assert.ok(read("bench/README.md").includes(markdown(results)));
});

test("a sentence about nchan says where nchan is better, and leaves out what does not hold", () => {
  const run = (rate, cpu, p99_ms = 2) => ({
    ...{ seconds: 1, delivered: 8_000 * 500, deliveries_per_second: rate, cpu_us_per_delivery: cpu, cpu_cores: 1 },
    ...{ generator_cores: 0.2, lost: 0, out_of_order: 0, ended: 0, p50_ms: 1, p99_ms, max_ms: 300 },
    memory: { before: 0, idle: 0, per_stream: 70 * 1024, at_start: 0, at_end: 0 },
  });
  const row = (ours, nchan) => ({
    load: { subscribers: 500, publishers: 8, events: 8_000 },
    runs: { ours: [ours], nchan: [nchan], "js-object": [{ ...ours, lost: 2_000_000 }] },
  });
  const readme = (B) => {
    const rows = { A: row(run(1_000, 5), run(2_000, 2)), B, E: row(run(10, 30), run(10, 10)), H: B };
    return withClaims("README.md", read("README.md"), { rows }).replace(/\s+/g, " ");
  };
  const faster = readme(row(run(600_000, 1.5), run(300_000, 2)));
  assert.match(faster, /less CPU in rows A and E of the/);
  assert.match(faster, /it delivers 2\.0 times as many events, with 75 % of the CPU for each \(row B\)/);
  assert.match(faster, /2 µs instead of 5 with 200 streams and one publisher and 10 µs instead of 30 with/);
  assert.match(faster, /lost <!-- bench: object -->50 %<!-- \/bench -->/);
  assert.doesNotMatch(faster, /p99 latency is shorter/);
  const slower = readme(row(run(300_000, 3, 20), run(600_000, 2, 10)));
  assert.match(slower, /less CPU in rows A, B and E of the/);
  assert.match(slower, /Its p99 latency is shorter in row B\./);
  assert.doesNotMatch(slower, /times as many events|of the CPU for each/);
  const equal = readme(row(run(620_000, 1.5), run(600_000, 2)));
  assert.doesNotMatch(equal, /times as many events/);
  assert.match(equal, /it needs 75 % of the CPU for each delivery \(row B\)/);
  assert.throws(() => withClaims("README.md", "no comments", { rows: {} }), /does not contain <!-- bench: fast -->/);
});
