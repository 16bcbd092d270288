// Keeps a reserve of disk space in STATE_DIR.
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const RESERVE_BYTES = 1 << 20;
/** Test files of storage.mjs. They remain if workerd is killed while it writes one. */
const TEST_FILES = /^(room$|\.(room|reserve)\.)/;

/**
 * Keeps a reserve file of a megabyte, which is removed when the disk is full, because opening a database takes some
 * space even if it is only read. If the disk is full now, the reserve is removed now, so that workerd can start. Old
 * test files are removed as well.
 */
export function keepReserve(stateDir) {
  for (const name of readdirSync(stateDir).filter((name) => TEST_FILES.test(name))) {
    rmSync(join(stateDir, name), { force: true });
  }
  const reserve = join(stateDir, "reserve");
  const { bavail, bsize } = statfsSync(stateDir);
  const free = bavail * bsize;
  if (existsSync(reserve)) {
    if (free < RESERVE_BYTES) rmSync(reserve, { force: true });
    return;
  }
  if (free < 2 * RESERVE_BYTES) return;
  try {
    writeFileSync(reserve, randomBytes(RESERVE_BYTES));
  } catch {
    // A quota may limit the space. The hub works without the reserve.
    rmSync(reserve, { force: true });
  }
}
