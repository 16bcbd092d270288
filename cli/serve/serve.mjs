// Runs the hub on bare workerd until SIGINT or SIGTERM: `npm run serve` and `sse-broadcaster serve`. It needs a Node
// with SQLite.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fail, root, say } from "../messages.mjs";
import { whenNpmEnds } from "../npm-parent.mjs";
import { checkSettings } from "./check-settings.mjs";
import { FolderLock } from "./lock.mjs";
import { describeRoom, openFilesLimit } from "./open-files.mjs";
import { prepareStorage } from "./prepare-storage.mjs";
import { keepReserve } from "./reserve.mjs";
import { checkAddress, checkPort, checkStateDir, HOST, readSettings } from "./serve-environment.mjs";
import { warnOfTypos } from "./setting-typos.mjs";
import { Supervisor } from "./supervisor.mjs";
import { SWEEP_MS, sweepEmpty } from "./sweep.mjs";
import { address, NAMESPACE, startWorkerd } from "./workerd.mjs";

/** Describes each value of ACCESS for the log. */
const ACCESS = {
  token: "publishers and subscribers need a token",
  "publish-token": "publishers need a token, and anyone can subscribe",
  open: "anyone who reaches the hub can publish, subscribe, and end and delete channels",
};

/** Ends this process if the settings cannot work. */
async function refuseWrongSettings(settings) {
  const error = await checkSettings(settings).catch((error) => `the settings could not be checked: ${error.message}`);
  if (error !== undefined) fail(error);
}

/** Removes the empty databases that workerd creates for channels that are only read from. */
async function sweepForever(folder) {
  for (;;) {
    await sleep(SWEEP_MS, undefined, { ref: false });
    await sweepEmpty(folder).catch((error) => say(`empty databases could not be removed: ${error.message}`));
  }
}

/**
 * Serves until a signal ends this process.
 * @param {object} options
 * @param {string} options.defaultStateDir the folder of the storage if STATE_DIR is not set
 * @param {() => Promise<void>} options.prepare makes sure that the Worker and workerd are there. It is called after the
 *   port and the folder were checked, because it may take minutes
 */
export async function serve({ defaultStateDir, prepare }) {
  /** @type {Supervisor | undefined} */
  let supervisor;
  let stopping = false;
  const stop = async () => {
    // Ctrl-C in a terminal arrives twice: from the terminal and from npm.
    if (stopping) return;
    stopping = true;
    await supervisor?.stop();
    process.exit(0);
  };

  whenNpmEnds(stop);
  // The hub goes on if the reader of its log ends.
  process.stderr.on("error", () => {});
  const port = checkPort();
  await checkAddress(port);
  const { folder: stateDir, given } = checkStateDir(defaultStateDir);
  const databases = join(stateDir, NAMESPACE);
  const origin = `http://${address(HOST, port)}`;
  await prepare();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) process.on(signal, stop);
  const filesLimit = openFilesLimit();
  const settings = readSettings();
  warnOfTypos(process.env);
  const options = { host: HOST, port, stateDir, publicDir: join(root, "public"), settings, admin: true };
  // This comes before anything is written to the folder, because it frees space on a full disk.
  keepReserve(stateDir);
  await refuseWrongSettings(settings);
  const lock = await FolderLock.take(stateDir, origin).catch((error) => fail(`${given}: ${error.message}`));
  supervisor = new Supervisor((spawned) => {
    keepReserve(stateDir);
    prepareStorage(databases, filesLimit, say);
    return startWorkerd({
      ...options,
      stderr: "pipe",
      spawned(child) {
        lock.note(child.pid);
        spawned(child);
      },
    });
  }, say);
  try {
    await supervisor.start();
  } catch (error) {
    fail(error.message);
  }
  const { ACCESS: access = "token" } = settings;
  say(`ACCESS is ${access}: ${ACCESS[access]}`);
  say(describeRoom(filesLimit));
  say(`the storage is in ${stateDir}`);
  say(`serving ${origin}`);
  sweepForever(databases);
  await supervisor.keepRunning();
}
