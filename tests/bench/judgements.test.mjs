// What the benchmark concludes, draws and writes. The numbers of these tests are made up.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { draw, lineOf } from "../../bench/chart.mjs";
import { figuresOf } from "../../bench/figures.mjs";
import { argumentsOf, keptUp, REPLAYS, ROWS, SWEEP, secondsOf, sweepLoads, WRITES } from "../../bench/loads.mjs";
import { pointOf } from "../../bench/measure.mjs";
import { markdown, merge, pointsOf, today } from "../../bench/report.mjs";
import { isJudged, judge, judgeHistory, judgeSoak, REQUIREMENTS } from "../../bench/requirements.mjs";
import { isSwept, SERVERS } from "../../bench/servers.mjs";
import { markdownHistory, markdownRow, plainHistory, plainRow, plainSoak } from "../../bench/table.mjs";

const MISSING = { nchan: "nginx is not installed" };

/** Returns a report of the load generator. */
function report({
  rate = 100_000,
  cpu = 10,
  p99 = 20,
  lost = 0,
  growth = 0,
  perStream = 60_000,
  seconds = 6,
  generator = 0.2,
} = {}) {
  return {
    seconds,
    delivered: rate * seconds,
    deliveries_per_second: rate,
    lost,
    out_of_order: 0,
    ended: 0,
    p50_ms: p99 / 2,
    p99_ms: p99,
    max_ms: p99 * 2,
    cpu_us_per_delivery: cpu,
    cpu_cores: 0.5,
    generator_cores: generator,
    memory: { before: 0, idle: 0, per_stream: perStream, at_start: 50e6, at_end: 50e6 + growth },
  };
}

/** Returns which requirements are met, except the one on the generator. */
const metOf = (judgements) => judgements.filter(({ figure }) => figure !== "generatorCores").map(({ met }) => met);

test("a requirement on a quotient is judged by the median of the turns", () => {
  // In the second turn the machine was ten times slower for both servers.
  const rates = [100_000, 10_000, 110_000];
  const runs = {
    ours: rates.map((rate) => report({ rate: rate * 4, cpu: 8 })),
    "js-object": rates.map((rate) => report({ rate })),
    nchan: [10, 5, 10].map((cpu) => report({ cpu })),
  };
  const [rate, cpu, lost, p99] = judge("A", runs);
  assert.deepEqual([rate.met, rate.value, rate.ours, rate.theirs, rate.turns], [true, 4, 400_000, 100_000, 3]);
  assert.deepEqual([cpu.met, cpu.value], [true, 0.8]);
  assert.deepEqual([lost.met, p99.met, p99.value], [true, true, 20]);
  runs.ours = rates.map((rate) => report({ rate: rate * 3.4, cpu: 9.5, p99: 31 }));
  assert.deepEqual(metOf(judge("A", runs)), [false, false, true, false]);
});

test("a run in which the generator used half a core is marked, and its row fails a requirement", () => {
  const judged = (runs) => judge("B", runs).find(({ figure }) => figure === "generatorCores");
  const runs = { ours: [report()], nchan: [report(), report({ generator: 0.49 })] };
  assert.deepEqual([judged(runs).met, judged(runs).value], [true, 0.49]);
  // Neither the median nor the other servers hide it.
  runs.nchan.push(report({ generator: 0.5 }));
  assert.deepEqual([judged(runs).met, judged(runs).value], [false, 0.5]);
  const row = { ...ROWS[1], runs };
  for (const text of [plainRow(row, judge("B", runs), {}), markdownRow(row, judge("B", runs), {})]) {
    assert.match(text, /nchan.* 0\.5 \(generator-bound\)/);
    assert.match(text, /cores of the load generator in any run < 0\.5/);
    assert.equal(text.match(/generator-bound/g).length, 1);
  }
  assert.equal(judgeSoak({ samples: [], generator_cores: 0.6 }).at(-1).met, false);
  const history = historyOf({ replay: { generator_cores: 0.6 } });
  assert.equal(judgeHistory(history).at(-1).met, false);
  assert.match(plainHistory(history, []), /0\.6 \(generator-bound\)/);
  // Without deliveries there is no load.
  const idle = { ...report({ generator: 6 }), delivered: 0 };
  assert.equal(judge("H", { ours: [idle] }).length, 1);
});

