// Runs the measurements of a benchmark one after the other, and prints each result.

import { FEED_SERVERS } from "./feeds/servers.mjs";
import { figuresOf, GENERATOR_CORES, mostGeneratorCores } from "./figures.mjs";
import { measure } from "./generator.mjs";
import { keptUp, QUICK_SWEEP, ROWS, SOAK, SWEEP, scaled, sweepLoads } from "./loads.mjs";
import { isJudged } from "./requirements.mjs";
import { HISTORY, isSwept, OURS, SERVERS, serverOf } from "./servers.mjs";
import { runLine } from "./table.mjs";

/** The ids of the servers that are this project. */
const OWN = [OURS, HISTORY, ...FEED_SERVERS.map(({ id }) => id)];

function rowOf(id) {
  const row = ROWS.find((row) => row.id === id);
  if (!row) throw new Error(`there is no row ${id}`);
  return row;
}

export class Bench {
  /** The versions that servers report. */
  versions = {};
  /** How many runs of this project failed. */
  failures = 0;
  /** The names of the runs in which the load generator may have decided the figures. */
  generatorBound = [];

  /**
   * `program` is the path of the load generator, `options` are the options of the command line, and `missing` contains
   * the reason for each server that is not installed.
   */
  constructor(program, options, missing, say = console.log) {
    this.program = program;
    this.options = options;
    this.missing = missing;
    this.say = say;
  }

  get servers() {
    return SERVERS.filter(({ id }) => this.options.servers.includes(id) && !this.missing[id]);
  }

  /** Runs a load once. Returns the generator's report, or { error }. */
  run(label, server, load, line = (report) => runLine(figuresOf(report), load)) {
    return this.attempt(label, server, line, async () => {
      const { report, versions } = await measure(this.program, server, load);
      Object.assign(this.versions, versions);
      if (mostGeneratorCores([report]) >= GENERATOR_CORES) this.generatorBound.push(label.trim());
      return report;
    });
  }

  /** Prints the result of `work` as `line` formats it, and returns it. Returns { error } if `work` fails. */
  async attempt(label, server, line, work) {
    try {
      const result = await work();
      this.say(`${label}: ${line(result)}`);
      return result;
    } catch ({ message }) {
      if (OWN.includes(server.id)) this.failures += 1;
      this.say(`${label}: failed: ${message}`);
      return { error: message };
    }
  }

  /**
   * Measures a row of the table. The servers take turns. Returns { id, title, load, beside, servers, runs }, where
   * `runs` has a list of runs for each server.
   */
  async row(id, servers = this.servers) {
    const row = rowOf(id);
    const { quick, scale } = this.options;
    const length = quick ? row.quick * scale : scale;
    const load = scaled(row.load, length);
    const turns = row.once ? 1 : this.options.runsOf(row);
    const turnsOf = (server) => (server.onceUnlessJudged && !isJudged(id, server.id) ? 1 : turns);
    const contestants = servers
      .filter((server) => !row.servers || row.servers.includes(server.id))
      .map((server) => ({ key: server.id, name: server.name, server, load, turns: turnsOf(server) }));
    if (row.beside && contestants.length > 0) {
      const { id: key, name, load } = row.beside;
      contestants.push({ key, name, server: serverOf(OURS), load: scaled(load, length), turns });
    }
    this.say(`\n${row.id}: ${row.title}`);
    /** @type {Record<string, object[]>} */
    const runs = Object.fromEntries(contestants.map(({ key }) => [key, []]));
    for (let turn = 0; turn < turns; turn++) {
      // Each turn begins with another server.
      const first = turn % contestants.length;
      const order = [...contestants.slice(first), ...contestants.slice(0, first)];
      for (const { key, name, server, load } of order.filter((one) => turn < one.turns)) {
        const label = `  ${row.id} ${turn + 1}/${turns} ${name}`;
        runs[key].push(await this.run(label, server, load));
      }
    }
    return { id, title: row.title, load, beside: row.beside, servers: row.servers, runs };
  }

  /** Measures the points of the chart, except the points in `done`, which a row has measured. Returns the points. */
  async sweep(done) {
    const { quick, scale } = this.options;
    const points = [];
    this.say("\nHow cost grows");
    for (const one of sweepLoads(quick ? QUICK_SWEEP : SWEEP)) {
      const load = scaled(one, quick ? scale / 3 : scale);
      for (const server of this.servers.filter(isSwept)) {
        if (done.some((point) => samePoint(point, { ...load, server: server.id }))) continue;
        const label = `  ${load.subscribers} subscribers, ${load.rate} events/s, ${server.name}`;
        points.push(pointOf(server.id, load, [await this.run(label, server, load)]));
      }
    }
    return points;
  }

  /** Runs the soak. Returns { load, report }. */
  async soak() {
    const load = scaled(SOAK, this.options.scale);
    this.say(`\nSoak: load C for ${Math.round(load.seconds)} s`);
    return { load, report: await this.run("  sse-broadcaster", serverOf(OURS), load) };
  }
}

/** Whether two points have the same server and the same load. */
export function samePoint(one, other) {
  return ["server", "subscribers", "rate"].every((name) => one[name] === other[name]);
}

/** Creates a point of the chart from the runs of a server with a load. */
export function pointOf(server, load, runs) {
  const { subscribers, rate } = load;
  return { server, subscribers, rate, keptUp: runs.every((run) => !run.error && keptUp(load, run)), runs };
}

/** Returns the points of the rows that have a rate, one channel, and no stalled streams. */
export function pointsOfRows(rows) {
  const fit = rows.filter(({ load }) => load.rate && !load.stalled);
  return fit.flatMap(({ load, runs }) => Object.entries(runs).map(([server, runs]) => pointOf(server, load, runs)));
}
