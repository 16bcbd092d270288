// `npm run bench`: measures this project and its peers side by side, says what of the requirements is met, and writes
// bench/results/ and the figures in bench/README.md. Installs and builds what is missing.
import { fail, installPackages, installToolchain, say } from "../scripts/install.mjs";
import { readOptions, usage } from "./options.mjs";

let options;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  fail(error.message);
}
if (options.help) {
  console.log(usage());
  process.exit(0);
}

installPackages();
installToolchain();
// Only now, as they need what was just installed.
const { build } = await import("../scripts/build.mjs");
const { buildGenerator } = await import("./generator.mjs");
const { Bench, pointsOfRows } = await import("./measure.mjs");
const { judge, judgeSoak } = await import("./requirements.mjs");
const { SERVERS, missingServers } = await import("./servers.mjs");
const { plainRow, plainSoak } = await import("./table.mjs");
const { save } = await import("./report.mjs");

const missing = missingServers();
for (const { id, name } of SERVERS) {
  if (options.servers.includes(id) && missing[id]) say(`${name} is missing: ${missing[id]}`);
}
const folders = SERVERS.filter(({ id }) => options.servers.includes(id)).map(({ build }) => build);
for (const folder of new Set(folders.filter(Boolean))) await build(folder);
say("building the load generator ...");
const bench = new Bench(buildGenerator(), options, missing);

const rows = [];
for (const id of options.rows) rows.push(await bench.row(id));
const points = options.sweep ? [...pointsOfRows(rows), ...(await bench.sweep(pointsOfRows(rows)))] : [];
const soak = options.soak ? await bench.soak() : undefined;

for (const row of rows) console.log(`\n${plainRow(row, judge(row.id, row.runs, missing), missing)}`);
if (soak) console.log(`\n${plainSoak(soak, judgeSoak(soak.report))}`);
if (options.write && options.full) {
  for (const file of await save({ rows, points, soak, missing, versions: bench.versions })) say(`wrote ${file}`);
} else if (options.write) {
  say("wrote no files: only a whole run of all servers stands for the project");
}
process.exit(bench.failures > 0 ? 1 : 0);
