// `npm run bench`: installs and builds what is missing, measures, and says and writes what came out.
import { build } from "../scripts/build.mjs";
import { fail, installPackages, installToolchain, say } from "../scripts/install.mjs";
import { buildGenerator } from "./generator.mjs";
import { measureHistory } from "./history.mjs";
import { machine, versions } from "./machine.mjs";
import { Bench, pointsOfRows } from "./measure.mjs";
import { readOptions, usage } from "./options.mjs";
import { today, writeResults } from "./report.mjs";
import { judge, judgeHistory, judgeSoak } from "./requirements.mjs";
import { missingServers, SERVERS, serverOf } from "./servers.mjs";
import { plainHistory, plainRow, plainSoak } from "./table.mjs";

function options() {
  try {
    return readOptions(process.argv.slice(2));
  } catch ({ message }) {
    return fail(message);
  }
}

/** Says which servers that were asked for are missing; returns the reasons. */
function sayMissing(chosen) {
  const missing = missingServers();
  for (const id of chosen.filter((id) => missing[id])) say(`${serverOf(id).name} is MISSING: ${missing[id]}`);
  return missing;
}

async function prepare(chosen) {
  installPackages();
  installToolchain();
  const folders = SERVERS.filter(({ id }) => id === "ours" || chosen.includes(id)).map(({ build }) => build);
  for (const folder of new Set(folders.filter(Boolean))) await build(folder);
  say("building the load generator, where that is not done yet ...");
  return buildGenerator();
}

const chosen = options();
if (chosen.help) {
  console.log(usage());
  process.exit(0);
}
const program = await prepare(chosen.servers);
const missing = sayMissing(chosen.servers);
const startedAt = performance.now();
const bench = new Bench(program, chosen, missing);

/** Keeps a part of the results as soon as it is there: an hour is long. Returns a sentence on each file. */
async function keep(part) {
  if (!chosen.write) return [];
  const { rows = {}, sweep, soak, history } = part;
  const about = {
    at: new Date().toISOString(),
    full: chosen.full,
    machine: machine(),
    versions: versions(bench.versions),
    missing,
  };
  return writeResults({
    date: today(),
    rows: Object.fromEntries(
      Object.entries(rows).map(([id, row]) => [id, { ...about, ...row, requirements: judge(id, row.runs, missing) }]),
    ),
    sweep: sweep && { ...about, ...sweep },
    soak: soak && { ...about, ...soak, requirements: judgeSoak(soak.report) },
    history: history && { ...about, ...history, requirements: judgeHistory(history) },
  });
}

const rows = {};
let said = [];
for (const id of chosen.rows) {
  rows[id] = await bench.row(id);
  said = await keep({ rows: { [id]: rows[id] } });
}
if (chosen.sweep) {
  const points = await bench.sweep(pointsOfRows(Object.values(rows)));
  said = await keep({ sweep: { points } });
}
const soak = chosen.soak ? await bench.soak() : undefined;
if (soak) said = await keep({ soak });
const history = chosen.history ? await measureHistory(bench) : undefined;
if (history) said = await keep({ history });

console.log("\nMedians of the runs; what is required of multiples, by the median over the turns.\n");
for (const row of Object.values(rows)) console.log(`${plainRow(row, judge(row.id, row.runs, missing), missing)}\n`);
if (soak) console.log(`Soak\n${plainSoak(soak, judgeSoak(soak.report))}\n`);
if (history) console.log(`History\n${plainHistory(history, judgeHistory(history))}\n`);
sayMissing(chosen.servers);

for (const sentence of said) say(sentence);
const seconds = Math.round((performance.now() - startedAt) / 1000);
say(`measured in ${Math.floor(seconds / 60)} min ${seconds % 60} s`);
// Peers may fail as they like; a benchmark that could not measure this project has failed.
if (bench.failures > 0) fail(`${bench.failures} runs of this project's own failed: see above`);
