// `npm run bench`: installs and builds what is missing, measures, and prints and writes the results.
import { build } from "../scripts/build.mjs";
import { fail, installPackages, installToolchain, say } from "../scripts/install.mjs";
import { measureFeeds } from "./feeds/measure.mjs";
import { writeFeeds } from "./feeds/report.mjs";
import { plainFeeds } from "./feeds/table.mjs";
import { GENERATOR_CORES } from "./figures.mjs";
import { buildGenerator } from "./generator.mjs";
import { measureHistory } from "./history.mjs";
import { changesSinceCommit, commit, machine, versions } from "./machine.mjs";
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

/** Prints which of the chosen servers are missing. Returns the reasons. */
function reportMissing(chosen) {
  const missing = missingServers();
  for (const id of chosen.filter((id) => missing[id])) say(`${serverOf(id).name} is MISSING: ${missing[id]}`);
  return missing;
}

async function prepare(chosen) {
  await installPackages();
  await installToolchain();
  const folders = SERVERS.filter(({ id }) => id === "ours" || chosen.includes(id)).map(({ build }) => build);
  for (const folder of new Set(folders.filter(Boolean))) await build(folder);
  say("building the load generator if necessary ...");
  return buildGenerator();
}

const chosen = options();
if (chosen.help) {
  console.log(usage());
  process.exit(0);
}
const measured = commit();
const problem = chosen.write ? changesSinceCommit() : undefined;
if (problem) fail(`${problem}. Commit or stash the changes, or measure without results (--no-results)`);
const program = await prepare(chosen.servers);
const missing = reportMissing(chosen.servers);
const startedAt = performance.now();
const bench = new Bench(program, chosen, missing);

/** Ends the command if the results are to be written and the code is not that of the commit any more. */
function checkCode() {
  const problem = chosen.write ? changesSinceCommit(undefined, measured) : undefined;
  if (problem) fail(`nothing was written, because the code has changed during the measurement: ${problem}`);
}

/** Writes a part of the results at once, in case a later part fails. Returns a message about each file. */
async function writePart(part) {
  checkCode();
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
    commit: about.versions.commit,
    rows: Object.fromEntries(
      Object.entries(rows).map(([id, row]) => [id, { ...about, ...row, requirements: judge(id, row.runs, missing) }]),
    ),
    sweep: sweep && { ...about, ...sweep },
    soak: soak && { ...about, ...soak, requirements: judgeSoak(soak.report) },
    history: history && { ...about, ...history, requirements: judgeHistory(history) },
  });
}

/** Writes rows of held streams at once. Returns a message about each file. */
async function writeFeedPart(part) {
  checkCode();
  if (!chosen.write) return [];
  const [now, all] = [machine(), versions(bench.versions)];
  const { full } = chosen;
  return writeFeeds({ date: today(), commit: all.commit, full, machine: now, versions: all, rows: {}, ...part });
}

const rows = {};
let messages = [];
for (const id of chosen.rows) {
  rows[id] = await bench.row(id);
  messages = await writePart({ rows: { [id]: rows[id] } });
}
if (chosen.sweep) {
  const points = await bench.sweep(pointsOfRows(Object.values(rows)));
  messages = await writePart({ sweep: { points } });
}
const soak = chosen.soak ? await bench.soak() : undefined;
if (soak) messages = await writePart({ soak });
const history = chosen.history ? await measureHistory(bench) : undefined;
if (history) messages = await writePart({ history });
const writeEachPart = async (part) => {
  messages = await writeFeedPart(part);
};
const feeds = chosen.feedRows.length > 0 ? await measureFeeds(bench, writeEachPart) : undefined;

console.log("\nFigures are medians of the runs. Multiples are judged by the median over the turns.\n");
for (const row of Object.values(rows)) console.log(`${plainRow(row, judge(row.id, row.runs, missing), missing)}\n`);
if (soak) console.log(`Soak\n${plainSoak(soak, judgeSoak(soak.report))}\n`);
if (history) console.log(`History\n${plainHistory(history, judgeHistory(history))}\n`);
if (feeds) console.log(`Held streams\n${plainFeeds(feeds)}\n`);
reportMissing(chosen.servers);

for (const message of messages) say(message);
const seconds = Math.round((performance.now() - startedAt) / 1000);
say(`measured in ${Math.floor(seconds / 60)} min ${seconds % 60} s`);
// Of the runs that failed, only those of this project count. A peer may fail.
if (bench.failures > 0) fail(`${bench.failures} runs of this project failed: see above`);
// A run in which the generator was slow says little about the server, whichever server it was.
if (bench.generatorBound.length > 0) {
  const limit = `${GENERATOR_CORES} cores`;
  fail(
    `the load generator used ${limit} or more in these runs, so they prove nothing: ${bench.generatorBound.join("; ")}`,
  );
}
