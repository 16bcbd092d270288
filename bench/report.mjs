// Keeps what was measured: bench/results/<date>.json, a chart beside it, and the figures in bench/README.md.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { node, root } from "../scripts/install.mjs";
import { draw } from "./chart.mjs";
import { judge, judgeSoak } from "./requirements.mjs";
import { markdownRow, markdownSoak } from "./table.mjs";

const RESULTS = join("bench", "results");
const README = join("bench", "README.md");
const [BEGIN, END] = ["<!-- figures: written by `npm run bench` -->", "<!-- end of figures -->"];

function output(command, ...args) {
  return execFileSync(command, args, { cwd: root, encoding: "utf8" }).trim();
}

function machine() {
  const [{ model }] = cpus();
  return { cpu: model.trim(), cores: cpus().length, memory_gib: Math.round(totalmem() / 2 ** 30), os: `${type()} ${release()}` };
}

function packageVersion(name) {
  return JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages[`node_modules/${name}`].version;
}

function versions(ofServers) {
  return {
    "sse-broadcaster": output("git", "rev-parse", "--short", "HEAD"),
    workerd: packageVersion("workerd"),
    wrangler: packageVersion("wrangler"),
    rustc: output("rustc", "--version").split(" ")[1],
    node: output(node, "--version").slice(1),
    ...ofServers,
  };
}

/** What was measured before on the same day: one part can be measured again without the others. */
function merged(before, { rows, points, soak, missing, versions: ofServers }) {
  const ids = new Set(rows.map(({ id }) => id));
  const kept = (before.rows ?? []).filter(({ id }) => !ids.has(id));
  return {
    date: before.date,
    machine: machine(),
    versions: versions({ ...before.ofServers, ...ofServers }),
    ofServers: { ...before.ofServers, ...ofServers },
    missing,
    rows: [...kept, ...rows].sort((one, other) => one.id.localeCompare(other.id)),
    points: points.length > 0 ? points : (before.points ?? []),
    soak: soak ?? before.soak,
  };
}

function listOf(object) {
  return Object.entries(object).map(([name, value]) => `${name} ${value}`).join(", ");
}

function figures(results, chart) {
  const { date, machine, missing } = results;
  const { cpu, cores, memory_gib, os } = machine;
  const parts = [
    `Measured on ${date}, on ${cores} cores of ${cpu}, ${memory_gib} GiB, ${os}, over loopback.`,
    `Versions: ${listOf(results.versions)}.`,
    ...results.rows.map((row) => markdownRow(row, judge(row.id, row.runs, missing), missing)),
  ];
  if (chart) parts.push("### How cost grows", `![CPU per delivery and p99 latency, over rate and subscribers](${chart})`);
  if (results.soak) {
    parts.push("### Ten minutes of load C", markdownSoak(results.soak, judgeSoak(results.soak.report)));
  }
  return parts.join("\n\n");
}

function intoReadme(text) {
  const readme = readFileSync(join(root, README), "utf8");
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${README} has lost its marks ${BEGIN} and ${END}`);
  writeFileSync(join(root, README), `${readme.slice(0, from + BEGIN.length)}\n\n${text}\n\n${readme.slice(to)}`);
}

/** Writes what was measured. Returns the files. */
export async function save(measured) {
  const date = new Date().toISOString().slice(0, 10);
  const file = join(RESULTS, `${date}.json`);
  mkdirSync(join(root, RESULTS), { recursive: true });
  const before = existsSync(join(root, file)) ? JSON.parse(readFileSync(join(root, file), "utf8")) : { date };
  const results = merged(before, measured);
  writeFileSync(join(root, file), `${JSON.stringify(results, null, 1)}\n`);
  const files = [file, README];
  if (results.points.length > 0) {
    const chart = join(RESULTS, `${date}.svg`);
    writeFileSync(join(root, chart), await draw(results.points, `How cost grows, ${date}`));
    files.push(chart);
  }
  intoReadme(figures(results, results.points.length > 0 && `results/${date}.svg`));
  return files;
}
