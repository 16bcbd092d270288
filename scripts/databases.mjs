// The databases of the channels, one file each. When workerd has cleared a channel, an empty database is left.
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

const NAME = /^([0-9a-f]{64})\.sqlite(.*)$/;
/** The first page of an empty database that workerd leaves, and SQLite's default. */
const PAGE = 4096;
const MAGIC = "SQLite format 3\0";
/** The type of a b-tree page that is a leaf of a table. */
const TABLE_LEAF = 0x0d;

/**
 * All databases of channels in a folder, as { id, path }; the id is that of the channel's object. With an `ending`, those
 * that have a file whose name has it in addition; `path` is still that of the database.
 */
export function channelDatabases(folder, ending = "") {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const [, id, found] = name.match(NAME) ?? [];
    return id && found === ending ? [{ id, path: join(folder, `${id}.sqlite`) }] : [];
  });
}

/**
 * Removes databases that hold nothing, for at most `ms` milliseconds, while no workerd uses the folder. Returns the ids
 * of their objects. It begins anywhere, so that many starts get to all of them even where one start does not.
 */
export function removeEmpty(folder, ms) {
  const until = performance.now() + ms;
  const databases = channelDatabases(folder);
  const first = Math.floor(Math.random() * databases.length);
  const removed = [];
  for (let n = 0; n < databases.length && performance.now() < until; n++) {
    const { id, path } = databases[(first + n) % databases.length];
    if (!isEmpty(path)) continue;
    // The database before its log: a log without a database means nothing to SQLite.
    for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
    removed.push(id);
  }
  return removed;
}

/**
 * Whether a database certainly holds nothing: it has no log with content, and one page only, with an empty schema on it.
 * Any doubt is a no.
 */
export function isEmpty(path) {
  if (sizeOf(path) !== PAGE || sizeOf(`${path}-wal`) > 0 || sizeOf(`${path}-journal`) > 0) return false;
  const page = readPage(path);
  if (!page || page.toString("latin1", 0, MAGIC.length) !== MAGIC) return false;
  const isOnePage = page.readUInt16BE(16) === PAGE && page.readUInt32BE(28) === 1;
  const hasNoTable = page[100] === TABLE_LEAF && page.readUInt16BE(103) === 0;
  return isOnePage && hasNoTable;
}

/** The size of a file; 0 where there is none. */
function sizeOf(path) {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** The first page, or undefined where the file is not exactly one page long. */
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
