// Measures the cost of durable history: the rows written, which the platform bills, the CPU, and the time of a replay.
import { rowsPerThousand, wrongOf } from "./figures.mjs";
import { channelPath, generate, withServer } from "./generator.mjs";
import { countsOf, fillFor, HISTORY_ROW, REPLAYS, scaled, WRITES } from "./loads.mjs";
import { HISTORY, OURS, serverOf } from "./servers.mjs";
import { number } from "./table.mjs";

/** The scale of this measurement with --quick. */
const QUICK = 0.25;

/**
 * Returns { writes, cpu, replays }.
 * @param {import("./measure.mjs").Bench} bench
 */
export async function measureHistory(bench) {
  const { program, options, say } = bench;
  const { quick, scale, runs } = options;
  const length = quick ? scale * QUICK : scale;
  const server = serverOf(HISTORY);
  const turns = async (one) => {
    const results = [];
    for (let turn = 0; turn < runs; turn++) results.push(await one(`  ${turn + 1}/${runs}`));
    return results;
  };
  const writes = [];
  for (const load of WRITES) {
    say(`\nRows written at ${number(load.rate)} events/s`);
    const line = (run) => `${number(rowsPerThousand([run]))} rows per 1,000 events`;
    const count = () => countWrites(program, server, scaled(load, length));
    writes.push({ load, runs: await turns((label) => bench.attempt(label, server, line, count)) });
  }
  const cpu = await bench.row(HISTORY_ROW, [OURS, HISTORY].map(serverOf));
  const replays = [];
  for (const one of REPLAYS) {
    const load = scaled(one, length);
    say(`\nReplay of ${number(load.replay)} events to ${load.herd} at once`);
    replays.push({ load, runs: await turns((label) => bench.run(label, server, load, replayLine)) });
  }
  return { writes, cpu, replays };
}

/** Counts the rows that the hub writes for a load after its history is full. Returns { events, rows }. */
function countWrites(program, server, load) {
  return withServer(server, load, async (server) => {
    // The history has to be full, even if the measured load is short.
    await generate(program, server, fillFor(load));
    const before = await rowsWritten(server);
    const { lost } = await generate(program, server, load);
    if (lost > 0) throw new Error(`${lost} events were lost`);
    const rows = (await rowsWritten(server)) - before;
    return { events: countsOf(load).measured, rows };
  });
}

async function rowsWritten({ origin }) {
  const response = await fetch(`${origin}${channelPath(0)}/stats`);
  const { history } = await response.json();
  if (!history) throw new Error("the channel's stats contain no history");
  return history.rows_written;
}

function replayLine(report) {
  const { seconds, before, during } = report;
  const [p99, live] = [before, during].map((latency) => number(latency?.p99_ms));
  return `${number(seconds)} s, live p99 ${live} ms (before: ${p99} ms), ${number(wrongOf(report))} faults`;
}