test("a single lost event fails a requirement", () => {
  const ours = [report(), report({ lost: 1 }), report()];
  const { met, value } = judge("D", { ours, "js-object": ours }).find(({ figure }) => figure === "lost");
  assert.deepEqual([met, value], [false, 1]);
  assert.equal(figuresOf({ ...report(), out_of_order: 2, ended: 1 }).lost, 2);
});

test("a server that delivers nothing meets no requirement", () => {
  const nothing = { ...report({ rate: 0, p99: 0, lost: 1_000 }), cpu_us_per_delivery: null };
  for (const row of ["A", "B", "C", "D", "E", "F", "G"]) {
    const runs = { ours: [nothing], "js-object": [report()], nchan: [report()], C: [report()] };
    const met = judge(row, runs).filter(({ figure, met }) => met && !["growth", "generatorCores"].includes(figure));
    assert.deepEqual(met, []);
  }
});

test("a missing server is reported, and the requirements that compare with it are unknown", () => {
  const runs = { ours: [report()], "js-object": [report({ rate: 1_000 })] };
  const judgements = judge("A", runs, MISSING);
  assert.deepEqual(metOf(judgements), [true, undefined, true, true]);
  assert.equal(judgements[1].reason, "nchan is missing: nginx is not installed");
  const row = { ...ROWS[0], runs };
  for (const text of [plainRow(row, judgements, MISSING), markdownRow(row, judgements, MISSING)]) {
    assert.match(text, /nchan[ |]+missing/);
    assert.match(text, /unknown/);
    assert.match(text, /nginx is not installed/);
  }
});

test("a failed run of this project fails a requirement, and one of another server does not meet it", () => {
  const [ours, failed] = [report(), { error: "no answer" }];
  assert.deepEqual(metOf(judge("D", { ours: [ours, failed], "js-object": [ours, ours] })), [false, false, false]);
  const judged = judge("D", { ours: [ours, ours], "js-object": [failed, report({ cpu: 20 })] });
  assert.deepEqual([judged[0].met, judged[0].value], [true, 0.5]);
  assert.deepEqual(judge("D", { ours: [ours], "js-object": [failed] })[0].met, undefined);
});

test("the row with stalled streams is compared with the same load without them", () => {
  const C = [report({ growth: 10e6 })];
  assert.deepEqual(metOf(judge("G", { ours: [report({ growth: 31e6, p99: 22 })], C })), [true, true, true, true]);
  assert.deepEqual(metOf(judge("G", { ours: [report({ growth: 33e6, p99: 23, cpu: 12 })], C })), [
    false,
    false,
    false,
    true,
  ]);
  assert.deepEqual(metOf(judge("H", { ours: [report({ perStream: 70.1 * 1024 })] })), [false]);
  assert.deepEqual(
    Object.keys(REQUIREMENTS),
    ROWS.map(({ id }) => id),
  );
});

test("the hub with history is compared with the hub without it on row C", () => {
  const runs = { ours: [report({ cpu: 10 })], nchan: [report()], history: [report({ cpu: 11 })] };
  const judged = (runs) => judge("C", runs).filter(({ of }) => of === "history");
  const of = (runs) => judged(runs)[0];
  assert.deepEqual([of(runs).met, of(runs).value], [true, 1.1]);
  assert.equal(of({ ...runs, history: [report({ cpu: 11.6 })] }).met, false);
  assert.equal(of({ ...runs, history: [{ error: "no answer" }] }).met, false);
  assert.deepEqual(metOf(judged({ ...runs, history: [report({ cpu: 11, lost: 1 })] })), [true, false]);
  // Old results may not have this server.
  assert.deepEqual(metOf(judged({ ours: runs.ours, nchan: runs.nchan })), [undefined, undefined]);
  assert.ok(isJudged("C", "history") && !isJudged("D", "history"));
  assert.match(
    plainRow({ ...ROWS[2], runs }, judge("C", runs), {}),
    /met +CPU per delivery with history on ≤ 1.15 × s/,
  );
});

