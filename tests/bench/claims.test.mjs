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

/** Results of rows A to E and H in which every server has one run. The JavaScript object has `lost` events in row B. */
function resultsOf(rowB, lost = 2_000_000) {
  const run = (rate, cpu, p99_ms = 2) => ({
    ...{ seconds: 1, delivered: 8_000 * 500, deliveries_per_second: rate, cpu_us_per_delivery: cpu, cpu_cores: 1 },
    ...{ generator_cores: 0.2, lost: 0, out_of_order: 0, ended: 0, p50_ms: 1, p99_ms, max_ms: 300 },
    memory: { before: 0, idle: 0, per_stream: 70 * 1024, at_start: 0, at_end: 0 },
  });
  const row = (servers) => ({
    load: { subscribers: 500, publishers: 8, events: 8_000 },
    runs: Object.fromEntries(Object.entries(servers).map(([id, figures]) => [id, [run(...figures)]])),
  });
  const same = row({ ours: [10, 3], nchan: [10, 3], "js-object": [10, 3] });
  const A = row({ ours: [1_000, 5], nchan: [2_000, 2], "js-object": [500, 20] });
  const E = row({ ours: [10, 30], nchan: [10, 10], "js-object": [10, 33] });
  const B = row({ ...rowB, "js-object": [100_000, 5] });
  B.runs["js-object"][0].lost = lost;
  return { rows: { A, B, C: same, D: same, E, H: B } };
}

/** The README with the claims of results, without line breaks. */
const readmeOf = (results) => withClaims("README.md", read("README.md"), results).replace(/\s+/g, " ");

test("a sentence about nchan says where nchan is better, and leaves out what does not hold", () => {
  const faster = readmeOf(resultsOf({ ours: [600_000, 1.5], nchan: [300_000, 2] }));
  assert.match(faster, /it delivers more in row A; it takes less CPU in rows A and E\./);
  assert.match(faster, /it delivers 2\.0 times as many events, with 75 % of nchan's CPU time for each\./);
  assert.match(faster, /lost <!-- bench: object -->50 %<!-- \/bench -->/);
  assert.match(faster, /In row B, a plain Durable Object lost 50 % of the deliveries; the others lost none\./);
  assert.match(faster, /600,000 deliveries a second without, and none lost/);
  const slower = readmeOf(resultsOf({ ours: [300_000, 3, 20], nchan: [600_000, 2, 10] }));
  assert.match(
    slower,
    /more in rows A and B; it takes less CPU in rows A, B and E; it has a shorter p99 latency in row B/,
  );
  assert.doesNotMatch(slower, /times as many events|of nchan's CPU time/);
  const equal = readmeOf(resultsOf({ ours: [620_000, 1.5], nchan: [600_000, 2] }));
  assert.doesNotMatch(equal, /times as many events/);
  assert.match(equal, /\(row B\), it needs 75 % of nchan's CPU time for each delivery\./);
  const lossless = readmeOf(resultsOf({ ours: [600_000, 1.5], nchan: [300_000, 2] }, 0));
  assert.match(lossless, /In row B, no server lost any\./);
});

test("what the README says against nchan holds for both its forms, and what it says for nchan for one of them", () => {
  const rowB = { ours: [600_000, 1.5, 20], history: [500_000, 1.6], nchan: [300_000, 2, 10] };
  const mixed = readmeOf(resultsOf({ ...rowB, "nchan-workers": [900_000, 1, 30] }));
  assert.match(
    mixed,
    /more in rows A and B; it takes less CPU in rows A, B and E; it has a shorter p99 latency in row B/,
  );
  assert.doesNotMatch(mixed, /times as many events|of nchan's CPU time/);
  assert.match(mixed, /500,000 deliveries a second with history, 600,000 without, and none lost/);
  assert.match(mixed, /a worker process for each core \| – +\| 900,000\/s, 1 µs, 30 ms/);
});

test("results without nchan leave the sentences about nchan as they are", () => {
  const results = resultsOf({ ours: [600_000, 1.5] });
  for (const { runs } of Object.values(results.rows)) runs.nchan = undefined;
  const readme = readmeOf(results);
  const unchanged = (name) => {
    const claim = new RegExp(`<!-- bench: ${name} -->.*?<!-- /bench -->`);
    assert.equal(readme.match(claim)[0], read("README.md").match(claim)[0]);
  };
  unchanged("nchan is better");
  unchanged("nchan is worse");
  assert.match(readme, /\| this hub, without history +\| 1,000\/s/);
  assert.doesNotMatch(readme, /\| nchan, one worker process/);
  assert.throws(() => withClaims("README.md", "no comments", { rows: {} }), /does not contain <!-- bench: fast -->/);
});
