// What the benchmark concludes about streams that the Worker holds. The numbers of these tests are made up.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { covered, monthly, sharesOf } from "../../bench/feeds/awake.mjs";
import { judgeQuiet, judgeRow } from "../../bench/feeds/judge.mjs";
import { isComplete, mergeFeeds, withFeeds } from "../../bench/feeds/report.mjs";
import { ALL_ROWS, FEED_ROWS, QUIET } from "../../bench/feeds/rows.mjs";
import { markdownFeeds, plainFeeds } from "../../bench/feeds/table.mjs";
import { readOptions } from "../../bench/options.mjs";
import { root } from "../../scripts/install.mjs";
import { read } from "../support/sources.mjs";

/** Returns a report of the load generator. */
function report({ cpu = 10, p99 = 20, lost = 0, wrongIds = 0, growth = 0, perStream = 100_000, id = 15 } = {}) {
  return {
    ...{ seconds: 6, delivered: 600_000, deliveries_per_second: 100_000, cpu_us_per_delivery: cpu, cpu_cores: 0.5 },
    ...{ lost, out_of_order: 0, wrong_ids: wrongIds, ended: 0, generator_cores: 0.2, tick_ms: 1 },
    ...{ p50_ms: p99 / 2, p99_ms: p99, max_ms: p99 * 2, bytes_per_delivery: 100, id_bytes: id },
    memory: { before: 0, idle: 0, per_stream: perStream, at_start: 0, at_end: growth },
  };
}

const rowOf = (id) => FEED_ROWS.find((row) => row.id === id);

/** Judges a row whose first contestant has the reports `first`, and the others those of `others`. */
function judged(id, first, others = [report()]) {
  const runs = Object.fromEntries(rowOf(id).contestants.map(({ key }, i) => [key, i === 0 ? first : others]));
  return judgeRow(rowOf(id), runs).map(({ figure, met }) => [figure, met]);
}

const metOf = (judgements) => judgements.filter(([figure]) => figure !== "generatorCores").map(([, met]) => met);

test("streams that the Worker holds are judged beside those that the object holds", () => {
  assert.deepEqual(metOf(judged("C", [report({ cpu: 15, p99: 30 })])), [true, true, true]);
  assert.deepEqual(metOf(judged("C", [report({ cpu: 15.1, p99: 30.1, lost: 1 })])), [false, false, false]);
  assert.deepEqual(metOf(judged("C", [report({ wrongIds: 1 })])), [true, true, false]);
  assert.deepEqual(metOf(judged("E", [report({ cpu: 18.1, p99: 40 })])), [false, true, true]);
  assert.deepEqual(metOf(judged("idle", [report({ perStream: 150_001 })])), [false]);
  assert.deepEqual(metOf(judged("asleep", [report({ p99: 251 })])), [true, false]);
  assert.deepEqual(metOf(judged("stalled", [report({ growth: 33e6 })])), [true, true, false, true]);
  assert.deepEqual(metOf(judged("several", [report({ id: 315 })])), [true, true]);
  assert.deepEqual(metOf(judged("several", [report({ id: 316 })])), [false, true]);
  const failed = [{ error: "no answer" }];
  for (const { id, requirements } of FEED_ROWS) {
    assert.deepEqual(metOf(judged(id, failed)), Array(requirements.length).fill(false), id);
  }
});

test("time that two intervals share counts once", () => {
  assert.equal(
    covered([
      [5, 9],
      [0, 3],
      [2, 4],
      [6, 7],
      [8, 8],
    ]),
    8,
  );
  assert.equal(covered([]), 0);
});

const note = (object, event, from, to = from) => ({ object, event, from, to });

test("an object counts as awake for twelve seconds after each event, and while it holds a stream", () => {
  const window = { from: 100_000, to: 200_000, settleMs: 12_000 };
  const notes = [
    note("a", "constructed", 90_000),
    note("a", "request", 90_000, 90_010),
    note("a", "constructed", 150_000),
    note("a", "request", 150_000, 151_000),
    note("a", "alarm", 155_000),
    note("b", "constructed", 10_000),
    note("b", "stream", 10_000, 10_005),
    note("b", "request", 150_000, 150_001),
    note("c", "constructed", 20_000),
    note("c", "request", 195_000, 195_000),
  ];
  const [a, b, c] = sharesOf(notes, window);
  // From 100 s to 102.01 s, and from 150 s to 167 s.
  assert.deepEqual([a.wakes, a.events, a.handling.toFixed(4), a.asleep.toFixed(4)], [1, 2, "0.0100", "0.8099"]);
  assert.deepEqual([b.wakes, b.events, b.handling, b.asleep], [0, 1, 1, 0]);
  assert.deepEqual([c.wakes, c.events, c.handling, c.asleep], [0, 1, 0, 0.95]);
});

test("an object that is always awake costs what docs/cost.md says", () => {
  const { gbSeconds, usd } = monthly(1);
  assert.deepEqual([Math.round(gbSeconds), usd.toFixed(2)], [331_776, "4.15"]);
  assert.match(read("docs/cost.md"), /331,776 GB-s\. At USD 12\.50 a million, this is \*\*USD 4\.15 for each channel/);
});