test("a soak fails if the memory grows after the first minutes, or if an event is lost", () => {
  const soak = (rssAt) => ({
    error: undefined,
    lost: 0,
    samples: Array.from({ length: 20 }, (_, i) => ({ second: 30.01 * (i + 1), rss: rssAt(i), cpu_us_per_delivery: 7 })),
  });
  // The heap grows to its working size in the first two minutes.
  assert.deepEqual(metOf(judgeSoak(soak((i) => (i < 4 ? 1 : 2)))), [true, true, true]);
  assert.deepEqual(metOf(judgeSoak(soak((i) => 100 + i * 10))), [false, true, true]);
  // The generator omits the samples if there are none.
  assert.deepEqual(metOf(judgeSoak({ error: undefined, lost: 1 })), [false, false, false]);
  const failed = { report: { error: "no answer", lost: undefined } };
  assert.match(plainSoak(failed, judgeSoak(failed.report)), /NOT MET .* no answer/);
});

/** Returns measurements of the history. `history` and `replay` change one of the runs. */
function historyOf({ history = {}, replay = {} } = {}) {
  const run = {
    ...{ streams: 500, events: 10_000, seconds: 8, median_seconds: 5, generator_cores: 0.5, cpu_us_per_delivery: 2 },
    ...{ missed: 0, doubled: 0, wrong_ids: 0, notices: 0, ended: 0, live_lost: 0, live_out_of_order: 0 },
    ...{ before: { p99_ms: 20 }, during: { p99_ms: 120 }, rss: [50e6, 150e6] },
  };
  const one = report({ cpu: 11 });
  const runs = { ours: [report({ cpu: 10 }), report({ cpu: 12 })], history: [one, { ...one, ...history }] };
  return {
    writes: WRITES.map((load) => ({ load, runs: [{ error: "no answer" }, { events: 400, rows: 100 }] })),
    cpu: { ...ROWS[2], runs },
    replays: REPLAYS.map((load) => ({ load, runs: [run, { ...run, ...replay }, run] })),
  };
}

test("the cost of the history is judged by its CPU time and by every event of a replay", () => {
  const of = (made) => metOf(judgeHistory(historyOf(made)));
  assert.deepEqual(of(), [true, true, true, true]);
  // The runs are judged as on row C: by the quotients of the turns.
  const { runs } = historyOf().cpu;
  assert.deepEqual(
    judgeHistory(historyOf()).slice(0, 2),
    judge("C", runs).filter(({ of }) => of === "history"),
  );
  assert.deepEqual(of({ history: { cpu_us_per_delivery: 30 } }), [false, true, true, true]);
  assert.deepEqual(of({ history: { lost: 1 } }), [true, false, true, true]);
  assert.deepEqual(of({ history: { error: "no answer" } }), [false, false, true, true]);
  for (const fault of ["missed", "doubled", "wrong_ids", "notices", "ended", "live_lost", "live_out_of_order"]) {
    assert.deepEqual(of({ replay: { [fault]: 1 } }), [true, true, false, false], fault);
  }
  assert.deepEqual(of({ replay: { error: "no answer" } }), [true, true, false, false]);
  // If one run did not get all events, the time is that of the median run.
  for (const show of [plainHistory, markdownHistory]) {
    const history = historyOf({ replay: { seconds: null, missed: 1, generator_cores: null } });
    const text = show(history, judgeHistory(history));
    assert.match(text, / 1,000 [ |]+8 [ |]+2, 1 failed [ |]+250[ |\n]/);
    assert.match(text, / 500 [ |]+3 [ |]+8 [ |]+5 [ |]+625,000 [ |]+2 [ |]+20 [ |]+120 [ |]+1 /);
    assert.match(text, /events not received exactly once, replay to 500 ≤ 0/);
    // A dash stands for a figure that no run has.
    const unknown = { during: null, generator_cores: null };
    for (const replay of history.replays) replay.runs = replay.runs.map((run) => ({ ...run, ...unknown }));
    assert.match(show(history, []), / 500 [^\n]+ 20 [ |]+– [ |]+1 [ |]+– [ |]+100/);
  }
});

