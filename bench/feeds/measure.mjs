// Measures the table of held streams.
import { figuresOf } from "../figures.mjs";
import { scaled } from "../loads.mjs";
import { contestantsOf } from "./judge.mjs";
import { measureQuiet } from "./quiet.mjs";
import { ALL_ROWS, FEED_ROWS, QUIET } from "./rows.mjs";
import { feedServer } from "./servers.mjs";
import { feedLine } from "./table.mjs";

/**
 * Measures the chosen rows one after the other. Calls `onPart` with { rows } or { quiet } after each of them. Returns
 * { rows, quiet }, where `rows` has the runs of each contestant of a row.
 * @param {import("../measure.mjs").Bench} bench
 */
export async function measureFeeds(bench, onPart = async (_) => {}) {
  /** @type {{ rows: Record<string, object>, quiet?: object }} */
  const results = { rows: {} };
  for (const { id } of ALL_ROWS.filter(({ id }) => bench.options.feedRows.includes(id))) {
    if (id === QUIET.id) {
      results.quiet = await measureQuiet(bench);
      await onPart({ quiet: results.quiet });
    } else {
      results.rows[id] = await measureRow(bench, id);
      await onPart({ rows: { [id]: results.rows[id] } });
    }
  }
  return results;
}

/** Measures a row of the load generator. The contestants take turns, and each turn begins with another one. */
async function measureRow(bench, id) {
  const row = FEED_ROWS.find((row) => row.id === id);
  if (!row) throw new Error(`there is no row ${id}`);
  const { quick, scale, runs: turns } = bench.options;
  const length = quick ? row.quick * scale : scale;
  const contestants = contestantsOf(row, (server) => feedServer(server).name);
  /** @type {Record<string, object[]>} */
  const runs = Object.fromEntries(contestants.map(({ key }) => [key, []]));
  bench.say(`\n${id}: ${row.title}`);
  for (let turn = 0; turn < turns; turn++) {
    const first = turn % contestants.length;
    for (const { key, name, server, load } of [...contestants.slice(first), ...contestants.slice(0, first)]) {
      const label = `  ${id} ${turn + 1}/${turns} ${name}`;
      const line = (report) => feedLine(row, figuresOf(report));
      runs[key].push(await bench.run(label, feedServer(server), scaled(load, length), line));
    }
  }
  return runs;
}
