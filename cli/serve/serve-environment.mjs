// Reads and checks the environment variables of a hub on bare workerd, and PORT of the commands that run `wrangler
// dev`. Every error names the variable, because workerd's own messages would not.
import { once } from "node:events";
import { accessSync, constants, existsSync, mkdirSync, opendirSync } from "node:fs";
import { createServer } from "node:net";
import { totalmem } from "node:os";
import { dirname, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fail } from "../messages.mjs";
import { isPort, PORT_RULE } from "../port.mjs";
import { OBJECT_FILES, openFilesLimit } from "./open-files.mjs";
import { settingsIn } from "./settings.mjs";

const { HOST: hostVariable, PORT: portVariable, STATE_DIR: folderVariable } = process.env;
export const HOST = hostVariable || "127.0.0.1";
const PORT = portVariable || "8080";

/** How long to wait for the port, in milliseconds: a workerd that was just killed may still use it. */
const PORT_PATIENCE_MS = 2_000;

/** The memory that the object of an open channel takes, in bytes. */
const OBJECT_BYTES = 300_000;
/** The shares of the limit of open files and of the machine's memory that open channels may take. */
const OPEN_CHANNELS_SHARE = { files: 1 / 2, memory: 1 / 4 };
const MIN_OPEN_CHANNELS = 16;

const MIN_MEMORY_BYTES = 128 * 2 ** 20;
const MAX_MEMORY_BYTES = 2 ** 30;
/** The part of the machine's memory that MEMORY_BYTES is by default: 128 MiB of 4 GiB. */
const SHARE_OF_MEMORY = 1 / 32;

/** Returns the number of the port. */
export function checkPort() {
  return isPort(PORT) ? Number(PORT) : fail(`PORT is "${PORT}": ${PORT_RULE}`);
}

/** Checks that this process can listen on the port, by doing so for a moment. */
export async function checkAddress(port, host = HOST) {
  const until = Date.now() + PORT_PATIENCE_MS;
  let code = await listenOnce(port, host);
  while (code === "EADDRINUSE" && Date.now() < until) {
    await sleep(50);
    code = await listenOnce(port, host);
  }
  if (!code) return;
  const name = `PORT is "${PORT}"`;
  if (code === "EADDRINUSE") fail(`${name}: another program listens there; stop it, or choose another port`);
  if (code === "EACCES") fail(`${name}: this user has no permission to listen there; choose a port from 1024 on`);
  const help = "choose an address of this machine, or 0.0.0.0 for all of its addresses";
  fail(`HOST is "${host}": this machine cannot listen there (${code}); ${help}`);
}

/** Listens, and stops listening. Returns the error's code if that fails. */
async function listenOnce(port, host) {
  const server = createServer().listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    return error.code;
  }
  server.close();
  await once(server, "close");
  return undefined;
}

/**
 * Creates the folder of the storage if it does not exist. Its path is that of STATE_DIR, or else `defaultPath`,
 * relative to the working directory. Returns the absolute path, and the beginning of a message about the folder.
 * @param {string} defaultPath
 */
export function checkStateDir(defaultPath) {
  const path = folderVariable || defaultPath;
  const folder = resolve(path);
  const name = `STATE_DIR is "${path}"`;
  try {
    makeFolder(folder);
    opendirSync(folder).closeSync();
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch ({ code }) {
    if (["EEXIST", "ENOTDIR"].includes(code)) fail(`${name}: that is not a folder; choose another path`);
    fail(`${name}: it cannot be written to (${code}); give this user permission, or choose another path`);
  }
  return { folder, given: name };
}

/** Creates a folder and its parents. The option `recursive` of mkdirSync is not used, because it hangs below /proc. */
function makeFolder(folder) {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder);
}

/**
 * Returns the Worker's settings. Some have another default here than on the platform, because this process is not
 * limited to the 128 MB of the platform's isolates.
 * @returns {Record<string, string>}
 */
export function readSettings() {
  const defaults = {
    MEMORY_BYTES: String(memoryBytes()),
    MAX_OPEN_CHANNELS: String(maxOpenChannels()),
    // Nobody bills an object that is awake here, and it delivers events with less work than the Worker.
    HOLD_STREAMS: "object",
    // Nothing limits the CPU time of a request here.
    HELD_STREAM_MESSAGES: "0",
  };
  return { ...defaults, ...settingsIn(process.env) };
}

function memoryBytes() {
  const share = Math.floor(totalmem() * SHARE_OF_MEMORY);
  return Math.min(MAX_MEMORY_BYTES, Math.max(MIN_MEMORY_BYTES, share));
}

function maxOpenChannels() {
  const byFiles = (openFilesLimit() * OPEN_CHANNELS_SHARE.files) / OBJECT_FILES;
  const byMemory = (totalmem() * OPEN_CHANNELS_SHARE.memory) / OBJECT_BYTES;
  return Math.max(MIN_OPEN_CHANNELS, Math.floor(Math.min(byFiles, byMemory)));
}
