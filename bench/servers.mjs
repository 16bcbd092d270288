// The servers that are compared. Each is started on its own, with a new process, for every measurement.
import { join } from "node:path";
import { root } from "../scripts/install.mjs";
import { startWorkerd } from "../scripts/workerd.mjs";
import { freePort } from "../tests/support/port.mjs";
import { nchanIsMissing, startNchan } from "./peers/nchan.mjs";

const PEERS = join(root, "bench", "peers");
const FROM_STREAM = join("bench", "peers", "from-stream");

// More streams on a channel than the hub allows by default; the peers have no such limit.
const MANY = 2_000;

/** What every form of the hub gets for `subscribers` on a channel. It logs errors only, as the others log nothing. */
function settingsFor(subscribers) {
  const settings = { ACCESS: "open", LOG_LEVEL: "error" };
  if (subscribers > MANY) settings.MAX_SUBSCRIBERS = "10000";
  return settings;
}

/** The others have no history that outlives them. */
const NO_HISTORY = { HISTORY_EVENTS: "0" };

/** Starts a Worker on workerd as `npm run serve` does, but for its storage, which goes with it. */
async function startWorker(options) {
  const workerd = await startWorkerd({ ...options, stdout: "ignore" });
  const stop = async () => {
    workerd.kill();
    await workerd.ended;
  };
  return { origin: workerd.origin, pid: workerd.pid, stop };
}

async function startNginx() {
  const port = await freePort();
  return { origin: `http://127.0.0.1:${port}`, ...(await startNchan(port)) };
}

/**
 * All servers. `id` is what the command line calls it, `start(subscribers)` resolves to { origin, pid, stop } and
 * perhaps `versions`; the one with history takes `settings` as well. `missing()` says why it cannot be started on this
 * machine. `build` is the folder of a Worker that has to be built first. With `onceUnlessJudged`, one run says
 * enough in a row where no requirement is of it.
 */
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
  { id: "nchan", name: "nchan", start: startNginx, missing: nchanIsMissing },
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

/** The server that the others are peers of. */
export const OURS = "ours";

/** The same with durable history, which the others have not. */
export const HISTORY = "history";

export function serverOf(id) {
  return SERVERS.find((server) => server.id === id);
}

/** Why each server that is not installed is missing: { id: reason }. */
export function missingServers() {
  const reasons = SERVERS.map(({ id, missing }) => [id, missing?.()]);
  return Object.fromEntries(reasons.filter(([, reason]) => reason));
}
