// `npm run serve`: builds what is missing, then keeps the Worker running on bare workerd, until SIGINT or SIGTERM.
// package.json installs the packages first, and runs this on the Node that is one of them, because it needs SQLite. It
// says `exec`: a shell between npm and this process would keep npm's signals for itself.

import { once } from "node:events";
import { accessSync, constants, existsSync, mkdirSync, opendirSync } from "node:fs";
import { createServer } from "node:net";
import { totalmem } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "./build.mjs";
import { fail, root, say } from "./install.mjs";
import { FolderLock } from "./lock.mjs";
import { openFilesLimit, roomInWords } from "./open-files.mjs";
import { prepareStorage } from "./prepare-storage.mjs";
import { settingsIn } from "./settings.mjs";
import { Supervisor } from "./supervisor.mjs";
import { SWEEP_MS, sweepEmpty } from "./sweep.mjs";
import { address, keepReserve, NAMESPACE, startWorkerd } from "./workerd.mjs";

const HOST = process.env.HOST || "127.0.0.1";
const PORT = process.env.PORT || "8080";
const STATE_DIR = process.env.STATE_DIR || "state";
const MAX_PORT = 65_535;

/** The memory of an open channel's object, and its files. Half of the files are for channels, and a quarter of the memory. */
const OBJECT_BYTES = 300_000;
const OBJECT_FILES = 3;

/** Settings whose default is made for the platform's isolates of 128 MB; this process has more. */
const OWN_DEFAULTS = { MEMORY_BYTES: String(memoryBytes()), MAX_OPEN_CHANNELS: String(openChannels()) };

function openChannels() {
  return Math.max(16, Math.floor(Math.min(openFilesLimit() / 2 / OBJECT_FILES, totalmem() / 4 / OBJECT_BYTES)));
}

/** A part of the machine's memory: 128 MiB of 4 GiB, and no more than 1 GiB. */
function memoryBytes() {
  const [least, most] = [128 * 2 ** 20, 2 ** 30];
  return Math.min(most, Math.max(least, Math.floor(totalmem() / 32)));
}

function checkPort() {
  const port = /^\d+$/.test(PORT) ? Number(PORT) : 0;
  if (port >= 1 && port <= MAX_PORT) return port;
  return fail(`PORT is "${PORT}": it has to be a whole number from 1 to ${MAX_PORT}`);
}

/** As `mkdir -p`. mkdirSync's own `recursive` never returns below /proc. */
function makeFolder(folder) {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder);
}

/** Makes the folder, and returns where it is. */
function checkStateDir() {
  const folder = resolve(root, STATE_DIR);
  const name = `STATE_DIR is "${STATE_DIR}"`;
  try {
    makeFolder(folder);
    opendirSync(folder).closeSync();
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch ({ code }) {
    if (["EEXIST", "ENOTDIR"].includes(code)) fail(`${name}: that is not a folder; name one, or one that can be made`);
    fail(`${name}: it cannot be written to (${code}); make it a folder of this user, or name another`);
  }
  return folder;
}

/**
 * Listens there for a moment: workerd's own words for what is wrong would name no variable. One that was killed just now
 * may still be there for a moment.
 */
async function checkAddress(port, patienceMs = 2_000) {
  const until = Date.now() + patienceMs;
  for (;;) {
    const { code } = await listenOnce(port);
    if (!code) return;
    if (code === "EADDRINUSE" && Date.now() < until) {
      await sleep(50);
      continue;
    }
    const name = `PORT is "${PORT}"`;
    if (code === "EADDRINUSE") fail(`${name}: another program listens there; stop it, or choose another port`);
    if (code === "EACCES") fail(`${name}: this user may not listen there; choose one from 1024 on`);
    fail(`HOST is "${HOST}": this machine cannot listen there (${code}); name an address of it, or 0.0.0.0 for all`);
  }
}

/** Listens, and stops that again. Returns the error where it cannot, an empty object where it can. */
async function listenOnce(port) {
  const server = createServer().listen(port, HOST);
  try {
    await once(server, "listening");
  } catch (error) {
    return error;
  }
  server.close();
  await once(server, "close");
  return {};
}

/** npm that is killed cannot pass that on: this process ends with it. Started by anything else, it outlives its parent. */
function endWithNpm() {
  if (!process.env.npm_lifecycle_event) return;
  const npm = process.ppid;
  const look = () => process.ppid !== npm && process.exit(1);
  setInterval(look, 200).unref();
}

/** The values of ACCESS, in words. */
const ACCESS = {
  token: "publishers and listeners need a token",
  "publish-token": "publishers need a token, and anyone may listen",
  open: "anyone who reaches it can publish, listen and end channels",
};

/** Says who may do what, and what would make every request fail. */
async function sayAccess(origin, { ACCESS: access = "token" }) {
  if (Object.hasOwn(ACCESS, access)) say(`ACCESS is ${access}: ${ACCESS[access]}`);
  const response = await fetch(`${origin}/healthz`);
  const answer = await response.text();
  if (!response.ok) say(`every request fails. ${JSON.parse(answer).detail}`);
}

/** Removes the databases of channels that were only read from, now and then. */
async function sweepForever() {
  for (;;) {
    await sleep(SWEEP_MS, undefined, { ref: false });
    await sweepEmpty(join(stateDir, NAMESPACE)).catch((error) => say(`empty databases are kept: ${error.message}`));
  }
}

let supervisor;
let stopping = false;

async function stop() {
  // npm passes a terminal's Ctrl-C on, which has come from the terminal, too.
  if (stopping) return;
  stopping = true;
  await supervisor?.stop();
  process.exit(0);
}

endWithNpm();
// Whoever reads the log may go away; the hub serves all the same.
process.stderr.on("error", () => {});
const port = checkPort();
await checkAddress(port);
const stateDir = checkStateDir();
await build();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) process.on(signal, stop);
const filesLimit = openFilesLimit();
const settings = { ...OWN_DEFAULTS, ...settingsIn(process.env) };
const options = { host: HOST, port, stateDir, publicDir: join(root, "public"), settings, stderr: "pipe" };
// Before anything is written there: a full disk gives back its reserve.
keepReserve(stateDir);
const lock = await FolderLock.take(stateDir, `http://${address(HOST, port)}`).catch((error) => {
  fail(`STATE_DIR is "${STATE_DIR}": ${error.message}`);
});
supervisor = new Supervisor((spawned) => {
  keepReserve(stateDir);
  prepareStorage(join(stateDir, NAMESPACE), filesLimit, say);
  return startWorkerd({
    ...options,
    spawned(child) {
      lock.note(child.pid);
      spawned(child);
    },
  });
}, say);
try {
  await supervisor.start();
  await sayAccess(supervisor.workerd.origin, settings);
} catch (error) {
  fail(error.message);
}
say(roomInWords(filesLimit));
say(`serving http://${address(HOST, port)}`);
sweepForever();
await supervisor.keepRunning();
