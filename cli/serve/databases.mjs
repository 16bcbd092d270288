// Finds the databases of the channels, one file each, and removes the empty ones. After workerd has cleared a channel,
// it leaves an empty database.
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

const NAME = /^([0-9a-f]{64})\.sqlite(.*)$/;
/** The page size of the databases that workerd creates; it is SQLite's default. */
const PAGE = 4096;
const MAGIC = "SQLite format 3\0";
/** The type of a b-tree page that is a leaf of a table. */
const TABLE_LEAF = 0x0d;

/**
 * Lists all databases of channels in a folder as { id, path }, where `id` is the id of the channel's object. With a
 * `suffix`, it lists only the databases that have a file with this suffix; `path` never contains the suffix.
 */
export function channelDatabases(folder, suffix = "") {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const [, id, found] = name.match(NAME) ?? [];
    return id && found === suffix ? [{ id, path: join(folder, `${id}.sqlite`) }] : [];
  });
}

/**
 * Removes empty databases for at most `ms` milliseconds. No workerd may use the folder meanwhile. Returns the ids of
 * the removed databases' objects. The scan begins at a random database, so that several starts reach every database
 * even if the time of a single start is too short.
 */
export function removeEmpty(folder, ms) {
  const until = performance.now() + ms;
  const databases = channelDatabases(folder);
  const first = Math.floor(Math.random() * databases.length);
  const removed = [];
  for (let n = 0; n < databases.length && performance.now() < until; n++) {
    const { id, path } = databases[(first + n) % databases.length];
    if (!isEmpty(path)) continue;
    // The database goes before its log, because SQLite ignores a log without a database.
    for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
    removed.push(id);
  }
  return removed;
}

/**
 * Whether a database is certainly empty: its logs are empty or missing, and it has one page with an empty schema.
 * Returns false in any case of doubt.
 */
export function isEmpty(path) {
  if (sizeOf(path) !== PAGE || sizeOf(`${path}-wal`) > 0 || sizeOf(`${path}-journal`) > 0) return false;
  const page = readPage(path);
  if (!page || page.toString("latin1", 0, MAGIC.length) !== MAGIC) return false;
  const isOnePage = page.readUInt16BE(16) === PAGE && page.readUInt32BE(28) === 1;
  const hasNoTable = page[100] === TABLE_LEAF && page.readUInt16BE(103) === 0;
  return isOnePage && hasNoTable;
}

/** Returns the size of a file, or 0 if there is no such file. */
function sizeOf(path) {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Reads the only page of a database. Returns undefined if the file does not have exactly one page. */
function readPage(path) {
  const file = openSync(path, "r");
  try {
    const page = Buffer.alloc(PAGE);
    const isWhole = readSync(file, page, 0, PAGE, 0) === PAGE && fstatSync(file).size === PAGE;
    return isWhole ? page : undefined;
  } finally {
    closeSync(file);
  }
}
