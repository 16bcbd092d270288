// The servers that are compared. Each measurement starts a new process, and no other server runs at that time.
import { cpus } from "node:os";
import { join } from "node:path";
import { startWorkerd } from "../cli/serve/workerd.mjs";
import { root } from "../scripts/install.mjs";
import { freePort } from "../tests/support/port.mjs";
import { nchanIsMissing, startNchan } from "./peers/nchan.mjs";

const PEERS = join(root, "bench", "peers");
const FROM_STREAM = join("bench", "peers", "from-stream");

// The hub's default limit of subscribers on a channel. The peers have no such limit.
const DEFAULT_MAX_SUBSCRIBERS = 2_000;

/**
 * Returns the settings of the hub for `subscribers` on a channel. It logs only errors, because the peers log nothing.
 * HELD_STREAM_MESSAGES is as `npm run serve` sets it.
 */
export function settingsFor(subscribers) {
  const settings = { ACCESS: "open", LOG_LEVEL: "error", HELD_STREAM_MESSAGES: "0" };
  if (subscribers > DEFAULT_MAX_SUBSCRIBERS) settings.MAX_SUBSCRIBERS = "10000";
  return settings;
}

/** History is off where the hub is compared with the peers, because they store no history on the disk. */
const NO_HISTORY = { HISTORY_EVENTS: "0" };

/** Starts a Worker on workerd as `npm run serve` does, but with temporary storage. */
export async function startWorker(options) {
  const workerd = await startWorkerd({ ...options, stdout: "ignore" });
  const stop = async () => {
    workerd.kill();
    await workerd.ended;
  };
  return { origin: workerd.origin, pid: workerd.pid, stop };
}

async function startNginx(workers) {
  const port = await freePort();
  return { origin: `http://127.0.0.1:${port}`, ...(await startNchan(port, workers)) };
}

/**
 * @typedef {object} Running A running server.
 * @property {string} origin
 * @property {number | undefined} pid
 * @property {() => Promise<void>} stop
 * @property {Record<string, string>} [versions]
 * @property {() => Promise<void>} [check] Throws an error if the run does not count.
 */

/**
 * @typedef {object} Server A server that can be measured.
 * @property {string} id Its name on the command line.
 * @property {string} name Its name in the tables.
 * @property {(subscribers: number, settings?: Record<string, string>) => Promise<Running>} start
 *   Starts it. Only the hub with history uses `settings`.
 * @property {() => string | undefined} [missing] Returns why it cannot be started on this machine.
 * @property {string} [build] The folder of a Worker that has to be built first.
 * @property {boolean} [onceUnlessJudged] Whether it has only one run in a row without a requirement that concerns it.
 */

/** The id of nchan with a worker process for each core. */
export const NCHAN_WORKERS = "nchan-workers";

/** @type {Server[]} */
export const SERVERS = [
  {
    id: "ours",
    name: "sse-broadcaster",
    build: ".",
    start: (subscribers) => startWorker({ settings: { ...settingsFor(subscribers), ...NO_HISTORY } }),
  },
  {
    id: "history",
    name: "history on",
    build: ".",
    onceUnlessJudged: true,
    start: (subscribers, settings) => startWorker({ settings: { ...settingsFor(subscribers), ...settings } }),
  },
  {
    id: "js-object",
    name: "JS object",
    start: () => startWorker({ worker: [{ name: "index.js", path: join(PEERS, "js-object", "index.js") }] }),
  },
  { id: "nchan", name: "nchan", start: () => startNginx(1), missing: nchanIsMissing },
  {
    id: NCHAN_WORKERS,
    name: "nchan, all cores",
    onceUnlessJudged: true,
    start: () => startNginx(cpus().length),
    missing: nchanIsMissing,
  },
  {
    id: "from-stream",
    name: "from_stream",
    onceUnlessJudged: true,
    build: FROM_STREAM,
    start: () => startWorker({ worker: join(root, FROM_STREAM, "build") }),
  },
  {
    id: "no-pacing",
    name: "no pacing",
    onceUnlessJudged: true,
    build: ".",
    start: (subscribers) =>
      startWorker({ settings: { ...settingsFor(subscribers), ...NO_HISTORY, FLUSH_MAX_MS: "0" } }),
  },
];

/** The id of this project without history, which is compared with the peers. */
export const OURS = "ours";

/** The id of this project with durable history, which the peers do not have. */
export const HISTORY = "history";

/**
 * Whether a server is measured at every point of the chart. The others have only the points of the rows.
 * @param {{ id: string, onceUnlessJudged?: boolean }} server
 */
export function isSwept({ id, onceUnlessJudged }) {
  return !onceUnlessJudged || id === HISTORY;
}

/** @returns {Server} */
export function serverOf(id) {
  const server = SERVERS.find((server) => server.id === id);
  if (!server) throw new Error(`there is no server ${id}`);
  return server;
}

/** Returns the reason for each server that is not installed: { id: reason }. */
export function missingServers() {
  const reasons = SERVERS.map(({ id, missing }) => [id, missing?.()]);
  return Object.fromEntries(reasons.filter(([, reason]) => reason));
}
