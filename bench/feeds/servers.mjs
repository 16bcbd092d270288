// The hub, with its streams held by the Worker or by the object. The history is on, because a Worker holds streams only
// of channels whose object may sleep.
import { join } from "node:path";
import { hubModules } from "../../cli/serve/workerd.mjs";
import { root } from "../../scripts/install.mjs";
import { settingsFor, startWorker } from "../servers.mjs";

const NOTING_HUB = "bench/feeds/noting-hub.js";

/** The modules of the hub whose objects note when they wake. */
function notingModules() {
  return [{ name: NOTING_HUB, path: join(root, NOTING_HUB) }, ...hubModules()];
}

const start = (holder) => (subscribers) =>
  startWorker({ settings: { ...settingsFor(subscribers), HOLD_STREAMS: holder } });

/** Starts a hub whose objects note when they wake. `holder` is the value of HOLD_STREAMS. */
export async function startNoting(holder, subscribers) {
  const settings = { ...settingsFor(subscribers), HOLD_STREAMS: holder };
  const server = await startWorker({ settings, worker: notingModules() });
  const notes = async () => {
    const response = await fetch(`${server.origin}/bench/notes`);
    return /** @type {Promise<import("./awake.mjs").Note[]>} */ (response.json());
  };
  return { ...server, notes };
}

/** Starts a hub, and fails after the run if the object did not sleep. */
async function startAsleep(subscribers) {
  const server = await startNoting("worker", subscribers);
  const check = async () => {
    const constructed = (await server.notes()).filter(({ event }) => event === "constructed").length;
    if (constructed < 2) throw new Error("the object was awake when the event was published");
  };
  return { ...server, check };
}

/** @type {(import("../servers.mjs").Server)[]} */
export const FEED_SERVERS = [
  { id: "worker", name: "held by the Worker", start: start("worker") },
  { id: "object", name: "held by the object", start: start("object") },
  { id: "asleep", name: "held by the Worker, object asleep", start: startAsleep },
];

/** @returns {import("../servers.mjs").Server} */
export function feedServer(id) {
  const server = FEED_SERVERS.find((server) => server.id === id);
  if (!server) throw new Error(`there is no server ${id}`);
  return server;
}