/** Returns a run of quiet channels in which all objects are the same. */
function quietRun({ asleep = 0.8, wakes = 5, probe = 2, lost = 0, objects = QUIET.channels } = {}) {
  const one = { wakes, events: 5, handling: 0.001, asleep };
  return {
    ...{ lost, ended: 0, probes: Array(objects).fill(probe), objects: Array(objects).fill(one) },
    error: undefined,
  };
}

const quietOf = (worker) => ({ minutes: 5, worker, object: quietRun({ asleep: 0, wakes: 0 }) });

test("quiet channels are judged by the object that slept least, and only if sleep was seen", () => {
  const met = (worker) => judgeQuiet(quietOf(worker)).map(({ met }) => met);
  assert.deepEqual(met(quietRun()), [true, true]);
  const run = quietRun();
  run.objects = [...run.objects.slice(1), { ...run.objects[0], asleep: 0.75 }];
  assert.deepEqual(met(run), [false, true]);
  assert.deepEqual(met(quietRun({ lost: 1 })), [true, false]);
  assert.deepEqual(met(quietRun({ probe: 1 })), [false, true]);
  assert.deepEqual(met(quietRun({ objects: QUIET.channels - 1 })), [false, true]);
  assert.deepEqual(met({ ...run, error: "no answer" }), [false]);
});

/** Results in which each contestant has one run. */
function resultsOf(reported) {
  const runsOf = ({ contestants }) => Object.fromEntries(contestants.map(({ key }) => [key, [reported]]));
  const rows = Object.fromEntries(FEED_ROWS.map((row) => [row.id, runsOf(row)]));
  return { date: "2026-01-02", commit: "a", full: true, machine: {}, versions: {}, rows, quiet: quietOf(quietRun()) };
}

test("the documentation shows results of held streams only if all rows were measured in full", () => {
  const results = resultsOf(report());
  assert.ok(isComplete(results));
  assert.ok(!isComplete({ ...results, full: false }));
  assert.ok(!isComplete({ ...results, rows: { ...results.rows, idle: undefined } }));
  assert.ok(!isComplete({ ...results, quiet: undefined }));
  assert.ok(!isComplete({ ...results, quiet: quietOf({ error: "no answer" }) }));
  assert.ok(!isComplete(resultsOf({ error: "no answer" })));
  const page = withFeeds("docs/cost.md", read("docs/cost.md"), results);
  assert.match(page, /\| the Worker \| 80 % \| 332 \| 66,355 \| 0\.00415 to 0\.829 \|/);
  assert.equal(withFeeds("docs/cost.md", page, results), page);
  assert.match(
    withFeeds("bench/README.md", read("bench/README.md"), results),
    /Held streams were measured on 2026-01-02/,
  );
});

test("the tables of held streams name every contestant, and mark what is not met", () => {
  const results = resultsOf(report({ p99: 300 }));
  for (const text of [plainFeeds(results), markdownFeeds(results)]) {
    for (const { title } of ALL_ROWS) assert.ok(text.includes(title), title);
    assert.match(text, /held by the Worker, object asleep/);
    assert.match(text, /CPU per delivery ≤ 1\.5 × held by the object/);
    assert.match(text, /bytes of an id more than 20 streams a client ≤ 300/);
    assert.match(text, /time asleep of each object > 75 %/);
    assert.match(text, /NOT MET[^\n]*p99 ≤ 250 ms|p99 ≤ 250 ms[^\n]*NOT MET/);
    assert.doesNotMatch(text, /undefined|NaN/);
  }
});

test("results of held streams are added to those of the same commit, and a quick run does not replace full ones", () => {
  const of = (commit, full, rows, quiet) => ({ commit, full, rows, quiet });
  const first = of("a", true, { C: 1, E: 1 });
  assert.deepEqual(mergeFeeds(first, of("a", true, { E: 2 }, 3)), of("a", true, { C: 1, E: 2 }, 3));
  assert.deepEqual(mergeFeeds(first, of("a", false, { E: 2 })), first);
  assert.deepEqual(mergeFeeds(first, of("b", true, { E: 2 })), of("b", true, { E: 2 }, undefined));
  assert.deepEqual(mergeFeeds(of("a", false, { C: 1 }), of("a", true, { E: 2 })), of("a", true, { E: 2 }, undefined));
  assert.deepEqual(mergeFeeds(undefined, first), { ...first, quiet: undefined });
});

test("the rows of held streams are chosen by their ids", () => {
  assert.deepEqual(
    readOptions(["--feeds"]).feedRows,
    ALL_ROWS.map(({ id }) => id),
  );
  const some = readOptions(["--feed-rows", "quiet,c"]);
  assert.deepEqual([some.feedRows, some.rows, some.sweep], [["C", "quiet"], [], false]);
  assert.throws(() => readOptions(["--feed-rows", "A"]), /--feed-rows contains "A"; choose from C, E, idle/);
});

const [, date] = read("bench/README.md").match(/^Held streams were measured on (\S+)\./m) ?? [];

test("the documentation shows the published results of held streams", {
  skip: date === undefined && "no results are published",
}, () => {
  const path = join("bench", "results", `${date}-feeds.json`);
  assert.ok(existsSync(join(root, path)));
  const results = JSON.parse(read(path));
  assert.ok(results.full);
  for (const file of ["bench/README.md", "docs/cost.md"]) {
    assert.equal(read(file), withFeeds(file, read(file), results));
  }
});
