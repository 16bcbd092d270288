// A database that cannot be opened for a while.
import { existsSync, mkdirSync, renameSync, rmdirSync } from "node:fs";

function moveFiles(from, to) {
  for (const end of ["", "-wal", "-shm"]) {
    if (existsSync(`${from}${end}`)) renameSync(`${from}${end}`, `${to}${end}`);
  }
}

/**
 * Puts a folder in the place of the database at `path`, which no object may have open. Returns a function that puts the
 * database back.
 * @param {string} path
 */
export function breakDatabase(path) {
  const aside = `${path}.aside`;
  moveFiles(path, aside);
  mkdirSync(path);
  return () => {
    rmdirSync(path);
    moveFiles(aside, path);
  };
}