test("a load becomes arguments of the generator, and shows whether the server kept up", () => {
  const load = { subscribers: 5, publishers: 8, rate: 100, seconds: 6, warmUpSeconds: 3 };
  const given = argumentsOf(load).join(" ");
  assert.equal(given, "--subscribers 5 --publishers 8 --rate 100 --events 904 --warm-up 304");
  const { settings, ...replay } = REPLAYS[1];
  assert.match(argumentsOf(replay).join(" "), /--events 1200 --warm-up 200 --herd 500 --replay 10000$/);
  assert.ok(Number(settings.HISTORY_EVENTS) > replay.replay);
  // A slow disk needs time for the events before the replay.
  assert.equal(secondsOf(replay), 12 + 8_800 * 0.02);
  assert.ok(keptUp(load, { seconds: 6.1 }));
  assert.ok(!keptUp(load, { seconds: 8 }));
  assert.ok(keptUp({ ...load, rate: undefined, events: 100 }, { seconds: 100 }));
});

/** Returns points of all servers, none of which keeps up with the highest rate. */
function madeUpPoints() {
  return SERVERS.flatMap(({ id, onceUnlessJudged }, index) =>
    sweepLoads(SWEEP)
      .slice(0, isSwept({ id, onceUnlessJudged }) ? undefined : 3)
      .map((load) => {
        const seconds = load.rate === 1_000 ? 100 : load.seconds;
        return pointOf(id, load, [report({ cpu: index + 1, p99: load.rate, seconds })]);
      }),
  );
}

test("the chart is well-formed SVG of less than 60 kB and names all servers", async () => {
  const points = madeUpPoints();
  const line = lineOf(points, "nchan", { figure: "p99", over: "rate" });
  assert.deepEqual(
    line.map(({ x }) => x),
    SWEEP.rates,
  );
  assert.deepEqual(
    line.filter(({ hollow }) => hollow).map(({ x }) => x),
    [1_000],
  );
  const svg = await draw(points, "Numbers & <names>");
  assert.ok(svg.length < 60_000, `${svg.length} bytes`);
  for (const { name } of SERVERS) assert.ok(svg.includes(`>${name}</text>`), name);
  execFileSync("python3", ["-c", "import sys, xml.dom.minidom as dom; dom.parse(sys.stdin)"], { input: svg });
});

test("the results of a quick run do not replace those of a full run", () => {
  const about = (full) => ({ full, at: "2026-01-02T03:04:05Z", machine: { CPU: "x" }, versions: {}, missing: MISSING });
  const row = (full, cpu) => ({ ...about(full), ...ROWS[2], runs: { ours: [report({ cpu })] } });
  const parts = (full, cpu) => ({
    date: today(new Date(2026, 0, 2)),
    commit: "1234567",
    rows: { C: row(full, cpu) },
    sweep: { ...about(full), points: madeUpPoints() },
  });
  const cpuOf = ({ rows }) => rows.C.runs.ours[0].cpu_us_per_delivery;
  const full = merge(undefined, parts(true, 1));
  assert.equal(cpuOf(merge(full, parts(false, 2))), 1);
  assert.equal(cpuOf(merge(full, parts(true, 2))), 2);
  assert.equal(cpuOf(merge(merge(undefined, parts(false, 1)), parts(false, 2))), 2);
  // The results of two commits are not mixed.
  const later = merge(full, { ...parts(false, 2), commit: "89abcde", sweep: undefined });
  assert.deepEqual([later.commit, cpuOf(later), later.sweep], ["89abcde", 2, undefined]);
  // The point of the row replaces that of the sweep.
  assert.equal(pointsOf(full).length, madeUpPoints().length);
  const history = { ...about(true), ...historyOf() };
  const text = markdown(merge(full, { date: full.date, commit: full.commit, rows: {}, history }));
  for (const part of ["results/2026-01-02.svg", "nchan is missing: nginx", "### C: 500", "### What history costs"]) {
    assert.ok(text.includes(part), part);
  }
  // Old results may not have a server.
  const older = markdown(full);
  assert.doesNotMatch(older, /^\| history on|What history costs/m);
  assert.match(older, /CPU per delivery with history on .* it was not measured \| unknown/);
});
